"""Narrowest job first."""

from __future__ import annotations

from typing import Any

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def narrowest(job: Job) -> Any:
    """Accelerators, fewest first."""
    return (job.accelerators, *turn(job))


@orders.register("narrowest")
class Narrowest(Keyed):
    """Fewest accelerators first (smallest job first, Majumdar, Eager, Bunt 1988); ties by submission."""

    def __init__(self) -> None:
        super().__init__(narrowest, "narrowest")
