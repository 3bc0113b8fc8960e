"""FIFO batch jobs on a pool of 2,048 accelerators at load 0.85, with full recording.

``python benchmarks/bench_fifo.py [--million] [--repeats N]``: CPU time (median over fresh processes), its ratio to one
bare SimPy timeout measured in the same process, and the peak of Python's memory a job. Targets: 100,000 jobs in 1 s, a
million in 10 s, under 1 KiB a job, cost a job flat within 1.5 from 10,000 to a million.
"""

from __future__ import annotations

import argparse
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

ACCELERATORS = 2048


def work(jobs: int, scheduler: str) -> Any:
    """The run that is measured, ready to start: the trace is made, nothing has run."""
    from simulator.cluster.builders import builders
    from simulator.policies.api import placers, schedulers
    from simulator.runtime.simulation import Simulation
    from simulator.workload.generate import generate

    sizes = {1: 0.7, 2: 0.1, 4: 0.1, 8: 0.1}
    trace = generate("poisson", jobs=jobs, seed=1, accelerators=ACCELERATORS, load=0.85, mean="1 h", size=sizes)
    return Simulation(
        topology=builders.get("pool")(accelerators=ACCELERATORS),
        jobs=trace.jobs(),
        scheduler=schedulers.get(scheduler)(),
        placer=placers.get("pack")(),
    )


def one(jobs: int, scheduler: str) -> dict[str, float]:
    """Measure one run; memory in a second, traced one, because tracing costs time."""
    simulation = work(jobs, scheduler)
    facts = timed(lambda: {"rows": float(len(simulation.run().tables["events"]["time"]))})
    traced = work(min(jobs, 100_000), scheduler)
    tracemalloc.start()
    record = traced.run()
    peak = tracemalloc.get_traced_memory()[1]
    return facts | {"bytes": peak / len(record.tables["jobs"]["id"])}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="a million jobs too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scheduler", default="fifo")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.scheduler)))
        return
    rows, costs = [], []
    for jobs in (10_000, 100_000, *((1_000_000,) if options.million else ())):
        arguments = [str(jobs), "--scheduler", options.scheduler]
        found = in_fresh_processes(__file__, arguments, options.repeats)
        each = found["seconds"] / jobs
        costs.append(each / found["bare"])
        rows.append(
            (
                f"{jobs:,}",
                f"{found['seconds']:.2f}",
                f"{each * 1e6:.1f}",
                f"{found['bare'] * 1e6:.2f}",
                f"{each / found['bare']:.1f}",
                f"{found['bytes']:.0f}",
            )
        )
    head = ("jobs", "CPU s", "us a job", "us a bare timeout", "ratio", "bytes a job")
    print(f"{options.scheduler}, median of {options.repeats}")
    print(table(head, rows))
    print(f"the last row costs {costs[-1] / costs[0]:.2f} times as much a job as the first")


if __name__ == "__main__":
    main()
