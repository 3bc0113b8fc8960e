"""Shortest remaining time first."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.policies.api import Action, ClusterView, schedulers
from simulator.policies.order import preferring, soonest
from simulator.workload.jobs import Job


def remaining_in_queue(job: Job) -> float:
    """Seconds still to run of a job that waits."""
    return job.estimate - job.done


@schedulers.register("srtf")
class Srtf:
    """Shortest remaining time first, by estimate, preemptive; a job that does not fit lets smaller ones pass.

    The order that minimises the mean wait on one server (Schrage, 1968). Stopped jobs keep their finished work and pay
    the restart time of the run.
    """

    name = "srtf"

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Give the cluster to the jobs with the least left to do."""
        return preferring(view, soonest(view), view.queue.by(remaining_in_queue), view.remaining)
