"""Max-min fair sharing on fat-trees: one solve by each method of ``models.fairshare``.

``python benchmarks/bench_fairshare.py``: CPU time, medians. Where the two methods take as long is what ``_FEW`` of
``simulator/models/fairshare/solve.py`` is set to. ``--quick`` leaves out the large cases.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.models.fairshare.solve import _FEW, _by_heap, _by_rounds

COUNTS = (5, 10, 15, 20, 30, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def routes(tree: Topology, count: int) -> list[Any]:
    """``count`` distinct random routes with 1 to 4 flows each, as classes for the solver."""
    draw = stream(1, f"routes {count}")
    found: dict[tuple[int, ...], Any] = {}
    label = 0
    while len(found) < count:
        src, dst = draw.choice(len(tree.servers), 2, replace=False)
        route = tree.path(f"node-{src}", f"node-{dst}", label)
        flows = SimpleNamespace(
            links=route, usage=(1.0,) * len(route), count=float(draw.integers(1, 5)), limit=math.inf
        )
        found.setdefault(route, flows)
        label += 1
    return list(found.values())


def cpu(call: Callable[..., Any], *arguments: Any, seconds: float = 0.3) -> float:
    """Median CPU seconds of a call over as many repeats as fit into ``seconds``, at least 5."""
    taken: list[float] = []
    while len(taken) < 5 or sum(taken) < seconds:
        start = time.process_time()
        call(*arguments)
        taken.append(time.process_time() - start)
    return median(taken)


def crossing(links: Sequence[int], heap: Sequence[float], rounds: Sequence[float]) -> float:
    """Links at which both methods take as long, by a straight line between the two measurements around it."""
    ratio = np.log(np.array(heap) / np.array(rounds))
    later = int(np.argmax(ratio > 0))
    if later == 0:
        return math.nan
    part = -ratio[later - 1] / (ratio[later] - ratio[later - 1])
    return float(links[later - 1] + part * (links[later] - links[later - 1]))


def solves(k: int, counts: Sequence[int]) -> None:
    """Print the table for a fat-tree of ``k``."""
    tree = builders.get("fat-tree")(k=k)
    capacity = tree.capacity.tolist()
    print(f"\n{tree}\n{'classes':>8} {'links':>7} {'heap ms':>9} {'numpy ms':>9} {'heap/numpy':>11}")
    links, heap, rounds = [], [], []
    for count in counts:
        classes = routes(tree, count)
        links.append(sum(len(flows.links) for flows in classes))
        heap.append(cpu(_by_heap, classes, capacity))
        rounds.append(cpu(_by_rounds, classes, capacity))
        row = f"{heap[-1] * 1e3:>9.3f} {rounds[-1] * 1e3:>9.3f} {heap[-1] / rounds[-1]:>11.2f}"
        print(f"{count:>8,} {links[-1]:>7,} {row}")
    print(f"both take as long at {crossing(links, heap, rounds):.0f} links; _FEW is {_FEW}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    for k in (8, 16):
        solves(k, [count for count in COUNTS if count <= 500 or not quick])


if __name__ == "__main__":
    main()
