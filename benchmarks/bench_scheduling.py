"""Queueing schedulers on clusters that are busy or crowded: CPU time and memory a job, with full recording.

``python benchmarks/bench_scheduling.py [--million] [--jobs N] [--repeats N] [--schedulers fifo ...] [--clusters ...]``.
Pools of 512, 2,048 and 10,000 accelerators, and ``servers``, 1,250 of 8. ``busy`` is a load of 0.85; ``crowded`` a load
of 1 behind a backlog of 10,000 jobs, so that about as many wait all the time. An event is a submission, a start, a stop
or an end; a job that is stopped often has many. Memory is Python's peak in a run of its own, on the second pool alone.
Targets: a million jobs in 20 s under FIFO, in 30 s under EASY and LAS; a crowded queue costs at most 1.5 times as much
a job; 100,000 jobs in 200 MiB, which is 2,097 bytes each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

BACKLOG = 10_000
CLUSTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "512": ("pool", {"accelerators": 512}),
    "2048": ("pool", {"accelerators": 2048}),
    "10000": ("pool", {"accelerators": 10_000}),
    "servers": ("servers", {"nodes": 1250, "node": "nvidia/dgx-h100"}),
}
TRACED = "2048"
SCHEDULERS = ["fifo", "easy-backfill", "las", "tiresias"]


def work(jobs: int, scheduler: str, cluster: str, crowded: bool) -> Any:
    """The run that is measured, ready to start: the trace is made, no job is."""
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
    if crowded:
        submit = trace.columns["submit"].copy()
        submit[: min(BACKLOG, jobs // 2)] = 0.0
        trace = replace(trace, columns=trace.columns | {"submit": submit})
    return Simulation(
        topology=topology, jobs=trace.jobs(), scheduler=schedulers.get(scheduler)(), placer=placers.get("pack")()
    )


def one(jobs: int, scheduler: str, cluster: str, crowded: bool) -> dict[str, float]:
    """Measure one run; memory in a second, traced one, because tracing costs time."""
    simulation = work(jobs, scheduler, cluster, crowded)
    facts = timed(lambda: {"events": float(len(simulation.run().tables["events"]["time"]))})
    if cluster != TRACED:
        return facts
    most = min(jobs, 100_000)
    simulation = work(most, scheduler, cluster, crowded)
    tracemalloc.start()
    record = simulation.run()
    return facts | {"bytes": tracemalloc.get_traced_memory()[1] / len(record.tables["jobs"]["id"])}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="a million jobs in each case")
    parser.add_argument("--jobs", type=int, default=2 * BACKLOG)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--schedulers", nargs="+", default=SCHEDULERS)
    parser.add_argument("--clusters", nargs="+", choices=list(CLUSTERS), default=["512", "2048", "10000"])
    parser.add_argument("--queues", nargs="+", choices=["busy", "crowded"], default=["busy", "crowded"])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        jobs, scheduler, cluster, state = options.one
        print(json.dumps(one(int(jobs), scheduler, cluster, state == "crowded")))
        return
    jobs = 1_000_000 if options.million else options.jobs
    rows = []
    for scheduler in options.schedulers:
        for state in options.queues:
            for cluster in options.clusters:
                found = in_fresh_processes(__file__, [str(jobs), scheduler, cluster, state], options.repeats)
                rows.append((scheduler, state, cluster, *_shown(jobs, found)))
    head = (
        "scheduler", "queue", "accelerators", "CPU s", "us a job", "bare timeouts a job", "jobs/s", "events a job",
        "us an event", "bytes a job",
    )  # fmt: skip
    print(f"{jobs:,} jobs, median of {options.repeats}")
    print(table(head, rows))


def _shown(jobs: int, found: dict[str, float]) -> tuple[str, ...]:
    """The figures of one case as texts."""
    seconds = found["seconds"]
    return (
        f"{seconds:.2f}",
        f"{seconds / jobs * 1e6:.1f}",
        f"{seconds / jobs / found['bare']:.0f}",
        f"{jobs / seconds:,.0f}",
        f"{found['events'] / jobs:.1f}",
        f"{seconds / found['events'] * 1e6:.1f}",
        f"{found['bytes']:.0f}" if "bytes" in found else "",
    )


if __name__ == "__main__":
    main()
