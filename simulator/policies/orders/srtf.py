"""Shortest remaining time first."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.policies.api import ClusterView
from simulator.policies.order import Key, Keyed, soonest
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def remaining_in_queue(job: Job) -> float:
    """Seconds still to run of a job that waits."""
    return job.estimate - job.done


@orders.register("srtf")
class Srtf(Keyed):
    """Those with the least left to run first, by estimate (Schrage 1968)."""

    def __init__(self) -> None:
        super().__init__(remaining_in_queue, "srtf")

    def rank(self, view: ClusterView) -> Key:
        """Seconds left, of jobs that run too."""
        return view.remaining

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, the last to end in front."""
        return iter(soonest(view, backwards=True))
