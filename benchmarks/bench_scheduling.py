"""Queueing policies on a busy and on an overloaded cluster: CPU time a job, beside one bare SimPy timeout.

``python benchmarks/bench_scheduling.py [--million] [--schedulers fifo easy-backfill ...] [--clusters pool servers]``.
The pool is one server of 2,048 accelerators, the servers are 1,250 of 8. ``busy`` is a load of 0.85; ``crowded`` a load
of 1 behind a backlog of 10,000 jobs, so that as many wait all the time. Targets: a million jobs in 20 s under FIFO, in
30 s under EASY and LAS; a crowded queue costs at most 1.5 times as much a job.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

BACKLOG = 10_000
CLUSTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "small": ("pool", {"accelerators": 512}),
    "pool": ("pool", {"accelerators": 2048}),
    "large": ("pool", {"accelerators": 10_000}),
    "servers": ("servers", {"nodes": 1250, "node": "nvidia/dgx-h100"}),
}


def work(jobs: int, scheduler: str, cluster: str, crowded: bool) -> Any:
    """The run that is measured, ready to start."""
    from simulator.cluster.builders import builders
    from simulator.policies.api import placers, schedulers
    from simulator.runtime.simulation import Simulation
    from simulator.workload.generate import generate

    kind, options = CLUSTERS[cluster]
    topology = builders.get(kind)(**options)
    sizes = {1: 0.7, 2: 0.1, 4: 0.1, 8: 0.1}
    load = 1.0 if crowded else 0.85
    trace = generate(
        "poisson", jobs=jobs, seed=1, accelerators=topology.accelerators, load=load, mean="1 h", size=sizes
    )
    made = list(trace.jobs())
    if crowded:
        for job in made[: min(BACKLOG, jobs // 2)]:
            job.submit = 0.0
    return Simulation(
        topology=topology, jobs=made, scheduler=schedulers.get(scheduler)(), placer=placers.get("pack")()
    )


def one(jobs: int, scheduler: str, cluster: str, crowded: bool) -> dict[str, float]:
    """Measure one run."""
    simulation = work(jobs, scheduler, cluster, crowded)
    return timed(lambda: {"rows": float(len(simulation.run().tables["events"]["time"]))})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="a million jobs instead of 100,000")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--schedulers", nargs="+", default=["fifo", "easy-backfill", "las"])
    parser.add_argument("--clusters", nargs="+", choices=list(CLUSTERS), default=["pool", "servers"])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        jobs, scheduler, cluster, state = options.one
        print(json.dumps(one(int(jobs), scheduler, cluster, state == "crowded")))
        return
    jobs = 1_000_000 if options.million else options.jobs
    rows = []
    for cluster in options.clusters:
        for scheduler in options.schedulers:
            costs = []
            for state in ("busy", "crowded"):
                found = in_fresh_processes(__file__, [str(jobs), scheduler, cluster, state], options.repeats)
                each = found["seconds"] / jobs
                costs.append(each / found["bare"])
                shown = (f"{found['seconds']:.2f}", f"{each * 1e6:.1f}", f"{each / found['bare']:.1f}")
                rows.append((cluster, scheduler, state, *shown, f"{costs[-1] / costs[0]:.2f}"))
    head = ("cluster", "scheduler", "queue", "CPU s", "us a job", "bare timeouts a job", "to busy")
    print(f"{jobs:,} jobs, median of {options.repeats}")
    print(table(head, rows))


if __name__ == "__main__":
    main()
