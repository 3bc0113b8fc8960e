"""The integral of a number over time, kept up as it changes."""

from __future__ import annotations

from simulator.core.clock import Clock


class Area:
    """A number that changes by steps, and its integral from the start of the run on."""

    __slots__ = ("_area", "_clock", "_since", "value")

    def __init__(self, clock: Clock) -> None:
        self._clock, self._since, self._area = clock, 0.0, 0.0
        self.value = 0.0

    def move(self, change: float) -> None:
        """Change the number now."""
        now = self._clock.now
        self._area += self.value * (now - self._since)
        self._since = now
        self.value += change

    def until_now(self) -> float:
        """The integral up to now."""
        return self._area + self.value * (self._clock.now - self._since)
