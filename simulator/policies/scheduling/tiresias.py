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
    top. With ``dimensions: 1`` accelerators do not weigh in. A job that comes down a queue gives way to those that wait
    in it, as in the authors' simulator, unless ``within`` is ``stay``. A job that does not fit lets others pass.
    """

    def __init__(
        self,
        thresholds: Sequence[float] = (3250.0, 7200.0),
        promote: Ratio = 0.0,
        dimensions: int = 2,
        within: str = "line",
    ) -> None:
        order = tiresias.Tiresias(thresholds, promote, dimensions, within)
        super().__init__(order, "fill", preempt=True, name="tiresias")
