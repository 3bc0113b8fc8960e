"""What a measure is: a name, a unit, a meaning, and how it is made of one run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.metrics.display import Scale, scale
from simulator.metrics.statistics import BATCHES, SMALLEST_BATCH
from simulator.metrics.window import Jobs, Requests, Rows, Window


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; ``label`` is how a sentence calls it.

    ``better`` is ``lower``, ``higher`` or empty when neither is good in itself. Values are in ``si`` SI units of
    ``dimension``. One of four says how it is made: ``of_jobs`` from any set of jobs and ``of_requests`` from any set of
    requests, so that it can be batched; ``per_second`` is an amount that finished requests brought, over the seconds in
    which requests were served; ``of_run`` is of a whole run. ``smallest`` is the number of jobs or requests below which
    a batch says nothing about it; 0 if none ever does.
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
    of_requests: Callable[[Requests], float] | None = None
    per_second: Callable[[Requests], float] | None = None

    @property
    def unit(self) -> str:
        """The unit of the values: ``s``, ``jobs/s``, ``$`` ...; empty for counts and ratios."""
        units = {
            "time": "s", "frequency": "1/s", "money": "$", "price": "$/h", "energy": "kWh",
            "request rate": "requests/s", "token rate": "tokens/s", "token energy": "J",
        }  # fmt: skip
        return units.get(self.dimension, "")

    @property
    def subject(self) -> str:
        """What it is measured of: ``jobs``, ``requests``, or ``run`` where no part of a run has it."""
        if self.of_jobs is not None:
            return "jobs"
        return "run" if self.of_run is not None else "requests"

    def rows(self, window: Window) -> Rows:
        """The jobs or requests of a run that it is made of, in the order in which they came."""
        if self.subject == "jobs":
            return window.jobs
        return window.served if self.per_second is not None else window.requests

    def of(self, rows: Rows, window: Window) -> float:
        """The measure of some of its ``rows``; NaN where there are no requests at all."""
        if isinstance(rows, Jobs):
            assert self.of_jobs is not None
            return self.of_jobs(rows)
        assert isinstance(rows, Requests)
        if not len(window.asked):
            return math.nan
        if self.per_second is not None:
            return ratio(self.per_second(rows), window.serving)
        assert self.of_requests is not None
        return self.of_requests(rows)

    def value(self, window: Window) -> float:
        """The measure over one run; computed once for each window."""
        if self.name not in window.values:
            if self.of_run is not None:
                window.values[self.name] = self.of_run(window)
            else:
                window.values[self.name] = self.of(self.rows(window), window)
        return window.values[self.name]

    @property
    def batched(self) -> bool:
        """Whether parts of one run tell how sure it is."""
        return (self.of_jobs is not None or self.of_requests is not None) and self.smallest > 0

    def batches(self, window: Window, count: int = BATCHES) -> list[float]:
        """The measure on each of ``count`` batches of jobs or requests, in the order in which they came.

        Empty when it cannot be batched or they are too few.
        """
        if not self.batched or len(self.rows(window)) < count * self.smallest:
            return []
        key = (self.name, count)
        if key not in window.parts:
            window.parts[key] = [self.of(part, window) for part in self.rows(window).batches(count)]
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
