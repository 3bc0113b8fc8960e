"""Shortest job first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.policies.api import Action, ClusterView, schedulers
from simulator.policies.order import in_order
from simulator.workload.jobs import Job


def length(job: Job) -> Any:
    """Expected seconds of running; ties by submission, then the smaller job."""
    return (job.estimate, job.submit, job.accelerators)


@schedulers.register("sjf")
class Sjf:
    """Shortest job first, by estimate, not preemptive; the head of the queue blocks the rest."""

    name = "sjf"

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Start the shortest jobs while they fit."""
        return in_order(view, view.queue.by(length))
