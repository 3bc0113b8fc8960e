"""Allocations over three types of accelerators: CPU time of one solution, and the published runs of Gavel in full.

``python benchmarks/bench_gavel.py [--jobs N] [--repeats N]``: CPU milliseconds of one solution of each objective for N
active jobs (500) on 36 V100, 36 P100 and 36 K80, and its ratio to a bare SimPy timeout measured in the same process;
"single" and "gangs" are jobs of one GPU, and of 1 to 8. Target: max-min fairness in 60 ms.

``python benchmarks/bench_gavel.py --published 4.4 5.2 [--policies max_min_fairness allox ...] [--execution ideal]
[--seeds 0 1 2]``: mean completion times (h) of jobs 4000 to 4999 at so many jobs an hour beside the published ones.
Minutes of CPU for each number.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

GPUS = (36, 36, 36)
TYPES = ("v100", "p100", "k80")


def problems(jobs: int, gangs: bool, count: int) -> list[Any]:
    """Active jobs of models drawn at random, at random points of their lives."""
    import numpy as np

    from simulator.core.rng import stream
    from simulator.policies.heterogeneity.problem import problem
    from simulator.workload.throughputs import table as throughputs

    paces, rng, found = throughputs("gavel"), stream(1, "bench.gavel"), []
    for _ in range(count):
        sizes = rng.choice([1, 2, 4, 8], jobs, p=[0.7, 0.1, 0.15, 0.05]).tolist() if gangs else [1] * jobs
        rows = []
        for size, length in zip(sizes, (60 * 10 ** rng.uniform(1.5, 4, jobs)).tolist(), strict=True):
            models = [name for name in paces.models(size) if paces.rate(name, size, "v100") > 0]
            model = models[int(rng.integers(0, len(models)))]
            whole = paces.steps(model, size, length)
            rows.append([paces.rate(model, size, kind) / whole for kind in TYPES])
        late = np.where(rng.random(jobs) < 0.3, rng.uniform(1e4, 1e6, jobs), np.inf)
        found.append(
            problem(
                np.array(rows), GPUS, sizes, remaining=rng.uniform(0.1, 1, jobs), elapsed=rng.uniform(0, 1e5, jobs),
                isolated=rng.uniform(0, 1e5, jobs), deadline=late, price=[2.48, 1.46, 0.45],
                entity=rng.integers(0, 5, jobs), entity_weight=[1, 2, 3, 4, 5],
            )
        )  # fmt: skip
    return found


def one(name: str, jobs: int, gangs: bool) -> dict[str, float]:
    """Measure one objective."""
    from simulator.policies.heterogeneity.objectives import objectives

    solve = objectives.get(name)
    first, *tasks = problems(jobs, gangs, 6)
    solve(first)

    def work() -> dict[str, Any]:
        for task in tasks:
            solve(task)
        return {"solutions": float(len(tasks))}

    return timed(work)


def solutions(jobs: int, repeats: int) -> None:
    """Print the table of solution times."""
    from simulator.policies.heterogeneity.objectives import objectives

    rows = []
    for name in objectives.names():
        for kind in ("single", "gangs"):
            found = in_fresh_processes(__file__, [name, "--jobs", str(jobs), "--kind", kind], repeats)
            each = found["seconds"] / found["solutions"]
            rows.append((name, kind, f"{each * 1e3:.1f}", f"{each / found['bare']:,.0f}"))
    print(f"{jobs} active jobs, 3 types, median of {repeats}")
    print(table(("objective", "jobs", "CPU ms", "bare timeouts"), rows))


def runs(rates: list[float], policies: list[str], seeds: list[int], execution: str) -> None:
    """Print mean completion times beside published ones."""
    import numpy as np

    from simulator.experiment.validation.heterogeneity import OURS, mean_completion, published

    rows = []
    for rate in rates:
        for policy in policies:
            options = {"execution": execution} if OURS[policy]["kind"] == "gavel" else {}
            start = time.process_time()
            found = float(np.mean([mean_completion(rate, policy, seed=seed, **options) for seed in seeds]))
            known = published().get((rate, policy), float("nan"))
            seconds = time.process_time() - start
            rows.append((rate, policy, f"{found:.2f}", f"{known:.2f}", f"{found / known - 1:+.1%}", f"{seconds:.0f}"))
            print(*rows[-1], file=sys.stderr, flush=True)
    print(f"mean JCT in h of jobs 4000 to 4999, {execution}, seeds {seeds}; published: seed 0, rounds")
    print(table(("jobs/h", "policy", "ours", "published", "error", "CPU s"), rows))


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--published", type=float, nargs="+", metavar="RATE")
    parser.add_argument("--policies", nargs="+", default=["max_min_fairness", "max_min_fairness_perf"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--execution", default="rounds")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--kind", default="single", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.jobs, options.kind == "gangs")))
    elif options.published:
        runs(options.published, options.policies, options.seeds, options.execution)
    else:
        solutions(options.jobs, options.repeats)


if __name__ == "__main__":
    main()
