"""What requests waited for before their first start, by what went on meanwhile, as the tables tell it.

The time in the queue of each request is cut at the changes of the replicas that take prompts and at the iterations of
the replica that it was on. Nothing is guessed: what the tables do not tell is in no part but ``UNKNOWN``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.metrics.window import Requests, Window, number

NOWHERE, STARTING, COMING = "nowhere", "starting", "coming"
ADAPTER, BATCH, CACHE, COMPUTING, BOUNDARY, UNKNOWN = "adapter", "batch", "cache", "computing", "boundary", "unknown"
PARTS = {
    NOWHERE: "no replica had accelerators",
    STARTING: "no replica was ready, but some were starting",
    COMING: "some replicas were ready, and others waited for accelerators or were starting",
    ADAPTER: "the replica had no request in its queue: the adapter was being loaded",
    CACHE: "the free blocks of the KV cache were too few for a prompt",
    BATCH: "the batch took no more, though blocks and token budget were there",
    COMPUTING: "the replica computed prompts of others up to its token budget",
    BOUNDARY: "the iteration under way ended, and the one that was made up before the request came",
    UNKNOWN: "the tables do not tell",
}
"""The parts of the time in the queue, and what was the case while each passed."""
FULL = 0.9
"""Share of a replica's KV blocks from which on its cache is called full."""
_STATES = {
    "submit": "waiting", "preempt": "waiting", "start": "starting", "replica-ready": "ready", "replica-drain": "gone",
    "end": "gone", "timeout": "gone", "reject": "gone",
}  # fmt: skip
"""What an event makes of the replica that it names."""
_ROUNDING = 1e-9


class Replicas(NamedTuple):
    """Replicas that take prompts, from each of ``times`` (s) on: ready, starting, and waiting for accelerators."""

    times: np.ndarray
    ready: np.ndarray
    starting: np.ndarray
    waiting: np.ndarray


@dataclass
class Waits:
    """Time in the queue of requests that were not rejected, in request-seconds, by ``PARTS``."""

    total: float = 0.0
    """Request-seconds in the queue."""
    alive: float = 0.0
    """Request-seconds from arrival to end, the queue included."""
    parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    asked: int = 0
    never: int = 0
    """Requests that ended, or were left at the end of the run, without having started."""

    def share(self, part: str) -> float:
        """Share of the time in the queue; 0 without any."""
        return self.parts[part] / self.total if self.total > 0 else 0.0


def waits(windows: Sequence[Window], service: str) -> Waits:
    """What the requests of a service waited for, of all runs together."""
    found = Waits()
    for window in windows:
        there = window.requests.where(np.asarray(window.requests["workload"] == service, dtype=bool))
        there = there.where(~there["rejected"])
        since, until = queued(there)
        found.total += float((until - since).sum())
        found.alive += float((_over(there) - since).sum())
        found.asked += len(there)
        found.never += int(np.isnan(there["start"]).sum())
        held_up = unready(window, service, since, until)
        for part, seconds in held_up.items():
            found.parts[part] += float(seconds.sum())
        rest = until - since - sum(held_up.values())
        for part, amount in _at_replicas(window, service, there, since, until, rest).items():
            found.parts[part] += amount
    return found


def queued(requests: Requests) -> tuple[np.ndarray, np.ndarray]:
    """From when to when (s) each request was in the queue; whoever never started, as long as it was there."""
    return requests["arrival"], np.where(np.isnan(requests["start"]), _over(requests), requests["start"])


def _over(requests: Requests) -> np.ndarray:
    return np.where(np.isnan(requests["end"]), requests["arrival"] + requests["age"], requests["end"])


# -- replicas ---------------------------------------------------------------------------------------------------------


def replicas(window: Window, service: str) -> Replicas | None:
    """The replicas to which requests of a service go first, over time; None where the record does not say."""
    ids = _names(window, service)
    event, subject = window.column("events", "event"), window.column("events", "subject")
    known = np.zeros(len(event), dtype=bool)
    for name in _STATES:
        known |= np.asarray(event == name, dtype=bool)
    rows = [row for row in np.flatnonzero(known) if subject[row] in ids]
    if not any(event[row] == "replica-ready" for row in rows) and (not rows or any(event[r] == "start" for r in rows)):
        return None
    states: dict[str, str] = {}
    count = {"waiting": 0, "starting": 0, "ready": 0, "gone": 0}
    levels = [(0.0, 0, 0, 0)]
    for row in rows:
        before, after = states.get(subject[row], "gone"), _STATES[event[row]]
        states[subject[row]] = after
        count[before] -= 1
        count[after] += 1
        levels.append(
            (float(window.column("events", "time")[row]), count["ready"], count["starting"], count["waiting"])
        )
    times, *columns = (np.array(column) for column in zip(*levels, strict=True))
    last = np.append(np.diff(times) > 0, True)
    return Replicas(times[last], *(column[last] for column in columns))


