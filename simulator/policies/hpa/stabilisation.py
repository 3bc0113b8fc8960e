"""What an autoscaler recommended of late, so that it follows neither every peak nor every lull."""

from __future__ import annotations

from collections import deque


class Recommendations:
    """Numbers recommended within two windows (seconds), of which growth takes the lowest and shrinking the highest.

    ``closed``: one that is as old as the window exactly counts, as without ``behavior`` (stabilizeRecommendation drops
    what is before the window); with it such a one does not (stabilizeRecommendationWithBehaviors takes what is after).
    A window of 0 s holds nothing but the newest. Times never go back.
    """

    def __init__(self, up: float, down: float, closed: bool = False) -> None:
        self._up, self._down, self._closed = up, down, closed and down > 0
        self._lowest: deque[tuple[float, int]] = deque()
        """Times and numbers of the window of growth that no later number undercuts, so the lowest first."""
        self._highest: deque[tuple[float, int]] = deque()
        """The same for shrinking: the highest first."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._highest)

    def clear(self) -> None:
        """Forget all: a new run begins."""
        self._lowest.clear()
        self._highest.clear()

    def add(self, now: float, wanted: int) -> tuple[int, int]:
        """Note what is recommended now; return the lowest of the window of growth, the highest of that of shrinking."""
        return self._low(now, wanted) if self._up else wanted, self._high(now, wanted)

    def _low(self, now: float, wanted: int) -> int:
        kept = self._lowest
        while kept and kept[-1][1] >= wanted:
            kept.pop()
        kept.append((now, wanted))
        if len(kept) > 1:
            self._expire(kept, now - self._up)
        return kept[0][1]

    def _high(self, now: float, wanted: int) -> int:
        kept = self._highest
        while kept and kept[-1][1] <= wanted:
            kept.pop()
        kept.append((now, wanted))
        if len(kept) > 1:
            self._expire(kept, now - self._down)
        return kept[0][1]

    def _expire(self, kept: deque[tuple[float, int]], cutoff: float) -> None:
        """Drop what is too old, short of the newest."""
        while len(kept) > 1 and (kept[0][0] < cutoff or (kept[0][0] == cutoff and not self._closed)):
            kept.popleft()
