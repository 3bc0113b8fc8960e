"""Random numbers for workloads: named streams, values by inversion, and arrival processes.

Every kind of draw comes from a stream of its own, and a longer draw begins with the shorter one, so that workloads that
differ in load or length share their numbers (common random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from simulator.core.errors import InputError
from simulator.core.rng import stream

HOUR = 3600.0
_BLOCK = 4096
_STEPS_LIMIT = 20_000_000


@dataclass(frozen=True, slots=True)
class Draws:
    """The random streams of one generated workload; ``prefix`` keeps several workloads of one seed apart."""

    seed: int = 0
    replication: int = 0
    prefix: str = ""

    def stream(self, name: str) -> np.random.Generator:
        """Return the generator called ``name``."""
        return stream(self.seed, self.prefix + name, self.replication)


@dataclass(frozen=True, slots=True)
class Swing:
    """A slow random change of the arrival rate: a gamma multiplier of mean 1.

    ``share`` is its weight among all swings of a process, ``cv`` its coefficient of variation, ``memory`` the seconds
    in which its autocorrelation falls to 1/e.
    """

    share: float
    cv: float
    memory: float


def choose(uniform: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """Return for each uniform number the index of a choice, by the inverse of the cumulative weights."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.minimum(np.searchsorted(edges / edges[-1], uniform, side="right"), len(edges) - 1)


def pick(uniform: np.ndarray, shares: Mapping[float, float]) -> np.ndarray:
    """Return for each uniform number one of the values that ``shares`` gives weights."""
    values: np.ndarray = np.array(list(shares), dtype=np.float64)[choose(uniform, list(shares.values()))]
    return values


def from_quantiles(uniform: np.ndarray, p: Sequence[float], v: Sequence[float]) -> np.ndarray:
    """Return positive values by inversion of a quantile table, geometric between its points.

    Between two points of a heavy tail a straight line puts too much weight on the large values: on the tables of the
    presets the mean is 1 to 25 % above the data with it, and within 10 % of it with the geometric rule.
    """
    values: np.ndarray = np.exp(np.interp(uniform, p, np.log(np.asarray(v, dtype=np.float64))))
    return values


def poisson_times(draws: Draws, jobs: int, rate: float) -> np.ndarray:
    """Return the times (s) of a Poisson process of ``rate`` (1/s)."""
    times: np.ndarray = np.cumsum(draws.stream("arrivals").standard_exponential(jobs)) / rate
    return times


def gamma_swing(generator: np.random.Generator, swing: Swing, step: float, count: int) -> np.ndarray:
    """Return ``count`` values, ``step`` seconds apart, of a stationary gamma process of mean 1.

    First-order autoregression g' = r g + e with r = exp(-step / memory). With shape k and mean 1, e is compound
    Poisson: a Poisson(k ln 1/r) number of terms r^U E, U uniform and E exponential of mean 1/k. Its Laplace transform
    is ((1 + r s/k) / (1 + s/k))^k, which is what keeps g gamma (Lawrance 1982, Scand. J. Statist. 9, 234-236).
    """
    shape = swing.cv**-2
    keep = math.exp(-step / swing.memory)
    value = generator.standard_gamma(shape) / shape
    values: list[float] = []
    while len(values) < count:
        terms = generator.poisson(shape * step / swing.memory, _BLOCK)
        total = int(terms.sum())
        sizes = keep ** generator.random(total) * generator.standard_exponential(total) / shape
        shocks = np.bincount(np.repeat(np.arange(_BLOCK), terms), weights=sizes, minlength=_BLOCK)
        for shock in shocks.tolist():
            values.append(value)
            value = keep * value + shock
    return np.array(values[:count])


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How an arrival rate changes in time: by hour of the day, by day of the week, and by swings, each of mean 1."""

    hour_of_day: tuple[float, ...] = (1.0,) * 24
    day_of_week: tuple[float, ...] = (1.0,) * 7
    """Monday first."""
    swings: tuple[Swing, ...] = ()
    step: float = 600.0
    """Seconds for which the rate stays the same."""

    def profile(self, start: datetime, count: int) -> np.ndarray:
        """Return the multiplier of hour and weekday for ``count`` steps after ``start``."""
        midnight = datetime.combine(start.date(), datetime.min.time(), start.tzinfo)
        seconds = (start - midnight).total_seconds() + self.step * np.arange(count)
        hours = np.asarray(self.hour_of_day)[(seconds // HOUR).astype(np.int64) % 24]
        days = np.asarray(self.day_of_week)[(start.weekday() + (seconds // 86400).astype(np.int64)) % 7]
        scale = np.mean(self.hour_of_day) * np.mean(self.day_of_week)
        rate: np.ndarray = hours * days / scale
        return rate


def modulated_times(draws: Draws, jobs: int, rate: float, start: datetime, rhythm: Rhythm) -> np.ndarray:
    """Return the times (s after ``start``) of a doubly stochastic Poisson process, the last one at ``jobs / rate``.

    A Poisson process of rate 1 is put through the inverse of the integral of profile x swings, and that integral is
    scaled so that all jobs come within ``jobs / rate`` seconds: a short sample has the wanted rate (1/s) exactly, too,
    whether its hours happen to be busy or quiet.
    """
    span = checked_span(jobs, rate, rhythm.step)
    edges, integral = _integral(draws, span, start, rhythm)
    arrivals = np.cumsum(draws.stream("arrivals").standard_exponential(jobs))
    times: np.ndarray = np.interp(arrivals / arrivals[-1], integral, edges)
    return times


def checked_span(jobs: int, rate: float, step: float) -> float:
    """Return the seconds that ``jobs`` at ``rate`` (1/s) take; ``InputError`` where they are too many steps."""
    span = jobs / rate
    if span > _STEPS_LIMIT * step:
        years = span / (365 * 86400)
        raise InputError(f"{jobs:,} jobs at {rate:.3g} jobs/s take {years:,.0f} years; ask for fewer jobs or more load")
    return span


def times_within(draws: Draws, count: int, span: float, start: datetime, rhythm: Rhythm) -> np.ndarray:
    """Return ``count`` sorted times (s after ``start``) of a doubly stochastic Poisson process, all before ``span``.

    As ``modulated_times``, but conditioned on the number of arrivals in the whole span, so that none falls on its end:
    what several processes need that are laid over each other.
    """
    if not count:
        return np.zeros(0)
    edges, integral = _integral(draws, span, start, rhythm)
    arrivals = np.cumsum(draws.stream("arrivals").standard_exponential(count + 1))
    times: np.ndarray = np.interp(arrivals[:-1] / arrivals[-1], integral, edges)
    return times


def _integral(draws: Draws, span: float, start: datetime, rhythm: Rhythm) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the steps, and the integral of profile x swings up to each of them, 1 at the end."""
    edges = np.append(np.arange(0.0, span, rhythm.step), span)
    steps = len(edges) - 1
    level = rhythm.profile(start, steps)
    if rhythm.swings:
        level *= _swings(draws, rhythm, steps)
    integral = np.append(0.0, np.cumsum(level * np.diff(edges)))
    if not integral[-1]:
        return edges, edges / span
    return edges, integral / integral[-1]


def _swings(draws: Draws, rhythm: Rhythm, steps: int) -> np.ndarray:
    total = np.zeros(steps)
    for index, swing in enumerate(rhythm.swings):
        total += swing.share * gamma_swing(draws.stream(f"swing-{index}"), swing, rhythm.step, steps)
    return total
