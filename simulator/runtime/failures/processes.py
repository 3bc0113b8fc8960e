"""When which component fails next, drawn from a stream of its own so that nothing else can change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heapify, heapreplace
from typing import Protocol

import numpy as np

from simulator.runtime.failures.repair import Repair

_BLOCK = 256
"""Numbers that are drawn at a time."""


class Process(Protocol):
    """A stream of failures."""

    @property
    def time(self) -> float:
        """When the next one comes (s); infinite for none."""
        ...

    def take(self) -> tuple[int, float]:
        """Return which component fails at ``time`` and how long its repair takes (s), and go on to the next."""


class Steady:
    """Failures without memory: one clock for all components, each of which is chosen by its weight.

    Superposed Poisson processes are one Poisson process, so that the number of components costs nothing. Who is down
    fails in vain; who counts what happens leaves that out.
    """

    def __init__(self, rates: Sequence[float], repair: Repair, rng: np.random.Generator) -> None:
        self._bounds = np.cumsum(np.asarray(rates, dtype=float))
        self._mean = 1.0 / float(self._bounds[-1])
        self._repair, self._rng = repair, rng
        self._gaps: list[float] = []
        self._places: list[float] = []
        self.time = 0.0
        self._advance()

    def take(self) -> tuple[int, float]:
        """Return the component that fails at ``time`` and the seconds of its repair."""
        place = self._places.pop() * float(self._bounds[-1])
        found = min(int(np.searchsorted(self._bounds, place, side="right")), len(self._bounds) - 1)
        repair = self._repair.draw(self._rng)
        self._advance()
        return found, repair

    def _advance(self) -> None:
        if not self._gaps:
            self._gaps = self._rng.exponential(1.0, _BLOCK).tolist()[::-1]
            self._places = self._rng.random(_BLOCK).tolist()[::-1]
        self.time += self._gaps.pop() * self._mean


class Ageing:
    """Weibull lives: every component has its own, anew after each repair; a heap knows the next.

    ``outage`` seconds pass between a failure and the beginning of its repair.
    """

    def __init__(
        self, rates: Sequence[float], shape: float, repair: Repair, rng: np.random.Generator, outage: float = 0.0
    ) -> None:
        self._scales = [1.0 / rate / math.gamma(1.0 + 1.0 / shape) for rate in rates]
        self._shape, self._repair, self._rng, self._outage = shape, repair, rng, outage
        lives = (rng.weibull(shape, len(self._scales)) * np.asarray(self._scales)).tolist()
        self._heap: list[tuple[float, int]] = [(life, index) for index, life in enumerate(lives)]
        heapify(self._heap)

    @property
    def time(self) -> float:
        """When the next one fails (s)."""
        return self._heap[0][0]

    def take(self) -> tuple[int, float]:
        """Return the component that fails at ``time`` and the seconds of its repair."""
        now, index = self._heap[0]
        repair = self._repair.draw(self._rng)
        life = float(self._rng.weibull(self._shape)) * self._scales[index]
        heapreplace(self._heap, (now + self._outage + repair + life, index))
        return index, repair


class Listed:
    """Failures that are known: (time in s, component, seconds of repair), sorted by time."""

    def __init__(self, events: Sequence[tuple[float, int, float]]) -> None:
        self._events = sorted(events, key=lambda event: event[0])
        self._place = 0
        self.time = self._events[0][0] if self._events else math.inf

    def take(self) -> tuple[int, float]:
        """Return the component that fails at ``time`` and the seconds of its repair."""
        _, index, repair = self._events[self._place]
        self._place += 1
        self.time = self._events[self._place][0] if self._place < len(self._events) else math.inf
        return index, repair
