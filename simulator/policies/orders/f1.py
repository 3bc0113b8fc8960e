"""The learned order F1."""

from __future__ import annotations

import math
from typing import Any

from simulator.policies.order import Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def f1(job: Job) -> Any:
    """log10(run time) x accelerators + 870 log10(submit); times below 1 s count as 1 s."""
    seconds, submit = max(job.estimate, 1.0), max(job.submit, 1.0)
    return (math.log10(seconds) * job.accelerators + 870.0 * math.log10(submit), *turn(job))


@orders.register("f1")
class F1(Keyed):
    """Short, narrow and early first: the best of the functions learned by regression from simulated schedules.

    Source: Carastan-Santos and de Camargo, "Obtaining dynamic scheduling policies with simulation and machine
    learning" (SC 2017), F1 of their table. Submit times count from the start of the run.
    """

    def __init__(self) -> None:
        super().__init__(f1, "f1")
