"""Least attained service."""

from __future__ import annotations

from simulator.core.units import Seconds
from simulator.policies.api import schedulers
from simulator.policies.composed import Composed
from simulator.policies.orders import las


@schedulers.register("las")
class Las(Composed):
    """Least attained service, preemptive: those that have run least go first; needs no estimates.

    Service is seconds of running, counted in whole quanta so that equal jobs take turns and do not thrash; a running
    job keeps its place against a waiting one of its level. One-dimensional, as the discretised LAS that Gu et al.,
    "Tiresias" (NSDI 2019), start from; accelerators do not weigh in. A job that does not fit lets smaller ones pass.
    """

    def __init__(self, quantum: Seconds = 300.0) -> None:
        super().__init__(las.Las(quantum), "fill", preempt=True, name="las")
