"""Longest job first."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.composed import Composed


@schedulers.register("ljf")
class Ljf(Composed):
    """Longest job first, by estimate, not preemptive; the head of the queue blocks the rest."""

    def __init__(self) -> None:
        super().__init__("ljf", name="ljf")
