"""Who wants to know what replicas do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from simulator.runtime.serving.rank import Parked
from simulator.runtime.serving.stretch import Stretch
from simulator.workload.requests import Request

if TYPE_CHECKING:
    from simulator.runtime.serving.replica import Replica


class Ledger(Protocol):
    """Who wants to know what a replica does."""

    def through(self, replica: Replica, request: Request) -> None:
        """A request has all its tokens."""

    def prompted(self, replica: Replica, request: Request, parked: Parked) -> None:
        """A request goes elsewhere to decode."""

    def noted(self, event: str, request: Request) -> None:
        """A request was preempted (``evict``) or goes on (``resume``)."""

    def begun(self, replica: Replica) -> None:
        """It computes, and what routers see of it changes."""

    def iterations(self, replica: Replica, stretch: Stretch) -> None:
        """Iterations have passed."""

    def freed(self, replica: Replica) -> None:
        """Blocks may be free that were not."""
