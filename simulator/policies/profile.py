"""How many accelerators will be free when: a step function of time with reservations on it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_LEAST = 1e-9
"""Seconds that every reservation lasts at least, so that one of no length still needs its accelerators."""
_ROUNDING = 1e-6
"""Accelerators: less than any share counts (a thousandth)."""
_ROOM = 64
"""Steps that may come before the arrays must grow."""


class Profile:
    """Free accelerators from an instant on, constant between breakpoints; the last step lasts for ever.

    Breakpoints are kept sorted, so a search or a change costs their number, in numpy; the arrays have room to grow, as
    making new ones would cost more than all the rest. Times in seconds.
    """

    def __init__(self, now: float, free: float, ends: Sequence[float] = (), sizes: Sequence[float] = ()) -> None:
        """Begin with ``free`` accelerators, to which ``sizes`` come back at ``ends`` (s, after ``now``)."""
        times, which = np.unique(np.asarray(ends, dtype=float), return_inverse=True)
        back = np.bincount(which, np.asarray(sizes, dtype=float), len(times))
        self._count = len(times) + 1
        room = 2 * self._count + _ROOM
        self._times = np.full(room, math.inf)
        self._times[0] = now
        self._times[1 : self._count] = times
        self._free = np.zeros(room)
        np.cumsum(np.concatenate(([free], back)), out=self._free[: self._count])

    def free_at(self, time: float) -> float:
        """Accelerators free at ``time``, and until the next breakpoint."""
        return float(self._free[self._index(time)])

    def earliest(self, accelerators: float, seconds: float, begin: float) -> float:
        """First instant from ``begin`` on at which so many are free for so long; infinite when there is none."""
        first, times = self._index(begin), self._times
        full = np.flatnonzero(self._free[first : self._count] < accelerators - _ROUNDING)
        if not len(full):
            return begin
        full += first
        ends = times[full]
        length = max(seconds, _LEAST)
        if begin + length <= ends[0]:
            return begin
        starts = times[full + 1]  # behind the last step there is infinity
        long_enough = starts[:-1] + length <= ends[1:]
        found = int(long_enough.argmax()) if len(long_enough) else 0
        if not len(long_enough) or not long_enough[found]:
            found = len(starts) - 1
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
            self._shift(first, -first)

    def __len__(self) -> int:
        return self._count

    def _index(self, time: float) -> int:
        """Step that ``time`` lies in; the first for what lies before."""
        if time == math.inf:
            return self._count - 1
        return max(0, int(self._times[: self._count].searchsorted(time, "right")) - 1)

    def _add(self, begin: float, end: float, amount: float) -> None:
        first, last = self._split(begin), self._split(end)
        self._free[first:last] += amount
        self._join(last)
        self._join(first)

    def _split(self, time: float) -> int:
        """Return the step that begins at ``time``, which lies in no step before it; the number of steps for ever."""
        if time == math.inf:
            return self._count
        index = self._index(time)
        if self._times[index] >= time:
            return index
        if self._count + 1 >= len(self._times):
            self._times = np.concatenate((self._times, np.full(len(self._times), math.inf)))
            self._free = np.concatenate((self._free, np.zeros(len(self._free))))
        self._shift(index + 1, 1)
        self._times[index + 1] = time
        self._free[index + 1] = self._free[index]
        return index + 1

    def _join(self, index: int) -> None:
        """Make one of two steps that are level."""
        if 0 < index < self._count and abs(self._free[index] - self._free[index - 1]) < _ROUNDING:
            self._shift(index + 1, -1)

    def _shift(self, first: int, by: int) -> None:
        """Move the steps from ``first`` on by so many places; infinity stands behind the last."""
        count = self._count
        self._times[first + by : count + by] = self._times[first:count]
        self._free[first + by : count + by] = self._free[first:count]
        self._count = count + by
        if by < 0:
            self._times[self._count : count] = math.inf
