"""A demand with bursts that nobody announces."""

from __future__ import annotations

import numpy as np

from simulator.core.units import PerSecond, Seconds
from simulator.workload.loadshapes import load_shapes
from simulator.workload.piecewise import check_rate, check_time, stepwise
from simulator.workload.sampling import Draws

_MOST = 10_000_000
"""Bursts that are drawn at most."""


@load_shapes.register("bursty")
class Bursty:
    """Switches between the rates ``base`` and ``burst`` after exponential times: a Markov-modulated demand.

    ``mean_burst`` and ``mean_gap`` are the mean lengths of both. With Poisson noise it is the MMPP of two states of
    W. Fischer and K. Meier-Hellstern, "The Markov-modulated Poisson process cookbook", Performance Evaluation 18
    (1993). It begins in either state with the probability that this has in the long run.
    """

    def __init__(self, base: PerSecond, burst: PerSecond, mean_burst: Seconds, mean_gap: Seconds) -> None:
        check_rate("base", base)
        check_rate("burst", burst)
        check_time("mean_burst", mean_burst)
        check_time("mean_gap", mean_gap)
        self._rates, self._means = (base, burst), (mean_gap, mean_burst)

    def area(self, times: np.ndarray, draws: Draws) -> np.ndarray:
        """Requests until each time."""
        rng = draws.stream("bursts")
        gap, burst = self._means
        state = int(rng.random() < burst / (gap + burst))
        span = float(times[-1]) if len(times) else 0.0
        if span / (gap + burst) > _MOST:
            raise ValueError(f"mean_burst is {burst:g} s: {span / (gap + burst):,.0f} bursts are more than {_MOST:,}")
        lengths: list[float] = []
        total = 0.0
        while total <= span:
            lengths.append(float(rng.standard_exponential()) * self._means[(state + len(lengths)) % 2])
            total += lengths[-1]
        edges = np.append(0.0, np.cumsum(lengths))[:-1]
        rates = np.array(self._rates)[(state + np.arange(len(lengths))) % 2]
        return stepwise(times, edges, rates)
