"""When each token of a request was there, worked out from the iterations of its replica."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.core.errors import InputError
from simulator.metrics.recorder import Record

_ROUNDING = 1e-9


def token_times(record: Record, workload: str, id: str) -> np.ndarray:
    """Seconds at which the tokens of one request were there, in order: as many as its ``generated``.

    Its first token is in its own row. After it, every iteration of its replica in which sequences decode gives it one
    (``advance`` of them with speculative decoding) while it is in the batch, which it leaves and comes back to by the
    events ``evict`` and ``resume``. Of a replica with several ranks it is taken to be in all iterations.

    Raises ``InputError`` when the record has no such request.
    """
    requests = record.tables.get("requests", {})
    rows = np.flatnonzero((requests["id"] == id) & (requests["workload"] == workload)) if requests else np.empty(0)
    if not len(rows):
        raise InputError(f"there is no request {id!r} of {workload!r} in this run")
    request = {name: column[rows[0]] for name, column in requests.items()}
    first, count = float(request["first_token"]), int(request["generated"])
    if np.isnan(first) or not count:
        return np.empty(0)
    last = float(request["end"]) if request["end"] == request["end"] else float(record.facts["end"])
    advance = float((record.facts.get("services") or {}).get(workload, {}).get("advance", 1.0))
    ends = _ends(record, workload, int(request["replica"]), first, last)
    times = [np.array([first])]
    for stay in _stays(record, f"{workload}: {id}", first, last, count):
        if stay.sampled == stay.sampled:
            times.append(np.array([stay.sampled]))
        steps = math.ceil(stay.tokens / advance - _ROUNDING)
        over = ends[ends <= stay.until][-steps:] if steps else ends[:0]
        given = np.minimum(np.floor(advance * np.arange(1, steps + 1) + _ROUNDING), stay.tokens).astype(np.int64)
        times.append(np.repeat(over, np.diff(given, prepend=0)[steps - len(over) :]))
    found: np.ndarray = np.concatenate(times)[:count]
    return found


class _Stay(NamedTuple):
    """A stay in the batch: when it ended (s), tokens that decoding gave in it, and when one was sampled before them."""

    until: float
    tokens: int
    sampled: float = math.nan


def _ends(record: Record, workload: str, replica: int, since: float, until: float) -> np.ndarray:
    """When the iterations of a replica in which sequences decode were over, from ``since`` to ``until`` (s)."""
    table = record.tables["iterations"]
    wanted = (table["workload"] == workload) & (table["replica"] == replica) & (table["sequences"] > 0)
    count = table["count"][wanted].astype(float)
    start, first, growth = (table[name][wanted] for name in ("time", "first", "growth"))
    over = start + count * first + growth * count * (count - 1) / 2
    near = (over > since) & (start <= until)
    parts = []
    for begin, number, seconds, more in zip(start[near], count[near], first[near], growth[near], strict=True):
        k = np.arange(1, int(number) + 1)
        parts.append(begin + k * seconds + more * (k * (k - 1) / 2))
    return np.concatenate(parts) if parts else np.empty(0)


def _stays(record: Record, subject: str, first: float, end: float, generated: int) -> list[_Stay]:
    """The stays of a request in the batch, by what it had when it left and when it came back."""
    events = record.tables["events"]
    stays: list[_Stay] = []
    had, sampled = 1, math.nan
    for row in np.flatnonzero(events["subject"] == subject):
        time, kind, tokens = float(events["time"][row]), events["event"][row], int(events["amount"][row])
        if time < first:
            continue
        if kind == "evict":
            stays.append(_Stay(time, tokens - had, sampled))
            had, sampled = tokens, math.nan
        elif kind == "resume" and tokens > had:  # its next token was sampled when all was computed again
            had, sampled = tokens, time
    stays.append(_Stay(end, max(0, generated - had), sampled))
    return stays
