"""When each token of a request was there, worked out from the iterations of its replica."""

from __future__ import annotations

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
    for start, stop, fresh in _stays(record, f"{workload}: {id}", first + float(request["transfer"]), last, first):
        if fresh:
            times.append(np.array([start]))
        inside = ends[(ends > start) & (ends <= stop)]
        given = np.floor(advance * np.arange(1, len(inside) + 1) + _ROUNDING).astype(np.int64)
        times.append(np.repeat(inside, np.diff(given, prepend=0)))
    found: np.ndarray = np.concatenate(times)[:count]
    return found


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


def _stays(record: Record, subject: str, start: float, end: float, first: float) -> list[tuple[float, float, bool]]:
    """The stays of a request in the batch: from, to, and whether a token was there at the beginning (recomputed)."""
    events = record.tables["events"]
    mine = np.flatnonzero(events["subject"] == subject)
    stays: list[tuple[float, float, bool]] = []
    since, fresh, tokens = start, False, 0.0
    for row in mine:
        time, kind, amount = float(events["time"][row]), events["event"][row], float(events["amount"][row])
        if time < first:
            continue
        if kind == "evict":
            stays.append((since, time, fresh))
            since, fresh, tokens = end, False, amount
        elif kind == "resume":
            since, fresh = time, amount > tokens
    if since < end or fresh:  # the last token may be there as soon as it comes back
        stays.append((since, end, fresh))
    return stays
