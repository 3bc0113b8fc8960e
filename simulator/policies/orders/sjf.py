"""Shortest job first."""

from __future__ import annotations

from typing import Any

from simulator.policies.order import Keyed
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def length(job: Job) -> Any:
    """Expected seconds of running; ties by submission, then the smaller job."""
    return (job.estimate, job.submit, job.accelerators)


@orders.register("sjf")
class Sjf(Keyed):
    """The shortest first, by estimate; ties by submission, then the smaller one."""

    def __init__(self) -> None:
        super().__init__(length, "sjf")
