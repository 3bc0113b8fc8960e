"""Training jobs for 30 simulated days on 1,024 H100, a hundred at a time, at each fidelity of contention.

``python benchmarks/bench_training.py [--days N] [--repeats N]``: CPU time on a leaf-spine network of 128 DGX H100 with
4:1 oversubscription. Jobs come at random (Poisson), take 4 to 32 accelerators and 8 h of computing on average, and
all-reduce their gradients in every iteration of 0.3 to 1.5 s; ``flow`` puts each of these on the clock, so it is
measured on one day.
Target: 30 days, fluid, in 5 s.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

DAY = 86400.0
SIZES = (4, 8, 16, 32)
SHARES = (0.45, 0.35, 0.13, 0.07)
MEAN = 30000.0


def jobs(days: float) -> Iterator:
    """Yield the jobs, a hundred running on average."""
    from simulator.core.rng import stream
    from simulator.workload.jobs import TrainingJob

    draws, now, number = stream(1, "bench-training"), 0.0, 0
    while True:
        now += draws.exponential(36000.0 / 100)
        if now > days * DAY:
            return
        compute, number = draws.uniform(0.3, 1.5), number + 1
        yield TrainingJob(
            id=f"{number}",
            submit=now,
            accelerators=float(draws.choice(SIZES, p=SHARES)),
            iterations=max(1, int(draws.exponential(MEAN) / compute)),
            compute=compute,
            gradient=float(draws.choice([0.5e9, 1e9, 2.6e9, 7e9])),
            overlap=float(draws.choice([0.0, 0.5])),
        )


def one(days: float, fidelity: str, placement: str) -> dict[str, float]:
    """Measure one run."""
    from simulator.cluster.builders import builders
    from simulator.policies.api import placers, schedulers
    from simulator.runtime.simulation import Simulation

    simulation = Simulation(
        topology=builders.get("leaf-spine")(nodes=128, nodes_per_leaf=8, spines=8, oversubscription=4),
        jobs=jobs(days),
        scheduler=schedulers.get("fifo")(),
        placer=placers.get(placement)(),
        fidelity=fidelity,
        until=days * DAY,
    )

    def run() -> dict[str, float]:
        record = simulation.run()
        series, found = record.tables["series"], record.tables["jobs"]
        span = series["time"][1:] - series["time"][:-1]
        together = float((series["running"][:-1] * span).sum() / span.sum())
        slowed = found["slowdown"][found["state"] == "COMPLETED"]
        return {"jobs": float(len(found["id"])), "together": together, "slowdown": float(slowed.mean())}

    return timed(run) | {"solves": float(simulation.fabric.solves)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        days, fidelity, placement = options.one
        print(json.dumps(one(float(days), fidelity, placement)))
        return
    rows = []
    for fidelity in ("fluid", "steady", "flow"):
        days = min(1.0, options.days) if fidelity == "flow" else options.days
        for placement in ("topology", "pack"):
            found = in_fresh_processes(__file__, [str(days), fidelity, placement], options.repeats)
            ratio = found["seconds"] / found["bare"]
            rows.append(
                (
                    fidelity,
                    placement,
                    f"{days:g}",
                    f"{found['jobs']:,.0f}",
                    f"{found['together']:.0f}",
                    f"{found['seconds']:.2f}",
                    f"{ratio:,.0f}",
                    f"{found['solves']:,.0f}",
                    f"{found['slowdown']:.3f}",
                )
            )
    head = ("fidelity", "placement", "days", "jobs", "at a time", "CPU s", "bare timeouts", "solves", "mean slowdown")
    print(f"median of {options.repeats}")
    print(table(head, rows))


if __name__ == "__main__":
    main()
