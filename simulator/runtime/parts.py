"""What lives in a cluster beside its jobs: nodes that come and go, failures, checkpoints, loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class Part:
    """One such thing; what it does not need it leaves as it is here."""

    def attach(self, simulation: Simulation) -> None:
        """Join a simulation that is being put together; all but services and other parts is there already."""

    def begin(self) -> None:
        """The run begins: jobs are expected, and nothing has happened."""

    def passed(self) -> None:
        """A scheduling pass is over."""

    def busy(self) -> bool:
        """Whether it has work of its own for which the run must go on."""
        return False

    def last_end(self) -> float:
        """When its last work ended (s)."""
        return 0.0

    def idle_seconds(self) -> float:
        """Accelerator-seconds that its replicas held without working, after ``close``."""
        return 0.0

    def close(self, now: float) -> dict[str, Any]:
        """Settle what is unfinished; return facts of the record."""
        return {}

    def tables(self) -> dict[str, Any]:
        """Tables of the record, by name, after ``close``."""
        return {}

    def notes(self) -> list[str]:
        """What a reader of the results must know."""
        return []
