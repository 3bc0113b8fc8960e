"""The Gittins index."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.core.units import Ratio
from simulator.policies.api import schedulers
from simulator.policies.composed import Composed
from simulator.policies.orders import gittins


@schedulers.register("gittins")
class Gittins(Composed):
    """Those first that are likeliest to end soon for the service they have had, preemptive; learns from what finished.

    Gittins index of accelerators x seconds, as 2D-Gittins of Gu et al., "Tiresias" (NSDI 2019). Parameters are those
    of the order ``gittins``: ``services`` (a known distribution), ``quantum``, ``learn`` and ``growth``. A job that
    does not fit lets others pass.
    """

    def __init__(
        self, services: Sequence[float] = (), quantum: float = 3250.0, learn: int = 30, growth: Ratio = 1.25
    ) -> None:
        super().__init__(gittins.Gittins(services, quantum, learn, growth), "fill", preempt=True, name="gittins")
