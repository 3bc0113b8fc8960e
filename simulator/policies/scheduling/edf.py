"""Earliest deadline first."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.composed import Composed


@schedulers.register("edf")
class Edf(Composed):
    """Earliest deadline first, preemptive; jobs without a deadline last, in the order of submission.

    A job that does not fit lets others pass. ``preempt`` off: nobody is stopped, and the head blocks the rest.
    """

    def __init__(self, preempt: bool = True) -> None:
        super().__init__("edf", "fill" if preempt else "none", preempt=preempt, name="edf")
