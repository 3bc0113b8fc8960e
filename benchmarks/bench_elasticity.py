"""Clusters that follow a demand, and clusters that fail: large ones, over days.

``python benchmarks/bench_elasticity.py [--repeats N]``: CPU time (median over fresh processes) of a run from what it is
told to its tables, and its ratio to one bare SimPy timeout measured in the same process. ``loads`` are 200 services of
about 50 replicas, each with a demand of its own that swings over the day, has Poisson noise, and changes every 15 s;
the horizontal pod autoscaler of Kubernetes looks at each every 15 s, and replicas of 4 cores are placed by fifo and
pack on 10,000 servers of 16 cores; ``loads, cloud pool`` are the same on instances with a network. ``training`` is one
job on 16,000 of 16,384 accelerators for 54 days, which fail as those of Llama 3 did. Target: 60 s for 24 h of loads.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

SERVICES, NODES, HOURS = 200, 10_000, 24
CPU = {"build": "fleet", "groups": [{"count": NODES, "accelerators": 0, "cores": 16}]}
CLOUD = {"build": "cloud-pool", "nodes": NODES, "node": "aws/p5", "link": "efa-v2"}


def loads(topology: dict[str, Any], cores: int) -> dict[str, Any]:
    """Services whose days begin at different hours; ``cores`` are those of a replica."""
    return {
        "name": "loads",
        "topology": topology,
        "workload": {
            f"s{number}": {
                "load": {"kind": "diurnal", "mean": "1500 /s", "amplitude": 0.5, "peak": f"{number % 24} h"},
                "noise": "poisson",
                "duration": f"{HOURS} h",
                "replica": {"rate": "50 /s", "cores": cores},
                "replicas": {"kind": "hpa", "metric": "busy", "target": 0.6, "max": 500, "initial": 50},
                "cold_start": {"image": "20 s"},
                "slo": {"wait": "1 s"},
            }
            for number in range(SERVICES)
        },
        "run": {"until": f"{HOURS} h"},
    }


def training() -> dict[str, Any]:
    """One job of 16,000 accelerators that is stopped by failures and goes back to its last checkpoint."""
    return {
        "name": "training",
        "topology": {"build": "servers", "nodes": 2048, "node": "dgx-h100"},
        "workload": {"llama": {"jobs": [{"accelerators": 16_000, "duration": "60 d", "checkpoint": "30 min"}]}},
        "failures": {"gpu": {"component": "accelerator", "catalog": "llama3-gpu-all", "repair": "4 h"}},
        "run": {"until": "54 d", "restart": "10 min"},
    }


CASES = {
    "loads": lambda: loads(CPU, 4),
    "loads, cloud pool": lambda: loads(CLOUD, 48),
    "training": training,
}


def one(case: str) -> dict[str, float]:
    """Measure one run."""
    from simulator.metrics.measures import measure
    from simulator.scenario.build import build
    from simulator.scenario.spec import Scenario

    simulation = build(Scenario.from_dict(CASES[case]()))

    def run() -> dict[str, Any]:
        record = simulation.run()
        rows = {name: float(len(next(iter(columns.values())))) for name, columns in record.tables.items()}
        decided = rows.get("loads", 0.0)
        return {
            "starts": float((record.tables["events"]["event"] == "start").sum()),
            "changes": decided,
            "failures": measure(record, "failures"),
            "attainment": measure(record, "load.attainment"),
        }

    return timed(run)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one)))
        return
    rows = []
    for case in CASES:
        found = in_fresh_processes(__file__, [case], options.repeats)
        each = found["changes"] or found["starts"]
        rows.append(
            (
                case,
                f"{found['changes']:,.0f}",
                f"{found['starts']:,.0f}",
                f"{found['failures']:,.0f}",
                f"{found['attainment']:.4f}",
                f"{found['seconds']:.2f}",
                f"{found['seconds'] / found['bare']:,.0f}",
                f"{found['seconds'] / each / found['bare']:.0f}",
            )
        )
    head = (
        "case", "rows of loads", "starts", "failures", "attainment", "CPU s", "bare timeouts",
        "ratio a row or start",
    )  # fmt: skip
    print(f"median of {options.repeats}")
    print(table(head, rows))


if __name__ == "__main__":
    main()
