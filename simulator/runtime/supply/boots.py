"""How a node comes up: phases in a row, each a fixed time or one that is drawn; and nodes that wait prepared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["fixed", "exponential", "lognormal", "uniform"]
ACCELERATORS = "accelerators"
"""The phase in which a node is ready, but its accelerators cannot be allocated yet (device plugin, drivers)."""
PROVISION = 210.0
"""Seconds of a node from the request until it takes work where nobody says otherwise: the middle of the "3 to 4
minutes" on GCE in the FAQ of the Kubernetes cluster autoscaler."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a boot: its name, and its seconds as a law of mean ``mean``.

    ``spread`` is sigma of the logarithm for ``lognormal``, and half of the width for ``uniform``; it means nothing to
    the others. Raises ``ValueError`` for a law that makes no time.
    """

    name: str
    mean: float
    kind: Kind = "fixed"
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.mean < math.inf:
            raise ValueError(f"{self.name} is {self.mean:g} s; it must be a finite number, 0 or more")
        if not 0 <= self.spread < math.inf or (self.kind == "uniform" and self.spread > self.mean):
            raise ValueError(f"{self.name} has a spread of {self.spread:g} around {self.mean:g} s, {self.kind}")

    def draw(self, random: np.random.Generator) -> float:
        """Return the seconds of one node; a fixed phase draws nothing."""
        if self.kind == "exponential":
            return float(random.exponential(self.mean))
        if self.kind == "lognormal":
            median = self.mean * math.exp(-(self.spread**2) / 2)
            return float(median * math.exp(self.spread * random.standard_normal()))
        if self.kind == "uniform":
            return float(random.uniform(self.mean - self.spread, self.mean + self.spread))
        return self.mean


Boot = tuple[Phase, ...]
DEFAULT: Boot = (Phase("provision", PROVISION),)


def mean(boot: Boot) -> float:
    """Return the seconds that a boot takes in the mean.

    >>> mean((Phase("request", 5.0), Phase("boot", 20.0, "exponential")))
    25.0
    """
    return sum(phase.mean for phase in boot)


@dataclass(frozen=True, slots=True)
class Warm:
    """Nodes that wait prepared: ``nodes`` of them, each taken into service in ``start`` seconds.

    They are paid at ``price`` times the price of the group while they wait. Running ones draw power, stopped ones do
    not. One that is taken is replaced by another, which boots as any node does.
    """

    nodes: int
    state: Literal["running", "stopped"] = "stopped"
    start: float = 21.178
    price: float = 0.0
