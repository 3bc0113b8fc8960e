"""Autoscalers in closed loops whose ends are known: where they come to rest, and how long they take to act."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.core.rng import stream
from simulator.experiment.run import run
from simulator.experiment.validate import Row, row
from simulator.metrics.statistics import replicated

if TYPE_CHECKING:
    import pandas as pd

AREA = "elasticity"
HOUR = 3600.0
LOW, HIGH, RATE, TARGET = 290.0, 880.0, 50.0, 0.6
"""Demand in the first, the third hour and the second one, requests/s of one replica, and the share of them aimed at."""
LEVELS = {1: LOW, 2: HIGH, 3: LOW, 4: 0.0}
"""Hours of the day that end, and the demand in each, 1/s."""
_BOUNDS = {"min": 0, "max": 80, "initial": 10}
SCALERS: dict[str, dict[str, Any]] = {
    "hpa": {"metric": "busy", "target": TARGET, **_BOUNDS, "min": 2},
    "kpa": {"metric": "concurrency", "total": 1.0, "utilization": TARGET, **_BOUNDS},
    "target-tracking": {"metric": "busy", "target": TARGET, **_BOUNDS, "min": 2},
    "keda": {"metric": "outstanding", "threshold": TARGET, **_BOUNDS},
}
"""Autoscalers of replicas, each told to keep three fifths of the capacity busy."""


def loops() -> Iterator[Row]:
    """Replicas of a load that triples and falls back, and machines for jobs that come one by one."""
    for name, law, bound in (
        ("hpa", "ceil(n x ratio), tolerance 0.1; Kubernetes 1.33, horizontal pod autoscaling", 0.1),
        ("kpa", "concurrency over its target; Knative Serving, config-autoscaler", 0.0),
        ("target-tracking", "in proportion to the target; AWS Application Auto Scaling", 0.1),
        ("keda", "value over threshold, by the HPA; KEDA 2", 0.1),
    ):
        for end, demand in ((2, HIGH), (3, LOW)):
            case = f"{name}, {demand:g} requests/s on replicas of {RATE:g}"
            found = replicas(name, end * HOUR)
            yield row(AREA, case, "replicas at rest", "", math.ceil(demand / RATE / TARGET), law, found, bound)
    yield from _reactions()
    yield from _machines()


def _reactions() -> Iterator[Row]:
    """How long after a step of the demand the first replica is asked for, or let go."""
    source = "stabilizationWindowSeconds 300 s, sync 15 s; Kubernetes 1.33"
    yield _reaction("hpa, demand falls", "until replicas go", "hpa", 2, -1, 300.0, source, 15.0)
    source = "3 alarms of 1 min; AWS Application Auto Scaling"
    yield _reaction(
        "target-tracking, demand triples", "until replicas come", "target-tracking", 1, 1, 180.0, source, 60
    )
    source = "15 alarms of 1 min; AWS Application Auto Scaling"
    yield _reaction("target-tracking, demand falls", "until replicas go", "target-tracking", 2, -1, 900.0, source, 60.0)
    source = "cooldownPeriod 300 s, pollingInterval 30 s; KEDA 2"
    yield _reaction("keda, no demand any more", "until there are none", "keda", 3, 0, 300.0, source, 30.0)


def _reaction(
    case: str, measure: str, name: str, hour: int, sign: int, reference: float, source: str, interval: float
) -> Row:
    """Compare the seconds from a step of the demand to the first decision of one sign; 0 is the one for no replica."""
    rows = _decisions(name)
    rows = rows[rows["time"] > hour * HOUR]
    change = rows["applied"] - rows["before"]
    chosen = rows[(rows["applied"] == 0) & (rows["before"] > 0)] if not sign else rows[change * sign > 0]
    seconds = float(chosen["time"].iloc[0]) - hour * HOUR
    return row(AREA, case, measure, "s", reference, source, seconds, interval / reference)


def replicas(name: str, until: float) -> float:
    """Return the replicas that an autoscaler had asked for last before an instant (s)."""
    rows = _decisions(name)
    return float(rows.loc[rows["time"] < until, "applied"].iloc[-1])


@cache
def _decisions(name: str) -> pd.DataFrame:
    """Four hours under one autoscaler: its decisions."""
    steps = [[f"{(hour - 1) * HOUR:g} s", f"{demand:g} /s"] for hour, demand in LEVELS.items()]
    results = run(
        {
            "name": "loop",
            "topology": {"build": "fleet", "groups": [{"count": 20, "accelerators": 0, "cores": 16}]},
            "workload": {
                "shop": {
                    "load": {"kind": "steps", "steps": steps},
                    "duration": "4 h",
                    "replica": {"rate": f"{RATE:g} /s", "cores": 2},
                    "replicas": {"kind": name, **SCALERS[name]},
                    "cold_start": {"start": "20 s"},
                }
            },
        }
    )
    return results.decisions


_NODES, _GAP = 100, 900.0
"""Jobs that need a machine of their own, and the mean time between two (s)."""


def _machines() -> Iterator[Row]:
    """The Cluster Autoscaler on GCE: one machine for each job, asked for at the next scan."""
    gaps = stream(1, "validate.machines").exponential(_GAP, _NODES)
    submit = np.cumsum(gaps).tolist()
    jobs = [
        {"id": f"job-{index}", "submit": f"{time:.6f} s", "duration": "30 d", "accelerators": 1}
        for index, time in enumerate(submit)
    ]
    results = run(
        {
            "name": "machines",
            "topology": {"build": "fleet", "groups": [{"count": _NODES, "accelerators": 1}]},
            "workload": {"jobs": {"jobs": jobs}},
            "autoscaler": {"kind": "cluster-autoscaler"},
            "node_groups": {"gce": {"servers": {"first": 0}, "initial": 0, "boot": "gce"}},
            "run": {"until": f"{submit[-1] + HOUR:.0f} s"},
        }
    )
    source = "kubernetes/autoscaler, cluster-autoscaler/FAQ.md"
    asked = results.decisions
    asked = asked[asked["action"] == "grow"]
    grown = np.repeat(asked["time"].to_numpy(), (asked["applied"] - asked["before"]).astype(int))
    waits = replicated(grown - np.array(submit))
    case = "cluster-autoscaler, one machine for each of 100 jobs"
    yield row(AREA, case, "until asked for, mean", "s", 5.0, f"{source}: about 5 s", waits.mean, waits.half_width / 5)
    worst = max(0.0, float(np.max(grown - np.array(submit))) - 30.0)
    yield row(AREA, case, "until asked for, above 30 s", "s", 0.0, f"{source}: at most 30 s", worst, 0.0)
    table = results.jobs
    starts = (table["start"] - table["submit"]).to_numpy()
    yield row(AREA, case, "until it runs, mean", "s", 210.0, f"{source}: 3 to 4 min", float(starts.mean()), 30 / 210)
