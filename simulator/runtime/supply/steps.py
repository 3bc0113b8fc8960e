"""Numbers that change in steps over time: prices, carbon intensities, what a provider has."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence


class Steps:
    """A number that is ``values[i]`` from ``times[i]`` (s) on, until the next; before the first time it is the first.

    Times must rise. Raises ``ValueError`` where they do not, or where there is no value at all.

    >>> price = Steps([0.0, 3600.0], [2.0, 3.0])
    >>> price.at(3599.0), price.at(3600.0), price.integral(3590.0, 3610.0)
    (2.0, 3.0, 50.0)
    """

    __slots__ = ("_sums", "times", "values")

    def __init__(self, times: Sequence[float], values: Sequence[float]) -> None:
        if not len(times) or len(times) != len(values):
            raise ValueError(f"steps need as many times as values, at least one; there are {len(times)}, {len(values)}")
        if any(after <= before for before, after in itertools.pairwise(times)):
            raise ValueError("the times of steps must rise")
        self.times, self.values = [float(time) for time in times], [float(value) for value in values]
        sums = [0.0]
        for index in range(1, len(times)):
            sums.append(sums[-1] + self.values[index - 1] * (self.times[index] - self.times[index - 1]))
        self._sums = sums

    @classmethod
    def constant(cls, value: float) -> Steps:
        """Return a number that never changes."""
        return cls([0.0], [value])

    def at(self, time: float) -> float:
        """Return the number at a time (s)."""
        return self.values[max(0, bisect_right(self.times, time) - 1)]

    def integral(self, start: float, end: float) -> float:
        """Return the sum over the seconds from ``start`` to ``end``."""
        times, values = self.times, self.values
        first, last = (max(0, bisect_right(times, time) - 1) for time in (start, end))
        if first == last:
            return values[first] * (end - start)
        inner = self._sums[last] - self._sums[first + 1]
        return values[first] * (times[first + 1] - start) + inner + values[last] * (end - times[last])

    def scaled(self, factor: float) -> Steps:
        """Return the same steps, times a factor."""
        return Steps(self.times, [value * factor for value in self.values])

    def after(self, time: float) -> float | None:
        """Return when the number changes next after ``time`` (s); None when it never does."""
        index = bisect_right(self.times, time)
        return self.times[index] if index < len(self.times) else None
