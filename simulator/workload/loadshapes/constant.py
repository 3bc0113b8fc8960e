"""A demand that stays as it is."""

from __future__ import annotations

import numpy as np

from simulator.core.units import PerSecond
from simulator.workload.loadshapes import load_shapes
from simulator.workload.piecewise import check_rate
from simulator.workload.sampling import Draws


@load_shapes.register("constant")
class Constant:
    """The same ``rate`` all the time."""

    def __init__(self, rate: PerSecond) -> None:
        check_rate("rate", rate)
        self.rate = rate

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        return np.asarray(self.rate * times)
