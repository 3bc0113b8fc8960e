"""A trace from one format to another, with an account of what is lost on the way.

What was written is read again and compared with what should stand there, so the account is that of the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.formats import read_trace, write_trace
from simulator.workload.requestlog import RequestLog
from simulator.workload.trace import DEFAULTS, Trace


class Loss(NamedTuple):
    """How many values of a column are not in the new file as they were, and in which way."""

    what: str
    values: int
    how: str


def convert(trace: Trace | RequestLog, path: str | Path, format: str) -> list[Loss]:
    """Write ``trace`` in a format, whole or not at all; return what the new file does not hold as the trace does.

    It is a trace of jobs or a log of requests, and so is what the format holds. Raises ``InputError`` for a format that
    can only be read, and for a trace that it cannot hold at all.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}")
    part = path.with_name(f".converting-{os.getpid()}-{path.name}")
    try:
        losses = _as_requests(trace, part, format) if isinstance(trace, RequestLog) else _as_jobs(trace, part, format)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return losses


def _as_jobs(trace: Trace, path: Path, format: str) -> list[Loss]:
    write_trace(trace, path, format)
    return compared(trace, read_trace(path, format))


def _as_requests(log: RequestLog, path: Path, format: str) -> list[Loss]:
    from simulator.workload.requestformats import read_requests, write_requests

    write_requests(log, path, format)
    after = read_requests(path, format)
    shift = float(log.columns["arrival"][0]) if len(log) else 0.0
    losses = []
    for name, column in log.columns.items():
        if name == "row":
            continue
        if name not in after.columns:
            losses.append(Loss(name, len(column), "left out"))
            continue
        moved = column - shift if name == "arrival" else column
        changed = sum(one != two for one, two in zip(moved.tolist(), after.columns[name].tolist(), strict=True))
        losses += [Loss(name, changed, "changed")] * (changed > 0)
    if log.origin is not None and after.origin is None:
        losses.append(Loss("dates", 1, "left out: times count from the first request"))
    return losses


def compared(before: Trace, after: Trace) -> list[Loss]:
    """Say in what the trace ``after``, of a file with one row for each job of ``before``, differs from that."""
    losses = []
    kept = after.columns["row"].astype(np.int64) - 1
    if len(after) < len(before):
        losses.append(Loss("jobs", len(before) - len(after), "not in the new file, or of 0 s there"))
    shift = float(before.columns["submit"][0]) if len(before) else 0.0
    for name in before.columns:
        if name != "row" and not (name == "id" and name not in after.columns):
            losses += _lost(name, _moved(name, before.columns[name], shift)[kept].tolist(), after)
    for name, default in DEFAULTS.items():
        if name in after.columns and name not in before.columns:
            gained = sum(value != default for value in after.columns[name].tolist())
            losses += [Loss(name, gained, "filled where the trace does not say")] * (gained > 0)
    if before.servers and before.servers != after.servers:
        losses.append(Loss("servers", len(before.servers), "left out"))
    if before.origin is not None and after.origin is None:
        losses.append(Loss("dates", 1, "left out: times count from the first job"))
    return losses


def _moved(name: str, column: np.ndarray, shift: float) -> np.ndarray:
    """Times as a new file has them, which count from its first job."""
    if not shift or name not in ("submit", "begin", "deadline"):
        return column
    moved: np.ndarray = np.maximum(column - shift, 0.0)
    return moved


def _lost(name: str, values: list[Any], after: Trace) -> list[Loss]:
    if name not in after.columns:
        blank = DEFAULTS.get(name, "")
        count = sum(value != blank for value in values)
        return [Loss(name, count, "left out")] * (count > 0)
    pairs = [(one, two) for one, two in zip(values, after.columns[name].tolist(), strict=True) if one != two]
    if not pairs:
        return []
    numbers = all(isinstance(value, int | float) and abs(value) < np.inf for pair in pairs for value in pair)
    far = f"changed by up to {max(abs(one - two) for one, two in pairs):.3g}" if numbers else "changed"
    return [Loss(name, len(pairs), far)]
