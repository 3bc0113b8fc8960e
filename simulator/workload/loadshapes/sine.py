"""A demand that swings, as days do."""

from __future__ import annotations

import math

import numpy as np

from simulator.core.units import PerSecond, Ratio, Seconds
from simulator.workload.loadshapes import load_shapes
from simulator.workload.piecewise import check_rate, check_time
from simulator.workload.sampling import Draws


@load_shapes.register("sine")
@load_shapes.register("diurnal")
class Sine:
    """Swings around ``mean`` by the share ``amplitude`` of it, once a ``period``; highest at ``peak`` after the start.

    Rate = mean x (1 + amplitude x cos(2 pi (t - peak) / period)). Ours: half, once a day, highest after 14 hours.
    """

    def __init__(
        self,
        mean: PerSecond,
        amplitude: Ratio = 0.5,
        period: Seconds = 86400.0,
        peak: Seconds | None = None,
    ) -> None:
        check_rate("mean", mean)
        check_time("period", period)
        if not 0 <= amplitude <= 1:
            raise ValueError(f"amplitude is {amplitude:g}; it is a share of the mean, at most 1: no rate is below 0")
        self.mean, self.amplitude, self.period = mean, amplitude, period
        self.peak = period * 14 / 24 if peak is None else peak

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        turn = 2 * math.pi / self.period
        swing = np.sin(turn * (times - self.peak)) + math.sin(turn * self.peak)
        return np.asarray(self.mean * (times + self.amplitude / turn * swing))
