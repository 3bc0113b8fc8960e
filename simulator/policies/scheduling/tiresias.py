"""Tiresias."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.core.units import Ratio
from simulator.policies.api import schedulers
from simulator.policies.composed import Composed
from simulator.policies.orders import tiresias


@schedulers.register("tiresias")
class Tiresias(Composed):
    """Least accelerators x seconds of service first, in a few queues, preemptive; needs no estimates.

    Discretised 2D-LAS of Gu et al., "Tiresias" (NSDI 2019). ``thresholds`` are the accelerator-seconds at which a job
    goes down a queue; with ``promote`` above 0 one that has waited ``promote`` times as long as it ran goes back to the
    top. A job that does not fit lets others pass.
    """

    def __init__(self, thresholds: Sequence[float] = (3250.0, 7200.0), promote: Ratio = 0.0) -> None:
        super().__init__(tiresias.Tiresias(thresholds, promote), "fill", preempt=True, name="tiresias")
