"""Records for tests, made by a twenty-line queue of gangs: consistent to the last event, and nothing of the engine."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.core.rng import stream
from simulator.experiment.results import Results
from simulator.metrics.recorder import DECLARED, Record

SCENARIO = "name: a synthetic comparison\nseed: 7\ntopology: {build: pool, accelerators: 8}\n"


def table(name: str, rows: list[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    """Arrays of the declared columns from rows of values."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(DECLARED[name])
    return {
        column.name: np.array(values, dtype=object if column.dtype == "str" else column.dtype)
        for column, values in zip(DECLARED[name], columns, strict=True)
    }


def record(
    jobs: int = 400,
    accelerators: int = 8,
    order: str = "fifo",
    seed: int = 7,
    replication: int = 0,
    until: float = math.inf,
    warmup: float = 0.0,
    network: float = 0.1,
    price: float = 2.0,
    largest: int = 4,
    **facts: Any,
) -> Record:
    """Run gangs on a pool, strictly in ``order`` (fifo or sjf), and record all of it.

    Jobs that ask for more than the pool are rejected; ``network`` is the share of running spent on the network,
    ``price`` the dollars per accelerator-hour, ``until`` the horizon in seconds.
    """
    rng = stream(seed, "synthetic", replication)
    submit = np.cumsum(rng.exponential(100.0, jobs)).tolist()
    size = rng.integers(1, largest + 1, jobs).tolist()
    run = rng.lognormal(5.0, 1.0, jobs).tolist()
    start, end = [math.nan] * jobs, [math.nan] * jobs
    state = ["UNFINISHED"] * jobs
    queue: list[int] = []
    running: list[tuple[float, int]] = []
    free, arrived, series, events = accelerators, 0, [(0.0, 0, 0, 0.0, accelerators, accelerators)], []
    while arrived < jobs or running:
        now = min(submit[arrived] if arrived < jobs else math.inf, running[0][0] if running else math.inf)
        if now > until:
            break
        while running and running[0][0] == now:
            job = heapq.heappop(running)[1]
            free, state[job], end[job] = free + size[job], "COMPLETED", now
            events.append((now, "end", f"job-{job}", size[job]))
        while arrived < jobs and submit[arrived] == now:
            events.append((now, "submit", f"job-{arrived}", size[arrived]))
            if size[arrived] > accelerators:
                state[arrived] = "REJECTED"
                events.append((now, "reject", f"job-{arrived}", size[arrived]))
            else:
                queue.append(arrived)
            arrived += 1
        queue.sort(key=(lambda job: run[job]) if order == "sjf" else None)
        while queue and size[queue[0]] <= free:
            job = queue.pop(0)
            free, start[job] = free - size[job], now
            heapq.heappush(running, (now + run[job], job))
            events.append((now, "start", f"job-{job}", size[job]))
        series.append((now, len(queue), len(running), accelerators - free, accelerators, accelerators))
    stop = until if math.isfinite(until) else max(end + submit)
    rows = []
    for job in range(arrived):
        started = not math.isnan(start[job])
        left = end[job] if state[job] == "COMPLETED" else (submit[job] if state[job] == "REJECTED" else stop)
        wait = (start[job] if started else left) - submit[job]
        ran = left - start[job] if started else 0.0
        jct = end[job] - submit[job]
        rows.append(
            (f"job-{job}", "research", f"team-{job % 3}", job + 1, submit[job], start[job], end[job], wait, jct,
             jct / run[job], size[job], 1, state[job], 0, run[job], ran * (1 - network), ran * network, 0.0, 0.0,
             0.0, 0.0, size[job] * ran, 0, wait, 0.0, 0.0, 0.0, 0.0, f"user-{job % 5}", math.inf, 0)
        )  # fmt: skip
    hours = stop * accelerators / 3600.0
    known = {
        "end": stop, "warmup": warmup, "accelerators": accelerators, "seed": seed, "replication": replication,
        "energy": hours * 3600.0 * 500.0, "cost": {"cloud": hours * price}, "notes": [], "set_aside": {},
        "invariants": [], "topology": "pool of 8", "scheduler": order,
    }  # fmt: skip
    tables = {
        "jobs": table("jobs", rows),
        "flows": table(
            "flows", [("t-0", "copies", "a", "b", 1e9, 0.0, 0.5), ("t-1", "copies", "a", "b", 1e9, 1.0, 3.0)]
        ),
        "series": table("series", series),
        "events": table("events", events),
    }
    return Record(tables, known | facts)


def manifest(**more: Any) -> dict[str, Any]:
    """What the experiment knows of itself."""
    return {"name": "a synthetic comparison", "scenario": SCENARIO, "hash": "0" * 64, "seed": 7, "overrides": []} | more


def results(replications: int = 1, alternatives: Mapping[str, Mapping[str, Any]] | None = None, **more: Any) -> Results:
    """A comparison of ``alternatives`` (name -> arguments of ``record``); fifo against sjf unless given."""
    chosen = alternatives or {"fifo": {"order": "fifo"}, "sjf": {"order": "sjf"}}
    about = {key: more.pop(key) for key in ("name", "scenario", "measures", "expect", "versions") if key in more}
    records = {
        (name, replication): record(replication=replication, **{**more, **arguments})
        for name, arguments in chosen.items()
        for replication in range(replications)
    }
    return Results(records, manifest(**about))
