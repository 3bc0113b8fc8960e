"""What a log of requests is like, in figures: when they come, their lengths, what they share, whom they wait for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.workload.likeness import dispersion, gap_cv, spearman
from simulator.workload.requestchains import chains
from simulator.workload.requesthashes import prefix_reuse
from simulator.workload.requestlog import RequestLog

QUANTILES = (5, 25, 50, 75, 90, 95, 99)
WINDOWS = {"1 s": 1.0, "10 s": 10.0, "1 min": 60.0, "10 min": 600.0}
"""Windows in which arrivals are counted, in seconds by name."""
NAMED = {"tenants": "tenant", "classes": "category", "adapters": "adapter", "models": "model"}
"""What is counted by name, and the column that it stands in."""
_NO_NAME = "(none)"

Facts = dict[str, Any]


def describe(log: RequestLog) -> dict[str, float]:
    """Return the figures that tell what kind of load this is.

    ``requests``; ``span`` (s, first arrival to last); ``rate`` (requests/s); ``gap.cv`` (variation of the gaps between
    arrivals, 1 for a Poisson process); ``dispersion.1 s`` to ``.10 min`` (variance over mean of counts in windows, 1
    for a Poisson process); ``input.mean``, ``output.mean`` (tokens) and their ``.p50``; ``tokens`` (prompts and answers
    per second); ``spearman`` (rank correlation of the two lengths). NaN where the log is too short to tell.
    """
    arrival, lengths = log.columns["arrival"], {name: log.columns[name] for name in ("input", "output")}
    span = log.span or math.nan
    few = not len(log)
    return {
        "requests": float(len(log)),
        "span": log.span,
        "rate": len(log) / span,
        "gap.cv": gap_cv(arrival),
        **{f"dispersion.{name}": dispersion(arrival, window) for name, window in WINDOWS.items()},
        **{f"{name}.mean": math.nan if few else float(column.mean()) for name, column in lengths.items()},
        **{f"{name}.p50": math.nan if few else float(np.median(column)) for name, column in lengths.items()},
        "tokens": float(lengths["input"].sum() + lengths["output"].sum()) / span,
        "spearman": spearman(lengths["input"], lengths["output"]),
    }


def summary(log: RequestLog) -> Facts:
    """Return all that ``describe`` says, and more, in SI units and tokens.

    ``inputs`` and ``outputs`` (mean, p5 to p99, max); ``reuse`` (what an unbounded prefix cache would find; None
    without hashes); ``chains`` (how many wait for others; None if nobody does); ``tenants``, ``classes``,
    ``adapters`` and ``models`` (requests by name, busiest first); ``sessions`` (how many); ``limits`` (requests that
    say how much they may generate); and which rows were set aside why.
    """
    parents = log.columns.get("parent")
    waits = chains(parents, len(log))
    reuse = prefix_reuse(log)
    limits = log.columns.get("limit")
    return {
        "name": log.name,
        "origin": None if log.origin is None else str(log.origin),
        **describe(log),
        "inputs": _quantiles(log.columns["input"]),
        "outputs": _quantiles(log.columns["output"]),
        "reuse": None
        if reuse is None or log.hashes is None
        else {"block": log.hashes.block, **reuse._asdict(), "share": reuse.share},
        "chains": waits._asdict() if waits.waiting else None,
        **{what: _counts(log, column) for what, column in NAMED.items()},
        "sessions": len(_counts(log, "session")),
        "limits": 0 if limits is None else int((limits > 0).sum()),
        "rows_read": log.rows_read,
        "set_aside": {part.reason: part.count for part in log.set_aside},
        "notes": list(log.notes),
    }


def _quantiles(values: np.ndarray) -> Facts:
    if not len(values):
        return {}
    between = np.percentile(values, QUANTILES).tolist()
    names = [f"p{part}" for part in QUANTILES]
    return {"mean": float(values.mean()), **dict(zip(names, between, strict=True)), "max": float(values.max())}


def _counts(log: RequestLog, column: str) -> dict[str, int]:
    """Requests by the names of a column, most frequent first; empty without names."""
    counts: dict[str, int] = {}
    for name in log.columns[column].tolist() if column in log.columns else ():
        counts[name] = counts.get(name, 0) + 1
    if list(counts) == [""]:
        return {}
    busiest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {name or _NO_NAME: count for name, count in busiest}
