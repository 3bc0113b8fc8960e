"""Shortest remaining time first."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.composed import Composed


@schedulers.register("srtf")
class Srtf(Composed):
    """Shortest remaining time first, by estimate, preemptive; a job that does not fit lets smaller ones pass.

    The order that minimises the mean wait on one server (Schrage, 1968). Stopped jobs keep their finished work and pay
    the restart time of the run.
    """

    def __init__(self) -> None:
        super().__init__("srtf", "fill", preempt=True, name="srtf")
