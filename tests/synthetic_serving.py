"""Records of a service for tests, made by a one-at-a-time replica: consistent, and nothing of the engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.core.rng import stream
from simulator.experiment.results import Results
from simulator.metrics.recorder import REQUESTS, Record
from tests.synthetic import manifest, table

BLOCK, BLOCKS = 16, 1000
STATES = ("FINISHED", "REJECTED", "TIMEOUT", "UNFINISHED")
NEVER = math.nan


def request(name: str, arrival: float, start: float, first: float, end: float, output: int, **more: Any) -> tuple:
    """A row of the table of requests; finished unless ``state`` says otherwise."""
    done = more.get("state", "FINISHED") == "FINISHED"
    values: dict[str, Any] = {
        "id": name, "workload": "chat", "tenant": "", "class": "", "adapter": "", "session": "", "row": -1,
        "replica": 0, "input": 100, "output": output, "generated": output if done else 0, "cached": 0,
        "recomputed": 0, "preemptions": 0, "attempts": 1, "arrival": arrival, "start": start, "first_token": first,
        "end": end, "ttft": first - arrival,
        "tpot": (end - first) / (output - 1) if done and output > 1 else NEVER,
        "e2e": end - arrival if done else NEVER, "queue": start - arrival, "prefill": first - start, "transfer": 0.0,
        "stalled": 0.0, "decode": end - first, "slo_ttft": math.inf, "slo_tpot": math.inf, "slo_e2e": math.inf,
        "state": "FINISHED", "reason": "",
    }  # fmt: skip
    assert list(values) == [column.name for column in REQUESTS]
    return tuple((values | more).values())


def replica_job(number: int, start: float, end: float, stop: float, accelerators: float = 2.0) -> tuple:
    """The row of a replica in the table of jobs; ``end`` is NaN when it was still there at ``stop``."""
    ran = (stop if math.isnan(end) else end) - start
    state = "UNFINISHED" if math.isnan(end) else "COMPLETED"
    jct = end - start
    return (
        f"chat/{number}", "chat", "", -1, start, start, end, 0.0, jct, jct / ran, accelerators, 1, state, 0, ran, ran,
        0.0, 0.0, 0.0, 0.0, 0.0, accelerators * ran, 0, 0.0, 0.0, 0.0, 0.0, 0.0, "", math.inf, 0,
    )  # fmt: skip


def service_record(
    requests: int = 400, load: float = 0.5, seed: int = 7, replication: int = 0, speed: float = 1.0, **facts: Any
) -> Record:
    """One replica that serves a request at a time, in order of arrival; ``load`` is its offered load.

    Prompts take 1 ms a token, output tokens 20 ms, both over ``speed``. Every 40th request asks for too much and is
    rejected. Every second one is of the class interactive, with bounds of 1 s on TTFT and 50 ms on TPOT.
    """
    rng = stream(seed, "serving", replication)
    prompt = rng.integers(50, 400, requests)
    output = rng.integers(1, 120, requests)
    mean = float((prompt * 0.001 + (output - 1) * 0.02).mean())
    arrival = np.cumsum(rng.exponential(mean / load, requests))
    rows, iterations = [], []
    free = busy = 0.0
    for i in range(requests):
        came, tokens, length = float(arrival[i]), int(output[i]), int(prompt[i])
        about = {
            "input": length, "row": i + 1, "tenant": f"team-{i % 3}", "class": "interactive" if i % 2 else "batch",
            "slo_ttft": 1.0 if i % 2 else math.inf, "slo_tpot": 0.05 if i % 2 else math.inf,
        }  # fmt: skip
        if i % 40 == 39:
            gone = {"state": "REJECTED", "reason": "longer than the context", "replica": -1, "attempts": 0}
            rows.append(request(f"r-{i}", came, NEVER, NEVER, came, tokens, queue=0.0, **(about | gone)))
            continue
        start = max(came, free)
        first = start + length * 0.001 / speed
        free = first + (tokens - 1) * 0.02 / speed
        rows.append(request(f"r-{i}", came, start, first, free, tokens, **about))
        there = int(np.searchsorted(arrival, start, "right"))
        waiting = sum(j % 40 != 39 for j in range(i + 1, there))
        held = -(-length // BLOCK)
        iterations.append((start, "chat", 0, 1, first - start, 0.0, 0, length, 0, 0.0, 1, waiting, held))
        if tokens > 1:
            iterations.append(
                (first, "chat", 0, tokens - 1, 0.02 / speed, 0.0, 1, 0, 0, 0.0, tokens - 1, waiting, held)
            )
        busy += free - start
    end = max(free, float(arrival[-1]))
    service = {
        "accelerators": 2.0, "block": BLOCK, "blocks": [BLOCKS], "classes": {}, "accelerator_seconds": 2.0 * end,
        "busy_accelerator_seconds": 2.0 * busy, "requests": requests,
        "came": requests,
    }  # fmt: skip
    known = {
        "end": end, "warmup": 0.0, "accelerators": 4, "seed": seed, "replication": replication, "notes": [],
        "set_aside": {}, "invariants": [], "topology": "pool of 4", "scheduler": "fifo",
        "provisioned_seconds": 4.0 * end, "cost": {"cloud": 4.0 * end / 3600.0 * 2.0}, "energy": 4.0 * end * 300.0,
        "power": {"idle": 100.0, "busy": 500.0}, "services": {"chat": service},
    }  # fmt: skip
    series = [(0.0, 0, 1, 2.0, 4.0, 4.0)]
    events = [(0.0, "submit", "chat/0", 2.0), (0.0, "start", "chat/0", 2.0)]
    tables = {
        "jobs": table("jobs", [replica_job(0, 0.0, NEVER, end)]), "flows": table("flows", []),
        "series": table("series", series), "events": table("events", events),
        "requests": table("requests", rows), "iterations": table("iterations", iterations),
    }  # fmt: skip
    return Record(tables, known | facts)


def service_results(replications: int = 1, **alternatives: dict[str, Any]) -> Results:
    """A comparison of services; plain against fast unless given."""
    chosen = alternatives or {"plain": {}, "fast": {"speed": 2.0}}
    records = {
        (name, replication): service_record(replication=replication, **arguments)
        for name, arguments in chosen.items()
        for replication in range(replications)
    }
    return Results(records, manifest(name="a synthetic service"))
