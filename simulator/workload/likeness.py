"""How alike two workloads are: distances of their laws, swings of their arrivals, sizes against durations.

A generated workload is *like* a trace when a scheduler cannot tell them apart. That takes more than the right mean: the
laws of durations and sizes (Kolmogorov-Smirnov distance), of each tenant too; bursts on all scales of time (index of
dispersion of counts, Cox and Lewis 1966, *The Statistical Analysis of Series of Events*, section 4.5); hours and
weekdays; which sizes the accelerator time goes to; and whether large jobs are long ones (Spearman's rank correlation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from simulator.workload.trace import Trace

WINDOWS = {"1 s": 1.0, "1 min": 60.0, "1 h": 3600.0}
"""Windows in which arrivals are counted, in seconds by name."""
_HOUR = 3600.0
_DAY = 24 * _HOUR
_FEWEST = 2
"""Windows, gaps, jobs that a figure takes at least."""


class Likeness(NamedTuple):
    """One measure on two workloads.

    ``part`` is the tenant that it is of, or "all". ``distance`` is 0 for equals: the Kolmogorov-Smirnov distance of two
    laws or half the sum of the differences of two profiles, both up to 1; for a ratio scale (dispersion, variation,
    means) |ln(other / reference)|; for a correlation the absolute difference. NaN where one of them is too short.
    """

    measure: str
    part: str
    reference: float
    other: float
    distance: float


def ks_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the two-sample Kolmogorov-Smirnov distance: the largest difference of the distribution functions.

    NaN when a sample is empty.

    >>> import numpy as np
    >>> ks_distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    if not len(a) or not len(b):
        return math.nan
    at = np.unique(np.concatenate([a, b]))
    first, second = (np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (a, b))
    return float(np.abs(first - second).max())


def dispersion(submit: np.ndarray, window: float) -> float:
    """Return the index of dispersion of arrivals: variance over mean of the counts in windows of so many seconds.

    1 at all lengths for Poisson arrivals, above 1 where they clump. Windows are counted from the first arrival, whole
    ones only; ``submit`` (s) is sorted. NaN with fewer than two windows.

    >>> import numpy as np
    >>> dispersion(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), 2.0)
    0.0
    """
    if len(submit) < _FEWEST:
        return math.nan
    places = np.floor_divide(submit - submit[0], window)
    windows = float(places[-1])
    if windows < _FEWEST:
        return math.nan
    counts = np.unique(places[places < windows], return_counts=True)[1].astype(np.float64)
    mean = counts.sum() / windows
    return float((np.square(counts).sum() / windows - mean * mean) / mean)


def gap_cv(submit: np.ndarray) -> float:
    """Return the coefficient of variation of the gaps between arrivals; 1 for Poisson arrivals."""
    gaps = np.diff(submit)
    if len(gaps) < _FEWEST or not gaps.any():
        return math.nan
    return float(gaps.std() / gaps.mean())


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's rank correlation, ties at their mean rank; NaN when one of them does not vary.

    >>> import numpy as np
    >>> spearman(np.array([1.0, 2.0, 4.0]), np.array([1.0, 8.0, 9.0]))
    1.0
    """
    if len(a) < _FEWEST:
        return math.nan
    first, second = (_ranks(values) - (len(values) + 1) / 2 for values in (a, b))
    spread = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    return round(float((first * second).sum()) / spread, 12) if spread else math.nan


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def hour_profile(trace: Trace) -> np.ndarray:
    """Return the arrival rate in each hour of the day, over its mean; 24 numbers.

    Hours are those of the trace's clock, and count from its start where that has no date.
    """
    return _profile(trace, 24, 1)


def weekday_profile(trace: Trace) -> np.ndarray:
    """Return the arrival rate on each day of the week, over its mean; 7 numbers, Monday first.

    Days count from the start of the trace where its clock has no date.
    """
    return _profile(trace, 7, 24)


