"""Longest job first."""

from __future__ import annotations

from typing import Any

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def longest(job: Job) -> Any:
    """Expected seconds of running, most first."""
    return (-job.estimate, *turn(job))


@orders.register("ljf")
class Ljf(Keyed):
    """The longest job first, by estimate; ties by submission.

    As LJF of AccaSim (Galleguillos, Kiziltan, Netti, Soto 2018), where the L is for longest; for most accelerators
    first, see ``widest``.
    """

    def __init__(self) -> None:
        super().__init__(longest, "ljf")
