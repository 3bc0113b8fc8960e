"""First in, first out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.policies.api import Action, ClusterView, schedulers
from simulator.policies.order import in_order
from simulator.workload.jobs import Job


def turn(job: Job) -> Any:
    """Order of submission; among jobs of the same instant the shorter, then the smaller one goes first."""
    return (job.submit, job.estimate, job.accelerators)


@schedulers.register("fifo")
class Fifo:
    """First in, first out; the head of the queue blocks the rest."""

    name = "fifo"

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Start jobs in the order of submission while they fit."""
        return in_order(view, view.queue.by(turn))
