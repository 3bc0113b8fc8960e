"""What a scheduler believes of run times: the truth, what the user said, or what the user's last jobs took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from simulator.policies.api import ClusterView
from simulator.policies.order import soonest
from simulator.workload.jobs import Job


class Estimates(Protocol):
    """Run times as a scheduler believes them. Hooks of a scheduler are optional."""

    def of(self, job: Job) -> float:
        """Seconds that a waiting job will run from its start on; does not change while it waits."""
        ...

    def remaining(self, view: ClusterView, job: Job) -> float:
        """Seconds that a running job will go on for."""
        ...

    def soonest(self, view: ClusterView) -> Iterable[Job]:
        """Running jobs, those that are expected to end first in front."""
        ...


class Told:
    """What the user said; where that is nothing, the truth, which the engine fills in."""

    def of(self, job: Job) -> float:
        """Seconds that the job was said to need in all, also when it has run before."""
        return job.estimate

    def remaining(self, view: ClusterView, job: Job) -> float:
        """Seconds left by that; 0 for a job that has overrun: it is expected to end now."""
        return view.remaining(job)

    def soonest(self, view: ClusterView) -> Iterable[Job]:
        """Running jobs by expected end."""
        return soonest(view)


def checked_depth(depth: int) -> int:
    """Return ``depth`` if it is 0 (no limit) or more; raise ``ValueError`` otherwise."""
    if depth < 0:
        raise ValueError(f"depth is {depth}; it must be 0 (no limit) or more")
    return depth
