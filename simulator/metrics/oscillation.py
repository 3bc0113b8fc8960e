"""Whether a controller of a number swings: how often it changes, how much of it is undone, and with what period."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

UNDO = 300.0
"""Seconds within which a scale-up that is taken back counts as undone, unless starting takes longer (ours): the window
over which the horizontal pod autoscaler of Kubernetes stabilises scale-downs by default (autoscaling/v2, behavior.
scaleDown.stabilizationWindowSeconds), so that with this default in force nothing of the kind would happen."""
PERIODS = 3.0
"""Periods that must fit into the run before one is named (ours): of fewer, a trend looks the same."""
_FINEST = 65_536
"""Cells that a run is cut into at most to look for a period."""
_COARSEST = 64
_PER_GAP = 8.0
"""Cells that lie between two changes, in the median."""
_NEARLY = 0.9
"""Share of the highest correlation from which on the shortest lag is taken: multiples of a period correlate as well."""


@dataclass(frozen=True, slots=True)
class Swings:
    """How one number that one controller decides on moved. Times in seconds."""

    controller: str
    subject: str
    changes: int
    """Scale-ups and scale-downs."""
    ups: int
    undone: int
    """Scale-ups after which the number was back where it had been, or below, within ``within``."""
    within: float
    back: float
    """Median time from such a scale-up until it was undone; NaN without any."""
    hours: float
    """Length of what was looked at, in hours."""
    period: float
    """Period with which the number swings; NaN where it has none."""
    strength: float
    """Correlation of the number with itself one period later: 1 for a perfect swing, 0 for none."""

    @property
    def per_hour(self) -> float:
        """Changes per hour; NaN over no time."""
        return self.changes / self.hours if self.hours > 0 else math.nan

    @property
    def undo_ratio(self) -> float:
        """Share of the scale-ups that were undone; NaN without scale-ups."""
        return self.undone / self.ups if self.ups else math.nan


def swings(
    time: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    span: tuple[float, float],
    within: float = UNDO,
    controller: str = "",
    subject: str = "",
) -> Swings:
    """Look at a number that was changed ``before`` -> ``after`` at each ``time`` (s, in order; arrays of one length).

    ``span`` is from when to when (s) the controller was watched; changes outside of it are left out.

    >>> found = swings(np.array([0.0, 60.0]), np.array([1.0, 3.0]), np.array([3.0, 1.0]), (0.0, 3600.0))
    >>> found.changes, found.undo_ratio, found.back
    (2, 1.0, 60.0)
    """
    inside = (time >= span[0]) & (time <= span[1]) & (before != after)
    time, before, after = time[inside], before[inside], after[inside]
    taken = undone(time, before, after, within)
    back = taken[~np.isnan(taken)]
    length, strength = period(time, after, span, float(before[0]) if len(before) else math.nan)
    return Swings(
        controller, subject, len(time), int(np.count_nonzero(after > before)), len(back), within,
        float(np.median(back)) if len(back) else math.nan, (span[1] - span[0]) / 3600.0, length, strength,
    )  # fmt: skip


def undone(time: np.ndarray, before: np.ndarray, after: np.ndarray, within: float) -> np.ndarray:
    """Seconds from each change until it was undone; NaN where it was not, within ``within`` s, or is no scale-up.

    A scale-up is undone when the number is again what it was before, or below. ``time`` is in order.
    """
    found = np.full(len(time), np.nan)
    last = np.searchsorted(time, time + within, "right")
    lowest = np.minimum(before, after)
    for row in np.flatnonzero(after > before).tolist():
        low = np.flatnonzero(lowest[row + 1 : last[row]] <= before[row])
        if low.size:
            found[row] = time[row + 1 + low[0]] - time[row]
    return found


def period(time: np.ndarray, value: np.ndarray, span: tuple[float, float], first: float) -> tuple[float, float]:
    """Period (s) of a step function and the strength with which it repeats; (NaN, 0) when it does not, up and down.

    ``value`` holds from each ``time`` on, ``first`` before. The function is cut into cells of equal length, its mean
    and trend are taken off, and its correlation with itself is worked out for all lags up to a third of the span. The
    period is the first peak beyond the first zero that is nearly as high as any; between cells a parabola tells where.
    """
    start, end = span
    steps = np.diff(value, prepend=first)
    if min(np.count_nonzero(steps > 0), np.count_nonzero(steps < 0)) < PERIODS or not end > start:
        return math.nan, 0.0
    gap = float(np.median(np.diff(time)))
    cells = int(min(max(_PER_GAP * (end - start) / gap if gap > 0 else _FINEST, _COARSEST), _FINEST))
    correlation = _autocorrelation(_cells(time, value, span, first, cells))[: int(cells / PERIODS) + 1]
    below = np.flatnonzero(correlation < 0.0)
    if not below.size:
        return math.nan, 0.0
    tail = np.arange(below[0], len(correlation) - 1)
    peaks = tail[(correlation[tail] >= correlation[tail - 1]) & (correlation[tail] > correlation[tail + 1])]
    peaks = peaks[correlation[peaks] > 0.0]
    if not peaks.size:
        return math.nan, 0.0
    peak = int(peaks[np.flatnonzero(correlation[peaks] >= _NEARLY * correlation[peaks].max())[0]])
    left, top, right = (float(correlation[peak + step]) for step in (-1, 0, 1))
    bend = left - 2.0 * top + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return (peak + shift) * (end - start) / cells, min(top, 1.0)


def _cells(time: np.ndarray, value: np.ndarray, span: tuple[float, float], first: float, cells: int) -> np.ndarray:
    """Means of a step function over ``cells`` cells of equal length."""
    times = np.concatenate([[span[0]], np.clip(time, *span), [span[1]]])
    values = np.concatenate([[first], value])
    area = np.append(0.0, np.cumsum(values * np.diff(times)))
    edges = np.linspace(span[0], span[1], cells + 1)
    means: np.ndarray = np.diff(np.interp(edges, times, area)) * cells / (span[1] - span[0])
    return means


def _autocorrelation(values: np.ndarray) -> np.ndarray:
    """Correlation of a series with itself at each lag from 0 on, its mean and trend taken off; 0 for a constant."""
    count = len(values)
    place = np.arange(count) - (count - 1) / 2.0
    rest = values - values.mean()
    rest -= place * float(place @ rest) / float(place @ place)
    power = float(rest @ rest)
    if power <= 1e-12 * max(1.0, float(values @ values)):
        return np.zeros(count)
    spectrum = np.fft.rfft(rest, 2 * count)
    sums = np.fft.irfft(np.abs(spectrum) ** 2)[:count]
    correlation: np.ndarray = sums / power * count / (count - np.arange(count))
    return correlation
