"""How the pace of a job depends on what it is given: types of accelerators, how many, over how many servers.

A job that has a ``Speedup`` says how long it takes on any allocation. Everything is counted in *fractions* of the job:
0 when nothing is done, 1 when all is, so that work carries over from one allocation to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Given(NamedTuple):
    """What a job runs on: its accelerators, the servers that they are spread over, and the type of the slowest.

    ``accelerators`` may be below 1 for a share of one.
    """

    accelerators: float
    servers: int = 1
    type: str = ""


class Speedup(Protocol):
    """The pace of one job. All methods are pure; equal arguments give equal results."""

    def seconds(self, given: Given, fraction: float = 1.0) -> float:
        """Seconds from the beginning until ``fraction`` of the job is done, all of it on ``given``; 0 for fraction 0.

        Infinite where the job cannot run there.
        """
        ...

    def fraction(self, given: Given, seconds: float) -> float:
        """Share of the job that is done after ``seconds`` on ``given``: the inverse of ``seconds``."""
        ...


@dataclass(frozen=True, slots=True)
class ByType:
    """A pace that depends on the type of accelerator, and on whether the gang fits into one server.

    ``duration`` is seconds for the whole job at pace 1; ``pace`` maps types to paces, and ``spread`` the paces of a
    gang that lies on several servers where they differ. A job does not run on a type that is not there.
    """

    duration: float
    pace: Mapping[str, float]
    spread: Mapping[str, float] | None = None

    def seconds(self, given: Given, fraction: float = 1.0) -> float:
        """Seconds until ``fraction`` is done."""
        pace = self._pace(given)
        return fraction * self.duration / pace if pace > 0 else float("inf") if fraction > 0 else 0.0

    def fraction(self, given: Given, seconds: float) -> float:
        """Share that is done after ``seconds``."""
        return min(1.0, seconds * self._pace(given) / self.duration) if self.duration > 0 else 1.0

    def _pace(self, given: Given) -> float:
        if self.spread is not None and given.servers > 1:
            return self.spread.get(given.type, 0.0)
        return self.pace.get(given.type, 0.0)


@dataclass(frozen=True, slots=True)
class ByCount:
    """A pace that depends on the number of accelerators of an elastic job.

    ``duration`` is seconds at pace 1; ``pace`` maps numbers of accelerators to paces, and counts between two entries
    run at the pace of the lower one, as unused accelerators do nothing.
    """

    duration: float
    pace: Mapping[float, float]

    def seconds(self, given: Given, fraction: float = 1.0) -> float:
        """Seconds until ``fraction`` is done."""
        pace = self._pace(given)
        return fraction * self.duration / pace if pace > 0 else float("inf") if fraction > 0 else 0.0

    def fraction(self, given: Given, seconds: float) -> float:
        """Share that is done after ``seconds``."""
        return min(1.0, seconds * self._pace(given) / self.duration) if self.duration > 0 else 1.0

    def _pace(self, given: Given) -> float:
        below = [count for count in self.pace if count <= given.accelerators]
        return self.pace[max(below)] if below else 0.0
