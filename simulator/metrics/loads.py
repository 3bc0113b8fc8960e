"""Measures of loads and of data jobs, of what came from the warm-up on.

Waits of a load are linear between the rows of the table ``waits``, so shares and quantiles are exact. Where requests
come at random, a share ``chance`` of a row waits exponentially with mean ``delay`` besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simulator.metrics.measure import Measure, ratio
from simulator.metrics.statistics import mean
from simulator.metrics.window import Window, number

_HALVINGS = 100
"""Of an interval that holds a quantile: more than a 64-bit float can tell apart."""


class Waited(NamedTuple):
    """Demand by its wait: rows of ``amount`` requests whose waits are linear from ``first`` to ``last`` (s)."""

    amount: np.ndarray
    first: np.ndarray
    last: np.ndarray
    chance: np.ndarray
    delay: np.ndarray
    slo: np.ndarray
    """Bound on the wait (s); infinite without one."""
    served: np.ndarray

    def where(self, mask: np.ndarray) -> Waited:
        """Only the rows of a mask."""
        return Waited(*(column[mask] for column in self))

    def within(self, seconds: np.ndarray | float) -> np.ndarray:
        """Share of each row that waits at most so long."""
        low, high = np.minimum(self.first, self.last), np.maximum(self.first, self.last)
        span = high - low
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            part = np.divide(seconds - low, span, out=np.where(seconds >= low, 1.0, 0.0), where=span > 0)
            late = np.where(self.chance > 0, self.chance * np.exp(-np.asarray(seconds) / self.delay), 0.0)
        return np.asarray(np.clip(part, 0.0, 1.0) * (1.0 - late))

    def mean(self) -> float:
        """Mean wait (s); NaN without demand."""
        return ratio(float(self.amount @ ((self.first + self.last) / 2 + self.chance * self.delay)), self.total)

    @property
    def total(self) -> float:
        """Requests of all rows."""
        return float(self.amount.sum())

    def quantile(self, probability: float) -> float:
        """The shortest wait (s) that so large a share of the demand does not exceed; NaN without demand."""
        total = self.total
        if not total > 0:
            return math.nan

        def reached(seconds: float) -> bool:
            return float(self.amount @ self.within(seconds)) >= probability * total * (1 - 1e-12)

        low, high = 0.0, max(1e-9, float(np.maximum(self.first, self.last).max()))
        if reached(low):
            return low
        while not reached(high):
            high *= 2
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if reached(middle) else (middle, high)
        return high


def waited(window: Window) -> Waited:
    """How long the demand of all loads waited, of what came from the warm-up on."""
    since, until, amount, first, last, chance, delay = (
        window.column("waits", name) for name in ("since", "until", "amount", "first", "last", "chance", "delay")
    )
    names, fate = window.column("waits", "workload"), window.column("waits", "fate")
    span = until - since
    cut = np.clip(np.divide(window.warmup - since, span, out=np.zeros(len(span)), where=span > 0), 0.0, 1.0)
    bounds = {name: number(facts.get("slo"), math.inf) for name, facts in _of_kind(window, "load").items()}
    slo = np.array([bounds.get(name, math.inf) for name in names.tolist()], dtype=np.float64)
    rows = Waited(
        amount * (1 - cut), first + cut * (last - first), last, chance, delay, slo, np.asarray(fate == "served", bool)
    )
    return rows.where((until > window.warmup) & (rows.amount > 0))


def _of_kind(window: Window, kind: str) -> dict[str, dict[str, object]]:
    told = dict(window.record.facts.get("fleets") or {})
    return {name: facts for name, facts in told.items() if facts.get("kind") == kind}


def _attainment(window: Window) -> float:
    rows = waited(window)
    promised = rows.where(rows.slo < math.inf)
    kept = promised.where(promised.served)
    return ratio(float(kept.amount @ kept.within(kept.slo)), promised.total)


def _served(estimate: Callable[[Waited], float]) -> Callable[[Window], float]:
    def of_run(window: Window) -> float:
        rows = waited(window)
        return estimate(rows.where(rows.served))

    return of_run


def _utilization(window: Window) -> float:
    found = _of_kind(window, "load").values()
    busy, ready = (math.fsum(number(facts.get(key)) for facts in found) for key in ("busy_seconds", "ready_seconds"))
    return ratio(busy, ready)


def _unserved(window: Window) -> float:
    rows = waited(window)
    return ratio(rows.where(~rows.served).total, rows.total)


def _jct(window: Window) -> float:
    submit, jct = window.column("applications", "submit"), window.column("applications", "jct")
    return mean(jct[(submit >= window.warmup) & ~np.isnan(jct)])


def _executor_hours(window: Window) -> float:
    seconds = window.column("applications", "executor_seconds")
    return float(seconds.sum()) / 3600.0 if len(seconds) else math.nan


LOADS: list[Measure] = [
    Measure(
        "load.attainment", "demand within its bound", "ratio", "higher",
        "share of the demand of loads with a bound that was served within it; what gave up or still waits was not",
        of_run=_attainment,
    ),
    Measure(
        "load.wait.mean", "mean wait of demand", "time", "lower", "mean wait of the demand of loads that was served",
        of_run=_served(Waited.mean),
    ),
    Measure(
        "load.wait.p99", "p99 wait of demand", "time", "lower",
        "99th percentile of the wait of the demand of loads that was served",
        of_run=_served(lambda rows: rows.quantile(0.99)),
    ),
    Measure(
        "load.utilization", "busy replicas of loads", "ratio", "",
        "demand that was served over what the replicas of loads could have served while they were ready, in "
        "replica-seconds, whole run", of_run=_utilization,
    ),
    Measure(
        "load.unserved", "demand not served", "ratio", "lower",
        "share of the demand of loads that gave up, or still waited at the end", of_run=_unserved,
    ),
    Measure(
        "app.jct.mean", "mean completion time of data jobs", "time", "lower",
        "mean time from submission to end of data jobs that ended", of_run=_jct,
    ),
    Measure(
        "app.executor_hours", "executor-hours", "count", "lower",
        "hours that executors of data jobs had their places, summed, whole run", of_run=_executor_hours,
    ),
]  # fmt: skip
"""Measures of loads and data jobs, in the order in which tables show them."""
