"""Priority."""

from __future__ import annotations

from typing import Any

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def urgency(job: Job) -> Any:
    """Priority, highest first; equals by submission."""
    return (-job.priority, *turn(job))


@orders.register("priority")
class Priority(Keyed):
    """The highest ``priority`` first, equals in the order of submission, as pods of Kubernetes priority classes."""

    def __init__(self) -> None:
        super().__init__(urgency, "priority")
