"""Failure and repair: rates from counts, parts in series, spares, and machines that wait for a repair crew.

Lives and repairs are exponential unless a function says otherwise; times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.core.errors import InputError

YEAR = 8766 * 3600.0
"""Seconds of a mean year of 365.25 days, as failure rates a year are counted."""
MOST_MACHINES = 1_000_000
"""Machines up to which a distribution is worked out; the arrays grow with them."""


class Rate(NamedTuple):
    """Failures per second of exposure, and the interval that holds the true rate with the confidence asked for."""

    mean: float
    low: float
    high: float

    @property
    def mtbf(self) -> float:
        """Mean seconds of exposure between failures; infinite when none was seen."""
        return 1.0 / self.mean if self.mean > 0 else math.inf


def rate(events: int, exposure: float, confidence: float = 0.95) -> Rate:
    """Return the failure rate that ``events`` in ``exposure`` unit-seconds tell of, with Garwood's exact interval.

    The interval takes the count as Poisson: chi-squared quantiles with 2n and 2n + 2 degrees of freedom, halved, over
    the exposure. Source: F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936.

    >>> found = rate(419, 16_384 * 54 * 86_400.0)
    >>> round(found.mtbf / 3600), round(found.low / found.mean, 3), round(found.high / found.mean, 3)
    (50677, 0.907, 1.1)
    """
    if events < 0 or not exposure > 0:
        raise InputError(
            f"{events} events in {exposure:g} s of exposure: events must be at least 0 and exposure above 0"
        )
    if not 0 < confidence < 1:
        raise InputError(f"a confidence of {confidence:g} is not between 0 and 1")
    from scipy.special import chdtri

    tail = (1.0 - confidence) / 2.0
    low = float(chdtri(2 * events, 1.0 - tail)) / 2.0 if events else 0.0
    high = float(chdtri(2 * events + 2, tail)) / 2.0
    return Rate(events / exposure, low / exposure, high / exposure)


def failures_a_year(mtbf: float) -> float:
    """Return the annualised failure rate: failures of one machine that runs and is repaired for a year.

    It can exceed 1. Source: Backblaze Drive Stats, failures over drive-years. For the share of new machines that fail
    within a year see ``fails_within``.

    >>> round(failures_a_year(50_677 * 3600), 3)
    0.173
    """
    _positive(mtbf, "mean time between failures")
    return YEAR / mtbf


def mtbf_of_yearly(failures: float) -> float:
    """Return the mean time between failures, s, of a machine with so many ``failures`` a year (the AFR).

    >>> round(mtbf_of_yearly(0.0157) / 3600)
    558344
    """
    _positive(failures, "number of failures a year")
    return YEAR / failures


def fails_within(mtbf: float, span: float = YEAR) -> float:
    """Return the probability that a machine fails at least once within ``span`` seconds: ``1 - e^(-span/mtbf)``.

    >>> round(fails_within(YEAR), 3), round(fails_within(mtbf_of_yearly(0.01)), 5)
    (0.632, 0.00995)
    """
    _positive(mtbf, "mean time between failures")
    return -math.expm1(-span / mtbf)


def series(mtbfs: Sequence[float], counts: Sequence[float] | None = None) -> float:
    """Return the mean time between failures, s, of a whole that stops when any of its parts does: rates add up.

    ``counts`` says how many there are of each part, 1 without it. Infinite without parts.

    >>> series([300.0, 600.0]), series([480_000.0], counts=[8])
    (200.0, 60000.0)
    """
    number = [1.0] * len(mtbfs) if counts is None else list(counts)
    if len(number) != len(mtbfs):
        raise InputError(f"{len(mtbfs)} parts and {len(number)} counts: one count for each part is needed")
    for each in mtbfs:
        _positive(each, "mean time between failures")
    total = math.fsum(count / each for each, count in zip(mtbfs, number, strict=True))
    return 1.0 / total if total > 0 else math.inf


def availability(mtbf: float, mttr: float) -> float:
    """Return the long-run share of time that a machine is up: MTBF/(MTBF + MTTR), whatever the distributions.

    ``mtbf`` is the mean time up, and ``mttr`` (s) all time from failure to service. Source: the renewal-reward theorem.

    >>> availability(99.0, 1.0)
    0.99
    """
    _positive(mtbf, "mean time between failures")
    if not mttr >= 0:
        raise InputError(f"the mean time to repair is {mttr:g} s: it must be at least 0")
    return 1.0 if math.isinf(mtbf) else mtbf / (mtbf + mttr)


def weibull_mean(scale: float, shape: float) -> float:
    """Return the mean of a Weibull distribution: ``scale * gamma(1 + 1/shape)``.

    Shapes below 1 fail early, 1 is exponential, above 1 they wear out.

    >>> weibull_mean(100.0, 1.0), round(weibull_mean(100.0, 0.7), 1)
    (100.0, 126.6)
    """
    _positive(scale, "scale")
    _positive(shape, "shape")
    return scale * math.exp(math.lgamma(1.0 + 1.0 / shape))


def weibull_scale(mean: float, shape: float) -> float:
    """Return the scale that gives a Weibull distribution of ``shape`` its ``mean``.

    >>> round(weibull_scale(weibull_mean(100.0, 0.7), 0.7), 9)
    100.0
    """
    _positive(mean, "mean")
    return mean / weibull_mean(1.0, shape)


def at_least(needed: int, machines: int, up: float) -> float:
    """Return the probability that ``needed`` of ``machines`` are up, each with probability ``up`` by itself (k of n).

    The upper tail of a binomial distribution; spares are the machines beyond ``needed``.

    >>> round(at_least(2, 3, 0.9), 3), at_least(0, 3, 0.9)
    (0.972, 1.0)
    """
    _count(machines, needed)
    if not 0 <= up <= 1:
        raise InputError(f"a probability of {up:g} is not within 0 to 1")
    from scipy.special import bdtrc

    return float(bdtrc(needed - 1, machines, up)) if needed > 0 else 1.0


def spares(needed: int, up: float, target: float) -> int:
    """Return the fewest machines beyond ``needed`` with which ``at_least`` reaches ``target``.

    >>> spares(2, 0.9, 0.99), spares(1000, 0.99, 0.99)
    (2, 18)
    """
    if not 0 < up <= 1 or not 0 <= target < 1:
        raise InputError(f"no number of spares gives {target:g} with machines that are up for {up:g} of the time")
    if needed <= 0:
        return 0
    low, high = 0, 1
    while at_least(needed, needed + high, up) < target:
        low, high = high, 2 * high
        _count(needed + high, needed)
    while low < high:
        middle = (low + high) // 2
        if at_least(needed, needed + middle, up) < target:
            low = middle + 1
        else:
            high = middle
    return low


def machine_repair(
    machines: int, mtbf: float, mttr: float, crews: int | None = None, working: int | None = None
) -> NDArray[np.float64]:
    """Return the distribution of the number of machines up, an array of ``machines + 1`` probabilities, from 0 up.

    Each machine that works fails after ``mtbf`` seconds of work on average, and repairs take ``mttr``, by ``crews``
    that mend one machine at a time each (as many crews as machines without it). Of the machines up ``working`` work at
    most (all without it); the others are spares that do not fail as they stand. Balance between neighbouring numbers
    gives p(i + 1)/p(i) = repairs at i over failures at i + 1. Source: the machine-repair model M/M/c//N, Kleinrock,
    Queueing Systems I (1975), section 3.8; insensitive to the distributions of repairs where nobody waits for a crew.

    >>> machine_repair(2, mtbf=9.0, mttr=1.0).round(2).tolist()
    [0.01, 0.18, 0.81]
    """
    _count(machines, 0)
    crews = machines if crews is None else crews
    working = machines if working is None else working
    _positive(mtbf, "mean time between failures")
    _positive(mttr, "mean time to repair")
    if machines and (crews < 1 or working < 1):
        raise InputError(f"{crews} repair crews and {working} machines at work: at least one of each is needed")
    below = np.arange(machines, dtype=float)
    steps = np.log(np.minimum(machines - below, crews) / mttr) - np.log(np.minimum(below + 1.0, working) / mtbf)
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def mean_up(distribution: NDArray[np.float64], most: int | None = None) -> float:
    """Return the mean number of machines up of a distribution over 0, 1, 2, ...; at most ``most`` of them counted.

    >>> round(mean_up(machine_repair(10, mtbf=9.0, mttr=1.0)), 9)
    9.0
    """
    numbers = np.arange(len(distribution), dtype=float)
    return float(np.minimum(numbers, math.inf if most is None else most) @ distribution)


def _count(machines: int, needed: int) -> None:
    if not 0 <= needed <= machines <= MOST_MACHINES:
        raise InputError(
            f"{needed} of {machines} machines: they must be whole numbers of 0 to {MOST_MACHINES}, in order"
        )


def _positive(value: float, name: str) -> None:
    if not value > 0:
        raise InputError(f"the {name} is {value:g}: it must be above 0")
