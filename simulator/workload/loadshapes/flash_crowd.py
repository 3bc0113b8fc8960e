"""A crowd that comes at once and loses interest."""

from __future__ import annotations

import numpy as np

from simulator.core.units import PerSecond, Seconds
from simulator.workload.loadshapes import load_shapes
from simulator.workload.piecewise import check_rate, check_time, linear
from simulator.workload.sampling import Draws


@load_shapes.register("flash-crowd")
class FlashCrowd:
    """A rate of ``base``, but for one crowd: at ``at`` it climbs to ``peak`` within ``rise``, stays, and falls again.

    It stays for ``hold`` and falls within ``fall``, in straight lines. The three parts are those of the flash events of
    I. Ari et al., "Managing flash crowds on the Internet" (MASCOTS 2003): ramp-up, sustained, ramp-down.
    Ours: 1, 10 and 30 minutes.
    """

    def __init__(
        self,
        base: PerSecond,
        peak: PerSecond,
        at: Seconds,
        rise: Seconds = 60.0,
        hold: Seconds = 600.0,
        fall: Seconds = 1800.0,
    ) -> None:
        check_rate("base", base)
        check_rate("peak", peak)
        for name, seconds in (("rise", rise), ("hold", hold), ("fall", fall)):
            check_time(name, seconds)
        self._knots = tuple(float(each) for each in np.cumsum([at, rise, hold, fall]))
        self._rates = (base, peak, peak, base)

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        return linear(times, self._knots, self._rates)
