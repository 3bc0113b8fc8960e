"""Jobs with live contention on a k = 8 fat-tree of 128 DGX H100 (1,024 accelerators), load 0.8.

``python benchmarks/bench_contention.py [--jobs N] [--repeats N] [--fidelity NAME]``: CPU time for each placement
and oversubscription.
Jobs are like those of Philly, with more gangs (two in five ask for more than one accelerator, one in ten for more than
a server), and a fifth of the time of a gang is communication. Target: 20,000 jobs in 5 s.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

GANGS = {1: 0.6, 2: 0.1, 4: 0.1, 8: 0.1, 16: 0.06, 32: 0.03, 64: 0.01}


def one(jobs: int, placement: str, oversubscription: float, fidelity: str) -> dict[str, float]:
    """Measure one run."""
    from simulator.cluster.builders import builders
    from simulator.policies.api import placers, schedulers
    from simulator.runtime.simulation import Simulation
    from simulator.workload.generate import generate

    options = {"accelerators": 1024, "load": 0.8, "mean": "1 h", "duration": "lognormal", "cv": 2.0, "size": GANGS}
    trace = generate("poisson", jobs=jobs, seed=1, **options).with_communication(0.2)
    simulation = Simulation(
        topology=builders.get("fat-tree")(k=8, oversubscription=oversubscription),
        jobs=trace.jobs(),
        scheduler=schedulers.get("easy-backfill")(),
        placer=placers.get(placement)(),
        fidelity=fidelity,
    )

    def run() -> dict[str, float]:
        found = simulation.run().tables["jobs"]
        return {"spread": float((found["servers"] > 1).mean()), "slowed": float((found["network"]).sum())}

    return timed(run) | {"solves": float(simulation.fabric.solves)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fidelity", default="fluid", choices=("fluid", "steady", "flow"))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        jobs, placement, oversubscription = options.one
        print(json.dumps(one(int(jobs), placement, float(oversubscription), options.fidelity)))
        return
    rows = []
    for placement in ("pack", "spread", "topology"):
        for oversubscription in (1, 4):
            arguments = [str(options.jobs), placement, str(oversubscription), "--fidelity", options.fidelity]
            found = in_fresh_processes(__file__, arguments, options.repeats)
            each = found["seconds"] / options.jobs
            rows.append(
                (
                    placement,
                    f"{oversubscription}:1",
                    f"{found['seconds']:.2f}",
                    f"{each / found['bare']:.0f}",
                    f"{found['solves']:,.0f}",
                    f"{found['spread']:.0%}",
                )
            )
    head = ("placement", "oversubscription", "CPU s", "bare timeouts a job", "solves", "jobs on several servers")
    print(f"{options.jobs:,} jobs, fidelity {options.fidelity}, median of {options.repeats}")
    print(table(head, rows))


if __name__ == "__main__":
    main()
