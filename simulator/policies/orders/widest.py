"""Widest job first."""

from __future__ import annotations

from typing import Any

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def widest(job: Job) -> Any:
    """Accelerators, most first."""
    return (-job.accelerators, *turn(job))


@orders.register("widest")
class Widest(Keyed):
    """Most accelerators first (largest job first); ties by submission."""

    def __init__(self) -> None:
        super().__init__(widest, "widest")
