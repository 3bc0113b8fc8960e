"""Which groups are not asked for nodes for a while, because they could not give any lately."""

from __future__ import annotations


class Backoff:
    """Lengthening pauses by name of group: ``first`` seconds, twice as long for each failure after it, up to ``last``.

    A failure during a pause begins the pause anew without lengthening it; ``forget`` seconds after the last failure it
    begins again with ``first``. Source: kubernetes/autoscaler, cluster-autoscaler/utils/backoff/exponential_backoff.go.
    """

    def __init__(self, first: float, last: float, forget: float) -> None:
        self._first, self._last, self._forget = first, last, forget
        self._groups: dict[str, tuple[float, float, float]] = {}
        """Length of the last pause, its end, and the time of the last failure."""

    def reset(self) -> None:
        """Forget all failures."""
        self._groups.clear()

    def fail(self, name: str, now: float) -> None:
        """Note that a group gave no node."""
        length = self._first
        known = self._groups.get(name)
        if known is not None and now - known[2] <= self._forget and known[1] < now:
            length = min(2 * known[0], self._last)
        self._groups[name] = (length, now + length, now)

    def until(self, name: str) -> float:
        """Return when the pause of a group ends; minus infinity for one that never failed."""
        known = self._groups.get(name)
        return float("-inf") if known is None else known[1]
