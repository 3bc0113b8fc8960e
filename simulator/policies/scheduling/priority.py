"""Priority."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.composed import Composed


@schedulers.register("priority")
class Priority(Composed):
    """Highest priority first, stopping jobs of lower priority where needed; equals by submission.

    A job that does not fit lets others pass. ``preempt`` off: nobody is stopped, and the head blocks the rest.
    """

    def __init__(self, preempt: bool = True) -> None:
        super().__init__("priority", "fill" if preempt else "none", preempt=preempt, name="priority")
