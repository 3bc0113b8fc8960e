"""Times between tokens, counted from iterations: exact means and quantiles without a number for each token."""

from __future__ import annotations

import math

import numpy as np

_EXPANDED = 200_000
"""Different gaps that are laid out and sorted at once; with more between two bounds, the bounds move closer first."""


class Gaps:
    """Arithmetic progressions of gaps, each with a weight: the sequences that saw it.

    A row of the table of iterations stands for ``count`` iterations of ``first``, ``first + growth``, ... seconds, in
    each of which ``sequences`` get a token. Of these, ``stalled`` waited ``stall`` seconds longer for the first token,
    which is the mean over them and is taken as that of each. Arrays of one length.

    >>> gaps = Gaps(*map(np.array, ([0.01], [0.001], [3], [2], [1], [0.5])))
    >>> len(gaps), round(gaps.mean(), 6), round(gaps.quantile(1.0), 6)
    (6, 0.094333, 0.51)
    """

    def __init__(
        self,
        first: np.ndarray,
        growth: np.ndarray,
        count: np.ndarray,
        sequences: np.ndarray,
        stalled: np.ndarray,
        stall: np.ndarray,
    ) -> None:
        stalled = np.minimum(np.where(stall > 0, stalled, 0), sequences)
        flat = growth == 0
        late, split = stalled > 0, (stalled > 0) & ~flat
        zero = np.zeros(len(first))
        parts = [
            (first + stall, zero, np.ones_like(count), stalled, late),
            (first, zero, np.ones_like(count), sequences - stalled, split),
            (first + growth, growth, count - 1, sequences, split),
            (first, growth, count, sequences, ~flat & ~late),
            (first, zero, np.ones_like(count), sequences * count - stalled, flat),
        ]
        columns = [np.concatenate([part[i][part[4]] for part in parts]) for i in range(4)]
        there = (columns[2] > 0) & (columns[3] > 0)
        start, step, steps, weight = (column[there] for column in columns)
        falling = step < 0
        start = np.where(falling, start + step * (steps - 1), start)
        self._start, self._step = start, np.abs(step)
        self._steps, self._weight = steps.astype(np.int64), weight.astype(np.int64)
        self._last = self._start + self._step * (self._steps - 1)
        self._total = int((self._steps * self._weight).sum())

    def __len__(self) -> int:
        """How many gaps there are, over all sequences."""
        return self._total

    def mean(self) -> float:
        """Mean gap in seconds; NaN without gaps."""
        if not self._total:
            return math.nan
        each = self._steps * self._start + self._step * (self._steps * (self._steps - 1) / 2.0)
        return float((self._weight * each).sum()) / self._total

    def largest(self) -> float:
        """The longest gap in seconds; NaN without gaps."""
        return float(self._last.max()) if self._total else math.nan

    def quantile(self, probability: float) -> float:
        """Quantile in seconds, as ``statistics.quantile`` of all gaps one by one; NaN without gaps."""
        if not self._total:
            return math.nan
        place = (self._total - 1) * probability
        below = math.floor(place)
        low = self._ranked(below)
        if place == below:
            return low
        return low + (self._ranked(below + 1) - low) * (place - below)

    def _ranked(self, rank: int) -> float:
        """The gap at ``rank`` (from 0) when all are sorted: narrow the bounds, then sort what is between."""
        start, step, weight = self._start, self._step, self._weight
        low, high = np.zeros_like(self._steps), self._steps
        while int((high - low).sum()) > _EXPANDED:
            least, most = float((start + step * low).min()), float((start + step * (high - 1)).max())
            if least == most:
                return least
            pivot = _between(least, most)
            middle = _until(start, step, low, high, pivot)
            under = int((weight * (middle - low)).sum())
            if rank < under:
                high = middle
            else:
                rank, low = rank - under, middle
            left = low < high
            start, step, weight, low, high = (each[left] for each in (start, step, weight, low, high))
        return _sorted(start, step, weight, low, high, rank)


def _between(least: float, most: float) -> float:
    """A value from ``least`` to below ``most``, half way in size where they differ much."""
    middle = math.sqrt(least * most) if most > 4.0 * least > 0 else least + (most - least) / 2.0
    return middle if least <= middle < most else least


def _until(start: np.ndarray, step: np.ndarray, low: np.ndarray, high: np.ndarray, pivot: float) -> np.ndarray:
    """For each progression the first index from ``low`` on whose value is above ``pivot``, at most ``high``."""
    flat = step == 0
    guess = np.floor((pivot - start) / np.where(flat, 1.0, step))
    index = np.clip(guess, low - 1.0, high).astype(np.int64)
    index = np.where(start + step * index <= pivot, index + 1, index)
    index = np.where(start + step * (index - 1) <= pivot, index, index - 1)
    return np.where(flat, np.where(start <= pivot, high, low), np.clip(index, low, high))


def _sorted(
    start: np.ndarray, step: np.ndarray, weight: np.ndarray, low: np.ndarray, high: np.ndarray, rank: int
) -> float:
    """The value at ``rank`` of progressions that are short enough to be laid out."""
    lengths = high - low
    before = np.repeat(np.cumsum(lengths) - lengths, lengths)
    index = np.repeat(low, lengths) + np.arange(len(before)) - before
    values = np.repeat(start, lengths) + np.repeat(step, lengths) * index
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(np.repeat(weight, lengths)[order])
    return float(values[order[np.searchsorted(upto, rank, "right")]])
