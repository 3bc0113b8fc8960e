"""Where requests are handed to replicas: a fleet, its router, and what that sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.core.errors import PolicyError, SimulatorError
from simulator.policies.serving import Router
from simulator.runtime.fleets.fleet import Fleet
from simulator.runtime.serving.outlook import Outlook
from simulator.runtime.serving.replica import Replica
from simulator.workload.requests import Request


class Desk:
    """A fleet, its router, and what the router sees; what goes wrong inside the router is reported as its own."""

    def __init__(self, fleet: Fleet[Replica], router: Router, outlook: Outlook) -> None:
        self.fleet, self.router, self.outlook = fleet, router, outlook
        self._on_end: Callable[[Request], Any] | None = getattr(router, "on_end", None)

    def reset(self, rng: np.random.Generator) -> None:
        """Say that a run begins, and give the random numbers that are the router's own."""
        reset = getattr(self.router, "reset", None)
        if callable(reset):
            self._call(reset, rng)

    def choose(self, request: Request) -> Replica:
        """Ask the router; at least one replica takes requests."""
        self.outlook.changed()
        before = (request.input, request.output, request.arrival, request.priority)
        chosen = self._call(self.router.route, request, self.outlook)
        if (request.input, request.output, request.arrival, request.priority) != before:
            raise PolicyError(f"{self._name}: it changed request {request.id!r}; a policy only looks")
        replica = self.outlook.member(chosen)
        if replica is None:
            raise PolicyError(
                f"{self._name}, request {request.id!r}: it returned {chosen!r}, which is none of view.replicas"
            )
        return replica

    def ended(self, request: Request) -> None:
        """Tell the router that a request has ended, if it wants to know."""
        if self._on_end is not None:
            self._call(self._on_end, request)

    @property
    def _name(self) -> str:
        return f"router {getattr(self.router, 'name', '') or type(self.router).__name__} at {self.outlook.now:g} s"

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except SimulatorError:
            raise
        except (Exception, SystemExit) as error:
            raise PolicyError(f"{self._name}: {type(error).__name__}: {error}") from error
