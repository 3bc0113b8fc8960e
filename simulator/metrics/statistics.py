"""How sure a number is: intervals over replications, paired differences, batch means for one long run.

All intervals are two-sided, 95 % unless said otherwise, and hold one by one, not jointly. Quantiles everywhere are
numpy's ``linear`` ones (type 7 of Hyndman & Fan 1996, "Sample quantiles in statistical packages", The American
Statistician 50(4)): linear interpolation between the order statistics at ``(n - 1) q``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95
BATCHES = 10
"""Batches of one long run. Schmeiser 1982 ("Batch size effects in the analysis of simulation output", Operations
Research 30(3)) recommends 10 to 30; with the correction for correlation, 10 covered M/M/1 waits best (docs/results.md).
"""
SMALLEST_BATCH = 20
"""Observations below which a batch says nothing about a mean."""


class Interval(NamedTuple):
    """An estimate, its half width, and how many replications or batches the half width rests on.

    ``correlation`` is the lag-1 correlation of the batches (0 for replications, which are independent). The half
    width is NaN where nothing can be said.
    """

    mean: float
    half_width: float
    samples: int
    correlation: float = 0.0

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width

    @property
    def covers_zero(self) -> bool:
        """Whether 0 lies in the interval, so that no difference is shown. False when there is no half width."""
        return abs(self.mean) <= self.half_width


def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Two-sided quantile of Student's t: the factor between a standard error and a half width.

    >>> round(t_quantile(19), 4)
    2.093
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2.0))


def mean(values: ArrayLike) -> float:
    """Arithmetic mean; NaN without values (and without numpy's warning)."""
    array = np.asarray(values, dtype=float)
    return float(array.mean()) if array.size else math.nan


def quantile(values: ArrayLike, probability: float) -> float:
    """Quantile by numpy's ``linear`` definition; NaN without values.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.5
    """
    array = np.asarray(values, dtype=float)
    return float(np.quantile(array, probability, method="linear")) if array.size else math.nan


def replicated(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Mean over independent replications with Student's t half width (Law, "Simulation Modeling and Analysis", ch. 9).

    With fewer than two values the half width is NaN; a NaN among the values makes the mean NaN.

    >>> interval = replicated([9.0, 10.0, 11.0])
    >>> round(interval.mean, 3), round(interval.half_width, 3)
    (10.0, 2.484)
    """
    array = np.asarray(values, dtype=float)
    if array.size < 2:
        return Interval(mean(array), math.nan, array.size)
    error = float(array.std(ddof=1)) / math.sqrt(array.size)
    return Interval(float(array.mean()), t_quantile(array.size - 1, confidence) * error, array.size)


def paired(values: ArrayLike, baseline: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Mean of ``values - baseline`` with half width, pair by pair.

    The i-th entries of both must come from the same random numbers; what both share then cancels (common random
    numbers; Law, ch. 11). Raises ``ValueError`` when the lengths differ.

    >>> round(paired([10.0, 20.0, 30.0], [9.0, 19.5, 28.5]).half_width, 3)
    1.242
    """
    ours, theirs = np.asarray(values, dtype=float), np.asarray(baseline, dtype=float)
    if ours.shape != theirs.shape:
        raise ValueError(f"pairs need equal lengths, got {ours.size} and {theirs.size}")
    return replicated(ours - theirs, confidence)


def edges(count: int, batches: int = BATCHES) -> list[int]:
    """Borders that cut ``count`` observations into ``batches`` runs of equal length, give or take one.

    >>> edges(10, 4)
    [0, 2, 5, 7, 10]
    """
    return [count * i // batches for i in range(batches + 1)]


def lag_one(values: ArrayLike) -> float:
    """Correlation of neighbours; 0 when all values are equal."""
    array = np.asarray(values, dtype=float)
    centred = array - array.mean()
    power = float(centred @ centred)
    return float(centred[:-1] @ centred[1:]) / power if power > 0.0 else 0.0


def sectioned(whole: float, parts: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Interval around an estimate from one run, from the same estimate on consecutive batches of it.

    ``whole`` is the estimate on all observations, ``parts`` the estimates on the batches. Their spread is taken about
    ``whole`` (sectioning: Asmussen & Glynn 2007, "Stochastic Simulation", ch. III), so the small-sample bias of batch
    quantiles widens the interval instead of shifting it; for means it equals plain batch means. Batches that remain
    correlated make intervals too short: a positive lag-1 correlation r multiplies the half width by
    sqrt((1 + r) / (1 - r)), the factor of a first-order autoregression (as ASAP3 does it: Steiger et al. 2005, ACM
    TOMACS 15(1)), r being taken as 0.9 at most. NaN among the parts, or fewer than two, gives no half width.
    """
    array = np.asarray(parts, dtype=float)
    if array.size < 2 or not np.isfinite(array).all() or not math.isfinite(whole):
        return Interval(whole, math.nan, array.size)
    spread = math.sqrt(float(((array - whole) ** 2).sum()) / (array.size - 1))
    correlation = lag_one(array)
    bounded = min(max(correlation, 0.0), 0.9)
    widening = math.sqrt((1.0 + bounded) / (1.0 - bounded))
    half_width = t_quantile(array.size - 1, confidence) * spread / math.sqrt(array.size) * widening
    return Interval(whole, half_width, array.size, correlation)


def batch_means(
    values: ArrayLike,
    estimate: Callable[[np.ndarray], float] = mean,
    batches: int = BATCHES,
    smallest: int = SMALLEST_BATCH,
) -> Interval:
    """Interval for ``estimate`` (a mean, a quantile ...) of one long run of ``values`` in order of time.

    Cut the warm-up before. With fewer than ``batches * smallest`` values the half width is NaN.

    >>> batch_means(np.arange(50.0)).half_width
    nan
    """
    array = np.asarray(values, dtype=float)
    if array.size < batches * smallest:
        return Interval(estimate(array), math.nan, 0)
    borders = edges(array.size, batches)
    return sectioned(estimate(array), [estimate(array[a:b]) for a, b in pairwise(borders)])
