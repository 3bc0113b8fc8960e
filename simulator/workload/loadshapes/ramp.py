"""A demand that grows or falls in a straight line."""

from __future__ import annotations

import numpy as np

from simulator.core.units import PerSecond, Seconds
from simulator.workload.loadshapes import load_shapes
from simulator.workload.piecewise import check_rate, check_time, linear
from simulator.workload.sampling import Draws


@load_shapes.register("ramp")
class Ramp:
    """From the rate ``low`` in a straight line to ``high``, from ``begin`` on and within ``length``.

    Either may be the larger one.
    """

    def __init__(self, low: PerSecond, high: PerSecond, length: Seconds, begin: Seconds = 0.0) -> None:
        check_rate("low", low)
        check_rate("high", high)
        check_time("length", length)
        self._knots, self._rates = (begin, begin + length), (low, high)

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        return linear(times, self._knots, self._rates)
