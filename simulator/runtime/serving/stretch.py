"""Iterations in a row, in closed form."""

from __future__ import annotations

import math


class Stretch:
    """Iterations in a row with the same sequences: their start, number, first duration and growth (s), and sums.

    ``count`` can be cut while they pass. ``moment(k)`` is when the k-th is over.
    """

    __slots__ = (
        "count",
        "first",
        "growth",
        "held",
        "prompt",
        "sequences",
        "stall",
        "stalled",
        "start",
        "tokens",
        "waiting",
    )

    def __init__(self, start: float, count: int, first: float, growth: float) -> None:
        self.start, self.count, self.first, self.growth = start, count, first, growth
        self.sequences = self.prompt = self.tokens = self.waiting = self.held = self.stalled = 0
        self.stall = 0.0

    def moment(self, iterations: int) -> float:
        """When so many of them are over."""
        return self.start + iterations * self.first + self.growth * (iterations * (iterations - 1) / 2)

    def boundary(self, time: float) -> int:
        """How many are over at the first boundary that is not before ``time`` (s); at least 1."""
        elapsed = time - self.start
        if elapsed <= self.first:
            return 1
        if self.growth > self.first * 1e-15:
            linear = self.first - self.growth / 2
            root = (math.sqrt(linear * linear + 2 * self.growth * elapsed) - linear) / self.growth
        else:
            root = elapsed / self.first
        count = max(1, math.ceil(root))
        while count > 1 and self.moment(count - 1) >= time:
            count -= 1
        while self.moment(count) < time:
            count += 1
        return count

    def over(self, time: float) -> int:
        """How many are over at ``time`` (s)."""
        if time >= self.moment(self.count):
            return self.count
        count = self.boundary(time)
        return count if self.moment(count) <= time else count - 1


def overtaken(lead: float, gain: float) -> int:
    """Iterations for which who leads by ``lead`` seconds is not overtaken by who gains ``gain`` in each."""
    return max(1, math.floor(lead / gain + 1e-12) + 1)
