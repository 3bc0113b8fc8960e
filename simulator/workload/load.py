"""The demand of a load: requests per second, constant from one instant to the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulator.workload.loadshapes import LoadShape
from simulator.workload.sampling import Draws

INTERVAL = 15.0
"""Seconds over which a demand is constant unless something else is said (ours: the period of the HPA, Kubernetes
1.33)."""
MOST = 50_000_000
"""Intervals of one demand, at most."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Rates (1/s) that hold from ``times`` (s, rising from 0 on) until the next; none after ``end`` (s)."""

    times: np.ndarray
    rates: np.ndarray
    end: float

    def lengths(self) -> np.ndarray:
        """For how long each rate holds (s)."""
        return np.diff(np.append(self.times, self.end))

    def total(self, until: float = math.inf) -> float:
        """Requests up to ``until`` (s)."""
        stop = np.minimum(np.append(self.times, self.end), until)
        return float(self.rates @ np.diff(stop))

    def servers(self, rate: float, least: int = 0, until: float = math.inf) -> float:
        """Server-seconds up to ``until`` (s) of somebody who always has just enough.

        The sum of max(``least``, ceil(demand / ``rate``)), ``rate`` being what one server serves (1/s).

        >>> Demand(np.array([0.0, 10.0]), np.array([25.0, 0.0]), 15.0).servers(10.0, least=1)
        35.0
        """
        stop = np.minimum(np.append(self.times, self.end), until)
        return float(np.maximum(least, np.ceil(self.rates / rate - 1e-9)) @ np.diff(stop))


def demand(
    shapes: Sequence[LoadShape], duration: float, draws: Draws, interval: float = INTERVAL, noise: bool = False
) -> Demand:
    """Return the sum of ``shapes`` over ``duration`` seconds, as its mean over each ``interval`` (s).

    With ``noise`` each interval has a Poisson number of requests of that mean, evenly over it. Intervals with the same
    rate are joined. Raises ``ValueError`` for more than ``MOST`` intervals.
    """
    if duration / interval > MOST:
        raise ValueError(f"interval is {interval:g} s: {duration / interval:,.0f} intervals are more than {MOST:,}")
    jumps = [jump for shape in shapes for jump in getattr(shape, "jumps", ())]
    edges = np.arange(math.ceil(duration / interval)) * interval
    inside = [jump for jump in jumps if 0 < jump < duration]
    edges = np.append(np.union1d(edges, inside) if inside else edges, duration)
    lengths = np.diff(edges)
    area = np.zeros(len(edges))
    for number, shape in enumerate(shapes):
        area += shape.area(edges, replace(draws, prefix=f"{draws.prefix}:{number}:"))
    came = np.maximum(np.diff(area), 0.0)
    if noise:
        came = draws.stream(":noise").poisson(came).astype(np.float64)
    rates = came / lengths
    near = np.isclose(rates[1:], rates[:-1], rtol=1e-9, atol=0.0)
    kept = np.append(True, ~near)
    return Demand(edges[:-1][kept], rates[kept], duration)


def own_length(shapes: Sequence[LoadShape]) -> float:
    """Seconds until the last of the shapes ends by itself; infinite when one never does."""
    return max([float(getattr(shape, "length", math.inf)) for shape in shapes])
