"""Quasi-shortest service first."""

from __future__ import annotations

from simulator.core.units import Ratio, Seconds
from simulator.policies.api import schedulers
from simulator.policies.composed import Composed
from simulator.policies.orders import qssf


@schedulers.register("qssf")
class Qssf(Composed):
    """Least predicted service first, from what jobs like it took before; not preemptive, and the head blocks the rest.

    QSSF of Hu et al. (Helios, SC 2021) with its rolling estimate: each finished job counts ``decay`` times as much as
    the next newer one; ``unknown`` seconds are predicted before anything has finished.
    """

    def __init__(self, decay: Ratio = 0.8, unknown: Seconds = 3600.0) -> None:
        super().__init__(qssf.Qssf(decay, unknown), name="qssf")
