"""Earliest deadline first."""

from __future__ import annotations

from typing import Any

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def due(job: Job) -> Any:
    """Deadline; those without one go last, in the order of submission."""
    return (job.deadline, *turn(job))


@orders.register("edf")
class Edf(Keyed):
    """The earliest deadline first, jobs without one last in the order of submission (Liu and Layland 1973)."""

    def __init__(self) -> None:
        super().__init__(due, "edf")
