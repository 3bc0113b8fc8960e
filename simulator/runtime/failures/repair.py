"""How long repairs take."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

REPAIRS = ("fixed", "exponential", "lognormal", "weibull")


@dataclass(frozen=True, slots=True)
class Repair:
    """A law of repair times with ``mean`` seconds.

    ``spread`` is the standard deviation of the logarithm for ``lognormal`` (default 1: one in six takes longer than 2.7
    times the median; ours), and the shape for ``weibull`` (default 1, which is exponential).

    Raises ``ValueError`` that begins with the name of the number that makes no sense.

    >>> Repair(60.0).draw(np.random.default_rng(1))
    60.0
    """

    mean: float
    kind: str = "fixed"
    spread: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in REPAIRS:
            raise ValueError(f"kind is {self.kind!r}; it must be one of {', '.join(REPAIRS)}")
        if not 0 <= self.mean < math.inf:
            raise ValueError(f"mean is {self.mean:g} s; a repair takes a finite time, 0 or more")
        if not 0 < self.spread < math.inf:
            raise ValueError(f"spread is {self.spread:g}; it must be above 0")

    def draw(self, rng: np.random.Generator) -> float:
        """Return the seconds of one repair; takes one number from ``rng`` unless they are all alike."""
        if self.kind == "fixed":
            return self.mean
        if self.kind == "exponential":
            return float(rng.exponential(self.mean))
        if self.kind == "lognormal":
            return float(rng.lognormal(math.log(self.mean) - self.spread**2 / 2, self.spread)) if self.mean else 0.0
        return self.mean / math.gamma(1 + 1 / self.spread) * float(rng.weibull(self.spread))
