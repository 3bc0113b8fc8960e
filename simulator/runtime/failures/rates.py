"""How often failures stop a job, from the servers that it is on."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from simulator.runtime.failures.blast import Component


class Rates:
    """Failures per second that take each server, as the sources of a run declare them.

    Components of one server are added up by server; of those that take several, each counts once for a job that is on
    any of them.
    """

    def __init__(self, servers: int) -> None:
        self._alone = np.zeros(servers)
        self._together: list[tuple[dict[int, None], float]] = []

    def add(self, component: Component, servers: Iterable[int], rate: float) -> None:
        """Count a component that fails ``rate`` times per second and takes ``servers`` with it."""
        taken = dict.fromkeys(servers)
        if len(taken) == 1:
            self._alone[next(iter(taken))] += rate
        elif taken:
            self._together.append((taken, rate))

    def of(self, servers: Iterable[int]) -> float:
        """Failures per second that take any of these servers."""
        chosen = list(dict.fromkeys(servers))
        total = float(self._alone[chosen].sum()) if chosen else 0.0
        return total + sum(rate for taken, rate in self._together if any(server in taken for server in chosen))

    @property
    def total(self) -> float:
        """Failures per second that take any server of all."""
        return float(self._alone.sum()) + sum(rate for _, rate in self._together)


def corrected(declared: float, total: float, seen: int, elapsed: float) -> float:
    """Return a rate (per second) that was declared, corrected by what was seen of all failures.

    ``total`` is the declared rate of all of them, ``seen`` how many came in ``elapsed`` seconds. The declared rate
    counts as much as one failure (the mean of a gamma distribution of shape 1, updated; ours): before the first failure
    it stands, and in the long run what was seen does.

    >>> corrected(2.0, 10.0, seen=0, elapsed=0.0), corrected(2.0, 10.0, seen=199, elapsed=9.9)
    (2.0, 4.0)
    """
    if not total > 0 or total == math.inf:
        return declared
    return declared * (1.0 + seen) / (1.0 + total * elapsed)
