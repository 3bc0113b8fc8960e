"""What is known of a measure, and of a difference between two alternatives, from one run or from several."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from simulator.metrics.measure import Measure
from simulator.metrics.statistics import BATCHES, Interval, paired, replicated, sectioned
from simulator.metrics.window import Window

Runs = Mapping[int, Window]
"""The runs of one alternative, by replication."""

NO_DIFFERENCE = "no difference shown"
NO_INTERVAL = "no interval"
NO_VALUE = "no value"
CORRELATED = 0.5
"""Correlation between neighbouring batches from which on an interval is marked as resting on too short a run."""


_ROUNDING = 1e-11
"""Relative: values nearer to each other differ by the rounding of another order of sums."""


class Estimate(NamedTuple):
    """An interval and, in words, what it rests on or why there is no half width."""

    interval: Interval
    basis: str


class Difference(NamedTuple):
    """One row of a comparison: means of both sides, and the interval of the difference value - baseline."""

    alternative: str
    measure: str
    baseline: float
    value: float
    interval: Interval
    basis: str
    verdict: str

    @property
    def relative(self) -> float:
        """The difference as a share of the baseline; NaN when that is 0."""
        return self.interval.mean / abs(self.baseline) if self.baseline else math.nan


def estimate(measured: Measure, runs: Runs) -> Estimate:
    """Mean and half width over replications; of a single run, its value with the half width of batches of its rows."""
    values = [measured.value(window) for window in runs.values()]
    if len(values) > 1:
        return Estimate(replicated(values), f"{len(values)} replications")
    window = next(iter(runs.values()))
    parts = measured.batches(window)
    return _of_one_run(measured, values[0], parts, _count(measured, window), measured.subject)


def difference(name: str, measured: Measure, runs: Runs, baseline: Runs) -> Difference:
    """Compare run by run (same random numbers), or batch by batch of the same jobs when there is one run of each."""
    common = [replication for replication in runs if replication in baseline]
    values = [measured.value(runs[replication]) for replication in common]
    bases = [measured.value(baseline[replication]) for replication in common]
    if len(common) > 1:
        found = Estimate(paired(values, bases), f"{len(common)} paired replications")
    elif common:
        found = _of_two_runs(measured, runs[common[0]], baseline[common[0]], _apart(values[0], bases[0]))
    else:
        found = Estimate(Interval(math.nan, math.nan, 0), "no replication in common")
    count = len(common) or math.nan
    return Difference(
        name, measured.name, sum(bases) / count, sum(values) / count, *found, verdict(measured, found.interval)
    )


def _apart(value: float, base: float) -> float:
    """The difference; 0 where it is rounding."""
    return 0.0 if math.isclose(value, base, rel_tol=_ROUNDING, abs_tol=0.0) else value - base


def verdict(measured: Measure, interval: Interval) -> str:
    """Say what an interval of a difference shows: better, worse (or higher, lower), or nothing."""
    if math.isnan(interval.mean):
        return NO_VALUE
    if interval.covers_zero or interval.mean == 0.0:
        return NO_DIFFERENCE
    if math.isnan(interval.half_width):
        return NO_INTERVAL
    direction = "higher" if interval.mean > 0 else "lower"
    return {"": direction, direction: "better"}.get(measured.better, "worse")


def _of_two_runs(measured: Measure, ours: Window, theirs: Window, whole: float) -> Estimate:
    same = {"jobs": ours.same_jobs, "requests": ours.same_requests}.get(measured.subject)
    if measured.batched and same is not None and not same(theirs):
        return Estimate(Interval(whole, math.nan, 0), f"one run of other {measured.subject}: not paired")
    pairs = zip(measured.batches(ours), measured.batches(theirs), strict=True)
    noun = f"paired {measured.subject}"
    return _of_one_run(measured, whole, [a - b for a, b in pairs], _count(measured, ours), noun)


def _count(measured: Measure, window: Window) -> int:
    return len(measured.rows(window)) if measured.batched else 0


def _of_one_run(measured: Measure, whole: float, parts: list[float], count: int, noun: str) -> Estimate:
    interval = sectioned(whole, parts)
    if not measured.batched:
        basis = "one run"
    elif not parts:
        one = measured.subject.removesuffix("s" * (count == 1))
        basis = f"one run of {count:,} {one}, too few for batches ({BATCHES * measured.smallest:,} needed)"
    elif math.isnan(interval.half_width):
        basis = "one run with batches that have no value"
    else:
        late = f", correlated {interval.correlation:.2f}: a short run" if interval.correlation > CORRELATED else ""
        basis = f"{len(parts)} batches of {count // len(parts):,} {noun}{late}"
    return Estimate(interval, basis)
