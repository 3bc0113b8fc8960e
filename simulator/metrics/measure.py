"""What a measure is: a name, a unit, a meaning, and how it is made of one run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.metrics.display import Scale, scale
from simulator.metrics.statistics import BATCHES, SMALLEST_BATCH
from simulator.metrics.window import Jobs, Window


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; ``label`` is how a sentence calls it.

    ``better`` is ``lower``, ``higher`` or empty when neither is good in itself. Values are in ``si`` SI units of
    ``dimension``. ``of_jobs`` computes it from any set of jobs, so that it can be batched; ``of_run`` from a whole run.
    ``smallest`` is the number of jobs below which a batch says nothing about it.
    """

    name: str
    label: str
    dimension: str
    better: str
    meaning: str
    of_jobs: Callable[[Jobs], float] | None = None
    of_run: Callable[[Window], float] | None = None
    si: float = 1.0
    smallest: int = SMALLEST_BATCH

    @property
    def unit(self) -> str:
        """The unit of the values: ``s``, ``jobs/s``, ``$`` ...; empty for counts and ratios."""
        units = {"time": "s", "frequency": "1/s", "money": "$", "price": "$/h", "energy": "kWh"}
        return units.get(self.dimension, "")

    def value(self, window: Window) -> float:
        """The measure over one run; computed once for each window."""
        if self.name not in window.values:
            if self.of_jobs is not None:
                window.values[self.name] = self.of_jobs(window.jobs)
            else:
                assert self.of_run is not None
                window.values[self.name] = self.of_run(window)
        return window.values[self.name]

    def batches(self, window: Window, count: int = BATCHES) -> list[float]:
        """The measure on each of ``count`` batches of jobs; empty when it cannot be batched or jobs are too few."""
        if self.of_jobs is None or len(window.jobs) < count * self.smallest:
            return []
        key = (self.name, count)
        if key not in window.parts:
            window.parts[key] = [self.of_jobs(jobs) for jobs in window.jobs.batches(count)]
        return window.parts[key]

    def scale(self, values: Iterable[float]) -> Scale:
        """The unit in which ``values`` of this measure read best together; it takes SI values."""
        return scale((value * self.si for value in values), self.dimension)

    def difference_scale(self, values: Iterable[float]) -> Scale:
        """The unit for differences of this measure: percentage points (pp) for a share, else as ``scale``."""
        if self.dimension == "ratio":
            return scale(values, "points")
        return self.scale(values)

    def text(self, value: float) -> str:
        """One value for people.

        >>> Measure("wait", "wait", "time", "lower", "time in the queue").text(11520.0)
        '3.2 h'
        """
        return self.scale([value]).text(value * self.si)


def ratio(part: float, whole: float) -> float:
    """``part / whole``; NaN when ``whole`` is 0 or either is NaN.

    >>> ratio(1.0, 4.0), ratio(1.0, 0.0)
    (0.25, nan)
    """
    return part / whole if whole > 0 else math.nan