def _profile(trace: Trace, classes: int, hours: int) -> np.ndarray:
    """Mean number of arrivals in the hours of each class, so that classes seen more often do not count more."""
    begin = 0.0
    if trace.origin is not None:
        clock = trace.origin.time()
        begin = trace.origin.weekday() * _DAY + clock.hour * _HOUR + clock.minute * 60.0 + clock.second
    at = ((trace.columns["submit"] + begin) // _HOUR).astype(np.int64)
    if not len(at):
        return np.full(classes, math.nan)
    counts = np.bincount(at - at[0])
    kinds = (at[0] + np.arange(len(counts))) // hours % classes
    seen = np.bincount(kinds, minlength=classes)
    means = np.bincount(kinds, weights=counts, minlength=classes) / np.maximum(seen, 1)
    profile: np.ndarray = means / means[seen > 0].mean()
    return profile


def size_classes(accelerators: np.ndarray) -> dict[str, np.ndarray]:
    """Return which jobs ask for none, a share of one, 1, 2, 3-4, 5-8, ... accelerators: masks by name, if any do."""
    whole = np.ceil(np.log2(np.maximum(accelerators, 1.0))).astype(np.int64)
    kinds = np.where(accelerators >= 1, whole, np.where(accelerators > 0, -1, -2))
    return {_size_name(kind): kinds == kind for kind in np.unique(kinds).tolist()}


def size_shares(trace: Trace) -> dict[str, float]:
    """Return the share of all accelerator-seconds by size of job: shares of one, 1, 2, 3-4, 5-8, ... accelerators."""
    sizes, work = trace.columns["accelerators"], trace.columns["accelerators"] * trace.columns["duration"]
    total = float(work.sum())
    found = {name: float(work[mask].sum()) for name, mask in size_classes(sizes).items() if name != "none"}
    return {name: (part / total if total else math.nan) for name, part in found.items()}


def _size_name(kind: int) -> str:
    if kind < 0:
        return "below 1" if kind == -1 else "none"
    low, high = 2 ** (kind - 1) + 1 if kind > 0 else 1, 2**kind
    return str(high) if low >= high else f"{low}-{high}"


def describe(trace: Trace) -> dict[str, float]:
    """Return the figures that ``likeness`` compares, of one trace.

    ``dispersion.1 s``, ``.1 min``, ``.1 h``; ``gap.cv``; ``size_duration.spearman``; ``size.mean``; ``duration.mean``
    and ``.p50`` (s); ``work.mean`` (accelerator-seconds of a job); ``share.<size>`` of the accelerator time. NaN where
    the trace is too short to tell.
    """
    submit, sizes, durations = (trace.columns[name] for name in ("submit", "accelerators", "duration"))
    few = not len(trace)
    return {
        **{f"dispersion.{name}": dispersion(submit, window) for name, window in WINDOWS.items()},
        "gap.cv": gap_cv(submit),
        "size_duration.spearman": spearman(sizes, durations),
        "size.mean": math.nan if few else float(sizes.mean()),
        "duration.mean": math.nan if few else float(durations.mean()),
        "duration.p50": math.nan if few else float(np.median(durations)),
        "work.mean": math.nan if few else trace.accelerator_seconds / len(trace),
        **{f"share.{name}": share for name, share in size_shares(trace).items()},
    }


def likeness(reference: Trace, other: Trace, tenants: Mapping[str, str] | None = None) -> list[Likeness]:
    """Compare ``other`` with ``reference``; one row a measure.

    ``tenants`` says which tenant of ``other`` stands for which of the reference. Unless given, tenants of one name are
    compared, and where no name is common, those of equal rank by number of jobs.
    """
    rows = _laws(reference, other, "all")
    theirs, ours = describe(reference), describe(other)
    for measure in (name for name in theirs if not name.startswith("share.")):
        a, b = theirs[measure], ours[measure]
        far = abs(a - b) if measure.endswith("spearman") else _ratio(a, b)
        rows.append(Likeness(measure, "all", a, b, far))
    rows.append(_apart("hour profile", hour_profile(reference), hour_profile(other)))
    if reference.origin is not None and other.origin is not None:
        rows.append(_apart("weekday profile", weekday_profile(reference), weekday_profile(other)))
    shares = {name: None for each in (theirs, ours) for name in each if name.startswith("share.")}
    for name in shares:
        a, b = theirs.get(name, 0.0), ours.get(name, 0.0)
        rows.append(Likeness(name, "all", a, b, abs(a - b)))
    for theirs_name, ours_name in _pairs(reference, other, tenants).items():
        rows += _laws(reference.where(tenant=theirs_name), other.where(tenant=ours_name), theirs_name)
    return rows


def _laws(reference: Trace, other: Trace, part: str) -> list[Likeness]:
    rows = []
    for measure, column in (("durations", "duration"), ("sizes", "accelerators")):
        far = ks_distance(reference.columns[column], other.columns[column])
        rows.append(Likeness(f"KS of {measure}", part, 0.0, far, far))
    return rows


def _ratio(a: float, b: float) -> float:
    return abs(math.log(b / a)) if a > 0 and b > 0 else math.nan


def _apart(measure: str, a: np.ndarray, b: np.ndarray) -> Likeness:
    far = float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)
    return Likeness(measure, "all", 0.0, far, far)


def _pairs(reference: Trace, other: Trace, tenants: Mapping[str, str] | None) -> dict[str, str]:
    if tenants is not None:
        return dict(tenants)
    if "tenant" not in reference.columns or "tenant" not in other.columns:
        return {}
    theirs, ours = _by_rank(reference), _by_rank(other)
    common = [name for name in theirs if name in ours]
    return {name: name for name in common} if common else dict(zip(theirs, ours, strict=False))


def _by_rank(trace: Trace) -> list[str]:
    counts: dict[str, int] = {}
    for name in trace.columns["tenant"].tolist():
        counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))
