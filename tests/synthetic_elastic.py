"""A record of a service that is scaled, of nodes that come for it and of a failure, written down by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from simulator.experiment.results import Results
from simulator.metrics.recorder import DECLARED, Record
from tests.synthetic import manifest, table

NAN = math.nan
END = 4 * 3600.0
BOOT = (("create", 80.0), ("boot", 60.0), ("driver", 65.0))
START = (("image", 40.0), ("weights", 30.0))


def job(name: str, submit: float, start: float, end: float, **more: Any) -> tuple:
    """A row of the table of jobs: compute all the way unless told otherwise."""
    ran = (END if math.isnan(end) else end) - start if start == start else 0.0
    wait = start - submit if start == start else END - submit
    values: dict[str, Any] = {column.name: 0 for column in DECLARED["jobs"]}
    values |= {
        "id": name, "workload": "train", "tenant": "", "row": -1, "submit": submit, "start": start, "end": end,
        "wait": wait, "jct": end - submit, "slowdown": 1.0, "accelerators": 1.0, "servers": 1,
        "state": "UNFINISHED" if math.isnan(end) else "COMPLETED", "work": ran, "compute": ran, "user": "",
        "deadline": math.inf, "wait_capacity": wait,
    }  # fmt: skip
    values |= more
    values.setdefault("service", 0.0)
    values["service"] = more.get("service", values["accelerators"] * ran)
    return tuple(values.values())


def decision(
    time: float, controller: str, subject: str, action: str, before: float = NAN, wanted: float = NAN,
    applied: float = NAN, rule: str = "", runner_up: object = "", **inputs: Any,
) -> tuple:  # fmt: skip
    """A row of the table of decisions."""
    told = json.dumps(inputs) if inputs else ""
    return time, controller, subject, action, before, wanted, applied, rule, str(runner_up), told


def iteration(time: float, replica: int, seconds: float) -> tuple:
    """A row of the table of iterations: a stretch of computing of one replica of chat."""
    return time, "chat", replica, 1, seconds, 0.0, 1, 0, 0, 0.0, 1, 0, 0


def started(name: str, ready: float, count: int) -> list[tuple]:
    """Events of the start of a replica that took requests at ``ready`` as the ``count``-th."""
    (image, first), (weights, second) = START
    return [
        (ready - second, "cold-start", f"{name}: {image}", first), (ready, "cold-start", f"{name}: {weights}", second),
        (ready, "replica-ready", name, float(count)),
    ]  # fmt: skip


def booted(name: str, up: float) -> list[tuple]:
    """Events of a node that took work at ``up``."""
    ends = np.cumsum([seconds for _, seconds in BOOT]) + up - sum(seconds for _, seconds in BOOT)
    phases = [
        (float(end), "node-boot", f"{name}: {phase}", seconds) for end, (phase, seconds) in zip(ends, BOOT, strict=True)
    ]
    return [*phases, (up, "node-up", name, 2.0)]


def elastic_record(replication: int = 0, **facts: Any) -> Record:
    """Three replicas of chat, five from 3:00:00 on, which need a node of group od; a failure at 3:30:00.

    Nodes have two accelerators; od-0 and od-1 are there from the beginning, od-2 comes at 3:03:35. A training job runs
    on the fourth accelerator; it is stopped by the failure of od-1, and starts again.
    """
    events = [(0.0, "submit", f"chat/{i}", 1.0) for i in range(3)] + [
        (0.0, "start", f"chat/{i}", 1.0) for i in range(3)
    ]
    for count, name in enumerate(("chat/0", "chat/1", "chat/2"), 1):
        events += started(name, 70.0, count)
    events += [(600.0, "submit", "train-1", 1.0), (600.0, "start", "train-1", 1.0)]
    events += [(10800.0, "submit", "chat/3", 1.0), (10800.0, "submit", "chat/4", 1.0)]
    events += [(10810.0, "scale-up", "od", 1.0), *booted("od-2", 11015.0)]
    events += [(11015.0, "start", "chat/3", 1.0), (11015.0, "start", "chat/4", 1.0)]
    events += [*started("chat/3", 11085.0, 4), *started("chat/4", 11085.0, 5)]
    events += [
        (12600.0, "failure", "gpu od-1", 2.0), (12630.0, "detect", "gpu od-1", 30.0),
        (12630.0, "preempt", "train-1", 1.0), (12900.0, "start", "train-1", 1.0),
        (13200.0, "repair", "gpu od-1", 600.0),
        (13300.0, "replica-drain", "chat/4", 2.0), (13330.0, "end", "chat/4", 1.0), (13400.0, "scale-down", "od", 1.0),
        (13400.0, "node-down", "od-2", 2.0),
    ]  # fmt: skip
    events.sort(key=lambda row: row[0])
    decisions = [
        decision(0.0, "hpa", "chat", "scale", 3, 3, 3, "within tolerance", ratio=1.02),
        decision(10800.0, "hpa", "chat", "scale", 3, 6, 5, "TooManyReplicas", 4, ratio=1.87, target=0.6),
        decision(10810.0, "cluster-autoscaler", "od", "grow", 2, 3, 3, "least-waste", "spot", waste=0.25),
        decision(12630.0, "fifo", "train-1", "place", rule="first fit", runner_up="od-0"),
        decision(13300.0, "hpa", "chat", "scale", 5, 4, 4, "ScaleDownStabilized", ratio=0.7),
    ]
    replica = {"workload": "chat"}
    jobs = [
        *(job(f"chat/{i}", 0.0, 0.0, NAN, wait=0.0, wait_capacity=0.0, **replica) for i in range(3)),
        job("chat/3", 10800.0, 11015.0, NAN, **replica), job("chat/4", 10800.0, 11015.0, 13330.0, **replica),
        job("train-1", 600.0, 600.0, NAN, preemptions=1, failures=1, compute=12000.0, overhead=100.0, rework=1300.0,
            checkpointing=100.0, hung=30.0, wait=270.0, wait_capacity=270.0, service=13530.0),
    ]  # fmt: skip
    series = [
        (0.0, 0, 3, 3.0, 4.0, 4.0), (600.0, 0, 4, 4.0, 4.0, 4.0), (10800.0, 2, 4, 4.0, 4.0, 4.0),
        (10810.0, 2, 4, 4.0, 4.0, 6.0), (11015.0, 0, 6, 6.0, 6.0, 6.0), (12600.0, 0, 6, 4.0, 4.0, 6.0),
        (13200.0, 0, 6, 6.0, 6.0, 6.0), (13330.0, 0, 5, 5.0, 6.0, 6.0), (13400.0, 0, 5, 4.0, 4.0, 4.0),
    ]  # fmt: skip
    iterations = [iteration(0.0, 0, 14400.0), iteration(0.0, 1, 14400.0), iteration(7200.0, 2, 7200.0)]
    groups = {
        "od": {"price": 0.001, "accelerators": 2, "paid": 31.39, "nodes_mean": 31390.0 / END,
               "hours": {"boot": 205.0 / 3600, "busy": 30000.0 / 3600, "idle": 585.0 / 3600, "failed": 600.0 / 3600}},
        "spot": {"price": 0.0004, "accelerators": 2, "paid": 0.0, "nodes_mean": 0.0, "hours": {}},
    }  # fmt: skip
    service = {"accelerators": 1.0, "block": 16, "blocks": [], "classes": {}, "requests": 0,
               "accelerator_seconds": 48100.0, "busy_accelerator_seconds": 36000.0}  # fmt: skip
    known = {
        "end": END, "warmup": 0.0, "accelerators": 6, "seed": 7, "replication": replication, "notes": [],
        "set_aside": {}, "invariants": [], "topology": "od", "scheduler": "fifo", "cost": {"cloud": 31.39},
        "provisioned_seconds": 2 * 31390.0, "groups": groups, "services": {"chat": service},
    }  # fmt: skip
    tables = {
        "jobs": table("jobs", jobs), "flows": table("flows", []), "series": table("series", series),
        "events": table("events", events), "decisions": table("decisions", decisions),
        "requests": table("requests", []), "iterations": table("iterations", iterations),
    }  # fmt: skip
    return Record(tables, known | facts)


def swinging(periods: int = 36, period: float = 612.0, up: float = 240.0) -> Record:
    """An autoscaler of chat that goes from 3 to 5 and back after ``up`` seconds, again and again."""
    starts = np.arange(periods) * period
    rows = [
        row
        for t in starts.tolist()
        for row in (
            decision(t, "hpa", "chat", "scale", 3, 5, 5, "above", ratio=1.5),
            decision(t + up, "hpa", "chat", "scale", 5, 3, 3, "below", ratio=0.5),
        )
    ]
    record = elastic_record(end=periods * period, services={"chat": {}}, groups={}, cost={})
    tables = {name: table(name, []) for name in ("jobs", "flows", "series", "events")}
    return Record(tables | {"decisions": table("decisions", rows)}, record.facts)


def elastic_results(*alternatives: str, replications: int = 1) -> Results:
    """The record by hand as results; more alternatives and replications of the same if asked for."""
    records = {
        (name, number): elastic_record(number) for name in alternatives or ("plain",) for number in range(replications)
    }
    return Results(records, manifest(name="by hand", measures=["replica.hours"]))
