"""Numbers of late: the highest within a window, and the mean."""

from __future__ import annotations

from collections import deque


class Highest:
    """The highest number of the last ``window`` seconds, the one just seen included; older ones do not count.

    >>> highest = Highest(60.0)
    >>> [highest.of(now, number) for now, number in ((0.0, 5), (30.0, 3), (59.0, 2), (60.0, 1), (90.0, 1))]
    [5, 5, 5, 3, 2]
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._seen: deque[tuple[float, int]] = deque()

    def reset(self) -> None:
        """Forget all numbers."""
        self._seen.clear()

    def stretch(self, window: float) -> None:
        """Have another window from now on."""
        self._window = window

    def of(self, now: float, number: int) -> int:
        """Take a number and return the highest of the window."""
        while self._seen and self._seen[-1][1] <= number:
            self._seen.pop()
        self._seen.append((now, number))
        while len(self._seen) > 1 and self._seen[0][0] <= now - self._window:
            self._seen.popleft()
        return self._seen[0][1]


class Average:
    """The mean of the numbers of the last ``window`` seconds, the one just seen included.

    >>> average = Average(6.0)
    >>> [average.of(now, number) for now, number in ((0.0, 8.0), (2.0, 4.0), (6.0, 0.0), (20.0, 1.0))]
    [8.0, 6.0, 2.0, 1.0]
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._seen: deque[tuple[float, float]] = deque()

    def reset(self) -> None:
        """Forget all numbers."""
        self._seen.clear()

    def of(self, now: float, number: float) -> float:
        """Take a number and return the mean of the window."""
        self._seen.append((now, number))
        while self._seen[0][0] <= now - self._window and len(self._seen) > 1:
            self._seen.popleft()
        return sum(value for _, value in self._seen) / len(self._seen)
