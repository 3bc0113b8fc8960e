"""Smallest area first."""

from __future__ import annotations

from typing import Any

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def area(job: Job) -> Any:
    """Accelerators x seconds, by estimate."""
    return (job.accelerators * job.estimate, *turn(job))


@orders.register("smallest-area")
class SmallestArea(Keyed):
    """Fewest accelerator-seconds first, by estimate (smallest cumulative demand first); ties by submission.

    Source: Leutenegger and Vernon, "The performance of multiprogrammed multiprocessor scheduling policies" (1990).
    """

    def __init__(self) -> None:
        super().__init__(area, "smallest-area")
