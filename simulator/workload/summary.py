"""What a trace is like, in figures: sizes, runs, tenants, when its jobs come, and the load that they make."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.workload.likeness import WINDOWS, dispersion, hour_profile, size_classes, weekday_profile
from simulator.workload.trace import DEFAULTS, Trace

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
QUANTILES = (5, 25, 50, 75, 90, 95, 99)
_DAY = 86400.0
_NO_NAME = "(none)"

Facts = dict[str, Any]


def summary(trace: Trace) -> Facts:
    """Return all that ``Trace.describe`` says, and more, in SI units.

    ``durations`` (mean, p5 to p99, max), ``sizes`` (jobs and accelerator-seconds by number of accelerators),
    ``tenants`` (likewise, busiest first), ``states`` and ``models`` (jobs by name), ``dispersion`` of arrivals by
    window, ``hours`` and ``weekdays`` (arrival rate over its mean; None without dates where days would mean nothing),
    ``holds`` (jobs for which the trace says more than runs and sizes, by column), and which rows were set aside why.
    """
    submit = trace.columns["submit"]
    days = trace.span / _DAY if trace.origin is not None else 0.0
    return {
        "name": trace.name,
        "origin": None if trace.origin is None else str(trace.origin),
        **trace.describe(),
        "durations": _quantiles(trace.columns["duration"]),
        "sizes": sizes(trace),
        "tenants": _shares(trace, "tenant"),
        "users": len({user for user in trace.columns["user"].tolist() if user}) if "user" in trace.columns else 0,
        "states": _counts(trace, "state"),
        "models": _counts(trace, "model"),
        "dispersion": {name: dispersion(submit, window) for name, window in WINDOWS.items()},
        "hours": hour_profile(trace).tolist() if days >= 1 else None,
        "weekdays": weekday_profile(trace).tolist() if days >= len(WEEK) else None,
        "holds": _holds(trace),
        "rows_read": trace.rows_read,
        "set_aside": {part.reason: part.count for part in trace.set_aside},
        "notes": list(trace.notes),
    }


def load(trace: Trace, accelerators: float) -> Facts:
    """Return what the trace is to a cluster of so many accelerators.

    ``load``: accelerator-seconds over those that there are from the first submission to the last; ``hourly_peak``: the
    same of the busiest hour, by the work submitted in it; ``oversize``: jobs that ask for more than there are.
    """
    work = trace.columns["accelerators"] * trace.columns["duration"]
    hour = (trace.columns["submit"] // 3600.0).astype(np.int64) if len(trace) else np.zeros(0, dtype=np.int64)
    _, place = np.unique(hour, return_inverse=True)
    peak = float(np.bincount(place, weights=work).max()) if len(trace) else math.nan
    whole = accelerators * trace.span
    return {
        "accelerators": accelerators,
        "load": float(work.sum()) / whole if whole else math.nan,
        "hourly_peak": peak / (accelerators * 3600.0) if accelerators else math.nan,
        "oversize": int(np.sum(trace.columns["accelerators"] > accelerators)),
    }


def sizes(trace: Trace) -> dict[str, Facts]:
    """Return jobs and accelerator-seconds by size: none, shares, 1, 2, 3-4, 5-8, ... accelerators."""
    asked = trace.columns["accelerators"]
    work = asked * trace.columns["duration"]
    return {
        name: {"jobs": int(mask.sum()), "accelerator_seconds": float(work[mask].sum())}
        for name, mask in size_classes(asked).items()
    }


def _quantiles(values: np.ndarray) -> Facts:
    if not len(values):
        return {}
    between = np.percentile(values, QUANTILES).tolist()
    names = [f"p{part}" for part in QUANTILES]
    return {"mean": float(values.mean()), **dict(zip(names, between, strict=True)), "max": float(values.max())}


def _shares(trace: Trace, column: str) -> dict[str, Facts]:
    """Jobs and accelerator-seconds by the names of a column, most accelerator-seconds first; empty without names."""
    if column not in trace.columns:
        return {}
    work = (trace.columns["accelerators"] * trace.columns["duration"]).tolist()
    jobs: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for name, each in zip(trace.columns[column].tolist(), work, strict=True):
        jobs[name] = jobs.get(name, 0) + 1
        seconds[name] = seconds.get(name, 0.0) + each
    if list(jobs) == [""]:
        return {}
    busiest = sorted(jobs, key=lambda name: (-seconds[name], -jobs[name], name))
    return {name or _NO_NAME: {"jobs": jobs[name], "accelerator_seconds": seconds[name]} for name in busiest}


def _counts(trace: Trace, column: str) -> dict[str, int]:
    """Jobs by the names of a column, most frequent first."""
    counts: dict[str, int] = {}
    for name in trace.columns[column].tolist() if column in trace.columns else ():
        if name:
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _holds(trace: Trace) -> dict[str, int]:
    """For how many jobs a column says something else than what holds where a trace does not say."""
    counts = {}
    for name, default in DEFAULTS.items():
        if name in trace.columns:
            counts[name] = sum(value != default for value in trace.columns[name].tolist())
    return {name: count for name, count in counts.items() if count}
