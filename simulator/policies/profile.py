"""How many accelerators will be free when: a step function of time with reservations on it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_LEAST = 1e-9
"""Seconds that every reservation lasts at least, so that one of no length still needs its accelerators."""
_ROUNDING = 1e-6
"""Accelerators: less than any share counts (a thousandth)."""


class Profile:
    """Free accelerators from an instant on, constant between breakpoints; the last step lasts for ever.

    Breakpoints are kept sorted, so a search or a change costs their number, in numpy. Times in seconds.
    """

    def __init__(self, now: float, free: float, ends: Sequence[float] = (), sizes: Sequence[float] = ()) -> None:
        """Begin with ``free`` accelerators, to which ``sizes`` come back at ``ends`` (s, after ``now``)."""
        times, which = np.unique(np.asarray(ends, dtype=float), return_inverse=True)
        back = np.bincount(which, np.asarray(sizes, dtype=float), len(times))
        self._times = np.concatenate(([now], times, [math.inf]))
        self._free = np.cumsum(np.concatenate(([free], back)))

    def free_at(self, time: float) -> float:
        """Accelerators free at ``time``, and until the next breakpoint."""
        return float(self._free[self._index(time)])

    def earliest(self, accelerators: float, seconds: float, begin: float) -> float:
        """First instant from ``begin`` on at which so many are free for so long; infinite when there is none."""
        first = self._index(begin)
        full = np.flatnonzero(self._free[first:] < accelerators - _ROUNDING)
        if not len(full):
            return begin
        full += first
        starts = np.concatenate(([begin], self._times[full + 1]))
        ends = np.concatenate((self._times[full], [math.inf]))
        found = int(np.argmax(starts + max(seconds, _LEAST) <= ends))
        return float(starts[found])

    def take(self, begin: float, end: float, accelerators: float) -> None:
        """Reserve accelerators from ``begin`` to ``end`` (s)."""
        self._add(begin, max(end, begin + _LEAST), -accelerators)

    def give(self, begin: float, end: float, accelerators: float) -> None:
        """Take a reservation back, or its rest from ``begin`` on."""
        self._add(begin, max(end, begin + _LEAST), accelerators)

    def forget(self, now: float) -> None:
        """Drop what lies before ``now``."""
        first = self._index(now)
        if first:
            self._times, self._free = self._times[first:], self._free[first:]

    def __len__(self) -> int:
        return len(self._free)

    def _index(self, time: float) -> int:
        """Step that ``time`` lies in; the first for what lies before."""
        return max(0, int(np.searchsorted(self._times, time, "right")) - 1) if time < math.inf else len(self._free) - 1

    def _add(self, begin: float, end: float, amount: float) -> None:
        first, last = self._split(begin), self._split(end)
        self._free[first:last] += amount
        self._join(last)
        self._join(first)

    def _split(self, time: float) -> int:
        """Return the step that begins at ``time``, which lies in no step before it; the number of steps for ever."""
        if time == math.inf:
            return len(self._free)
        index = self._index(time)
        if self._times[index] >= time:
            return index
        self._times = np.insert(self._times, index + 1, time)
        self._free = np.insert(self._free, index + 1, self._free[index])
        return index + 1

    def _join(self, index: int) -> None:
        """Make one of two steps that are level."""
        if 0 < index < len(self._free) and abs(self._free[index] - self._free[index - 1]) < _ROUNDING:
            self._times = np.delete(self._times, index)
            self._free = np.delete(self._free, index)
