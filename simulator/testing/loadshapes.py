"""What every shape of a load must do."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.testing.running import run_all
from simulator.workload.loadshapes import LoadShape, load_shapes
from simulator.workload.sampling import Draws

_TIMES = np.linspace(0.0, 7200.0, 481)


def check_load_shape(shape: Any, **parameters: Any) -> None:
    """Put a shape of a load (a name or a class) through everything that ``LoadShapeContract`` promises.

    ``parameters`` are those that it is made with, in SI.

    >>> check_load_shape("constant", rate=5.0)
    """

    class Given(LoadShapeContract):
        def make(self) -> Any:
            return (load_shapes.get(shape) if isinstance(shape, str) else shape)(**parameters)

    run_all(Given())


class LoadShapeContract:
    """What every shape must do; subclass it, and make one in ``make``."""

    def make(self) -> Any:
        """Return the shape: an object with ``area(times, draws)``."""
        raise NotImplementedError("return your shape from make()")

    def test_tells_requests_until_each_time(self) -> None:
        """``area`` returns a finite number for each time, which begins at 0 and never falls."""
        area = self._area(_TIMES)
        assert area.shape == _TIMES.shape, f"area has shape {area.shape}; it must have that of the times"
        assert np.isfinite(area).all(), "area has values that are no numbers"
        assert abs(area[0]) < 1e-6, f"{area[0]:g} requests came until 0 s; there are none before"
        falls = np.diff(area) < -1e-9 * max(1.0, float(area[-1]))
        assert not falls.any(), (
            f"fewer requests came until {_TIMES[1:][falls][:1]} s than before: the rate is below 0 there. area is the "
            "integral of the rate from 0 s on, not the rate"
        )

    def test_tells_the_same_again(self) -> None:
        """The same draws give the same demand, also at other times in between."""
        whole, again, half = self._area(_TIMES), self._area(_TIMES), self._area(_TIMES[::2])
        assert np.array_equal(whole, again), (
            "the same draws give another demand. Most likely random numbers come from elsewhere than the draws that "
            "area is given"
        )
        assert np.allclose(whole[::2], half, rtol=1e-9, atol=1e-6), (
            "the demand until an instant depends on what other times are asked for"
        )

    def test_keeps_the_times_that_it_is_given(self) -> None:
        """The array of times is not changed."""
        times = _TIMES.copy()
        self._area(times)
        assert np.array_equal(times, _TIMES), "it changes the times that it is given"

    def _area(self, times: np.ndarray) -> np.ndarray:
        made: LoadShape = self.make()
        return np.asarray(made.area(times, Draws(seed=3, prefix="load:shape:0:")))
