"""Transfers between random servers of a fat-tree, from ``simulate_transfers`` to its table.

``python benchmarks/bench_transfers.py [--repeats N] [--plain]``: CPU time (median of fresh processes) with numba, whose
machine code is on disk after the first run, and without; its ratio to one bare SimPy timeout measured in the same
process; and how many transfers are on their way at the mean start or end. Targets with numba: 10,000 Poisson transfers,
some 2,000 of them on their way, on a k = 16 fat-tree of 1,024 servers in 10 s; 5,000 at once in 3 s. Without: within 8
times of that.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import in_fresh_processes, table, timed

CASES = ((8, 500, 0.0), (8, 2_000, 60.0), (8, 2_000, 0.0), (16, 5_000, 0.0), (16, 10_000, 470.0))
"""k of the fat-tree, transfers, arrivals per second (0: all at once)."""
HERE = ("plain", "numba")
SWITCH = "SIMULATOR_NUMBA"


def work(k: int, count: int, rate: float) -> tuple[Any, list[Any]]:
    """The topology, and transfers between random servers, of lognormal sizes: 1 s alone at the median."""
    import numpy as np

    from simulator.cluster.builders import builders
    from simulator.core.rng import stream
    from simulator.workload.jobs import Transfer

    tree = builders.get("fat-tree")(k=k)
    draw = stream(3, "transfers")
    start = np.cumsum(draw.exponential(1 / rate, count)) if rate else np.zeros(count)
    moves = []
    for at in start.tolist():
        src, dst = draw.choice(len(tree.servers), 2, replace=False)
        size = float(draw.lognormal(0.0, 1.0)) * 8 * 47.5e9
        moves.append(Transfer(src=f"node-{src}", dst=f"node-{dst}", bytes=size, start=at))
    return tree, moves


def one(k: int, count: int, rate: float) -> dict[str, float]:
    """Measure one run."""
    import pandas  # noqa: F401  # loading it is not what is measured

    from simulator.experiment.transfers import simulate_transfers
    from simulator.runtime.simulation import Simulation  # noqa: F401

    tree, moves = work(k, count, rate)
    tree.path("node-0", "node-1")

    def run() -> dict[str, float]:
        found = simulate_transfers(tree, moves)
        return {"active": on_their_way(found["start"].to_numpy(), found["end"].to_numpy())}

    return timed(run)


def on_their_way(start: Any, end: Any) -> float:
    """Transfers on their way at the mean start or end."""
    import numpy as np

    steps = np.concatenate([np.ones(len(start)), -np.ones(len(end))])
    order = np.argsort(np.concatenate([start, end]), kind="stable")
    return float(np.cumsum(steps[order]).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="measure without numba only")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        k, count, rate = options.one
        print(json.dumps(one(int(k), int(count), float(rate))))
        return
    rows = []
    for k, count, rate in CASES:
        seconds = {}
        for code in HERE[:1] if options.plain else HERE:
            # as a user has it: compiled once it pays
            os.environ[SWITCH] = "0" if code == "plain" else ""
            found = in_fresh_processes(__file__, [str(k), str(count), str(rate)], options.repeats)
            seconds[code] = found["seconds"]
            ratio = f"{found['seconds'] / count / found['bare']:,.0f}"
            arrivals = f"{rate:g} /s" if rate else "at once"
            cells = (f"{found['seconds']:.2f}", f"{found['seconds'] / count * 1e6:,.0f}", ratio)
            faster = f"{seconds['plain'] / found['seconds']:.1f}"
            rows.append((k, f"{count:,}", arrivals, f"{found['active']:,.0f}", code, *cells, faster))
    head = (
        "k",
        "transfers",
        "arrivals",
        "on their way",
        "code",
        "CPU s",
        "us each",
        "bare timeouts each",
        "times faster",
    )
    print(f"median of {options.repeats}")
    print(table(head, rows))


if __name__ == "__main__":
    main()