def _names(window: Window, service: str) -> frozenset[str]:
    """The names of the replicas that requests of a service go to first, as jobs."""
    own = np.asarray(window.column("jobs", "workload") == service, dtype=bool)
    names = window.column("jobs", "id")[own].tolist()
    prompts = [name for name in names if name.startswith(f"{service}/prefill/")]
    return frozenset(prompts or names)


def unready(window: Window, service: str, since: np.ndarray, until: np.ndarray) -> dict[str, np.ndarray]:
    """Seconds of each span in which no replica had accelerators, none was ready, or others were coming."""
    found = replicas(window, service)
    if found is None:
        return dict.fromkeys((NOWHERE, STARTING, COMING), np.zeros(len(since)))
    none = found.ready == 0
    masks = {
        NOWHERE: none & (found.starting == 0),
        STARTING: none & (found.starting > 0),
        COMING: ~none & (found.starting + found.waiting > 0),
    }
    stops = np.append(found.times[1:], math.inf)
    return {
        part: _within(found.times[mask], np.minimum(stops[mask], max(window.end, found.times[-1])), since, until)
        for part, mask in masks.items()
    }


def _within(begin: np.ndarray, end: np.ndarray, since: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Seconds of each span ``since`` to ``until`` that lie in stretches ``begin`` to ``end`` that do not overlap."""
    if not len(begin):
        return np.zeros(len(since))
    knots = np.column_stack([begin, end]).ravel()
    knots = np.maximum.accumulate(knots)
    area = np.append(0.0, np.cumsum(np.diff(knots) * (np.arange(len(knots) - 1) % 2 == 0)))
    return np.asarray(np.maximum(np.interp(until, knots, area) - np.interp(since, knots, area), 0.0))


def idle(windows: Sequence[Window], service: str) -> float:
    """Share of their time that ready replicas did not compute while requests waited at any; NaN if that never was."""
    computed = there = 0.0
    for window in windows:
        found, rows = replicas(window, service), _rows(window, service)
        some = rows.waiting > 0
        if found is None or not some.any():
            continue
        order = np.argsort(rows.begin[some], kind="stable")
        begin, end = rows.begin[some][order], np.maximum.accumulate(rows.end[some][order])
        first = np.append(True, begin[1:] > end[:-1])
        begin, end = begin[first], end[np.append(first[1:], True)]
        computed += float(_within(begin, end, rows.begin, rows.end).sum())
        knots = np.append(found.times, max(window.end, float(found.times[-1])))
        area = np.append(0.0, np.cumsum(found.ready * np.diff(knots)))
        there += float((np.interp(end, knots, area) - np.interp(begin, knots, area)).sum())
    return 1.0 - computed / there if there > 0 else math.nan


# -- at a replica -----------------------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """Iterations of one service, in order of replica and time."""

    replica: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    longest: np.ndarray
    """Seconds of the longest single iteration of each row."""
    waiting: np.ndarray
    why: dict[str, np.ndarray]


def _rows(window: Window, service: str) -> _Rows:
    own = np.flatnonzero(window.column("iterations", "workload") == service)
    numbers = sorted(int(name.rpartition("/")[2]) for name in _names(window, service))
    own = own[np.isin(window.column("iterations", "replica")[own], numbers)]
    own = own[np.lexsort((window.column("iterations", "time")[own], window.column("iterations", "replica")[own]))]

    def column(name: str) -> np.ndarray:
        return window.column("iterations", name)[own]

    count, begin = column("count").astype(float), column("time")
    lasted = count * column("first") + column("growth") * (count * (count - 1.0) / 2.0)
    replica, waiting, prompt, held = column("replica"), column("waiting"), column("prompt"), column("held")
    facts = window.services.get(service, {})
    sizes = np.append(np.asarray(facts.get("blocks") or (), dtype=float), np.nan)
    blocks = sizes[np.minimum(replica, len(sizes) - 1)]
    of_service = np.asarray(window.requests["workload"] == service, dtype=bool)
    typical = float(window.requests["input"][of_service].mean()) if of_service.any() else 0.0
    tokens = prompt + column("sequences")
    spare = tokens.max(initial=0) - tokens >= typical
    free = (prompt == 0) | spare
    full = (held >= FULL * blocks) | (free & (blocks - held < math.ceil(typical / number(facts.get("block"), 1.0))))
    longest = np.maximum(column("first"), column("first") + column("growth") * (count - 1.0))
    why = {CACHE: full, BATCH: ~full & free, COMPUTING: ~full & ~free}
    return _Rows(replica, begin, begin + lasted, longest, waiting, why)


def _at_replicas(
    window: Window, service: str, there: Requests, since: np.ndarray, until: np.ndarray, rest: np.ndarray
) -> dict[str, float]:
    """Request-seconds of ``rest``, the time in which all replicas that were asked for took requests, by their cause."""
    rows = _rows(window, service)
    if (there["transfer"] > 0).any():
        return _in_proportion(rows, float(rest.sum()))
    found = dict.fromkeys(PARTS, 0.0)
    once = (there["attempts"] == 1) & (rest > 0)
    loading = np.asarray(there["adapter"] != "", dtype=bool)
    seen = np.zeros(len(there), dtype=bool)
    for replica in np.unique(rows.replica).tolist():
        own = rows.replica == replica
        for adapter in (False, True):
            mine = once & (there["replica"] == replica) & (loading == adapter)
            if mine.any():
                seen |= mine
                for part, amount in _at_one(rows, own, adapter, since[mine], until[mine], rest[mine]).items():
                    found[part] += amount
    found[UNKNOWN] += float(rest[~seen].sum())
    return found


def _at_one(
    rows: _Rows, own: np.ndarray, adapter: bool, come: np.ndarray, go: np.ndarray, rest: np.ndarray
) -> dict[str, float]:
    """Request-seconds at one replica, whose rows are ``own``, by their cause.

    What joins, joins at the first end of an iteration, or, where iterations are made up ahead, at the second. Whoever
    is still there then was not let in, or, with an ``adapter``, may not have been in the queue yet: that is sure where
    nobody waited as the next iteration began.
    """
    begin, end = rows.begin[own], rows.end[own]
    come = np.maximum(come, go - rest)  # the time before all replicas were there has its cause already
    before = np.searchsorted(begin, come, "right") - 1
    under_way = np.where(before >= 0, end[before], -math.inf) > come
    turn = np.where(under_way, np.minimum(end[before], come + rows.longest[own][before]), come)
    ahead = np.interp(turn, begin, np.arange(len(begin))).round().astype(int)
    turn = np.where(under_way & (np.abs(begin[ahead] - turn) <= _ROUNDING), turn + rows.longest[own][ahead], turn)
    turn = np.minimum(turn, go)
    found = {BOUNDARY: float((turn - come).sum())}
    sure = rows.waiting[own] > 0 if adapter else np.ones(len(begin), dtype=bool)
    for part, mask in rows.why.items():
        chosen = mask[own] & sure
        found[part] = float(_within(begin[chosen], end[chosen], turn, go).sum())
    left = float((go - turn).sum()) - math.fsum(found[part] for part in rows.why)
    if not adapter:
        return found | {UNKNOWN: max(0.0, left)}
    late = np.maximum(0.0, np.where(under_way, np.minimum(end[before], go) - turn, 0.0))
    late = np.where(sure[before] | ~under_way, 0.0, late)
    unsure = float(late.sum())
    return found | {UNKNOWN: unsure, ADAPTER: max(0.0, left - unsure)}


def _in_proportion(rows: _Rows, rest: float) -> dict[str, float]:
    """``rest`` in proportion to what went on while requests waited: of prompts computed apart no row says where."""
    weights = (rows.end - rows.begin) * rows.waiting  # none where nobody waited
    whole = float(weights.sum())
    if not whole > 0:
        return {BOUNDARY: rest}
    return {part: rest * float(weights[mask].sum()) / whole for part, mask in rows.why.items()}
