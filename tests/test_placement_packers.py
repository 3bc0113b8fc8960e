"""Placements that pack by cores and accelerators, against the formulas of their source, one server at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Server, Topology
from simulator.core.rng import stream
from simulator.policies.api import placers
from simulator.workload.jobs import BatchJob

NOWHERE = Topology.from_links([], {"a": {"accelerators": 1}})
SERVERS = tuple(Server(f"s{i}", (0, 2, 4, 8)[i % 4], cores=(16.0, 32.0, 96.0, 128.0)[i % 4]) for i in range(12))
SIZES = ((0.0, 4.0), (0.3, 2.0), (0.5, 8.0), (0.8, 4.0), (1.0, 12.0), (2.0, 8.0), (4.0, 32.0))


def job(accelerators: float, cores: float = 0.0, **more: Any) -> BatchJob:
    return BatchJob(id="j", submit=0.0, duration=1.0, accelerators=accelerators, cores=cores, **more)


class State:
    """A server as the source sees it: thousandths of cores left, of each accelerator left, kinds of jobs on it."""

    def __init__(self, cores: int, devices: list[int], kinds: dict[int, int]) -> None:
        self.cores, self.devices, self.kinds = cores, devices, kinds


def best_fit(state: State, cores: int, share: int, count: int) -> int:
    score = (state.cores - cores) / 128000 * 0.5 + (sum(state.devices) - share * count) / 8000 * 0.5
    return int((1.0 - score) * 100)


def dot_product(state: State, cores: int, share: int, count: int) -> int:
    product = state.cores / 128000 * (cores / 128000) + sum(state.devices) / 8000 * (share * count / 8000)
    return int(100 * (1 - product / 2))


def gpu_packing(state: State, cores: int, share: int, count: int) -> int:
    if not count:
        return 0
    full = state.devices.count(1000)
    if full == len(state.devices):
        return max(33 - full, full)
    used, needed = [], count
    for left in sorted(state.devices):
        if needed and share <= left:
            used.append(left)
            needed -= 1
    fresh = used.count(1000)
    if fresh:
        return max(50 - fresh, 33)
    return max(100 - sum(left * 100 // 1000 for left in used) // 10, 50)


def gpu_clustering(state: State, cores: int, share: int, count: int) -> int:
    if not count:
        return 0
    kind = 0 if share < 1000 else count
    used = 25 * (8000 - sum(state.devices)) // 8000
    if state.kinds.get(kind):
        return used + (75 if len(state.kinds) == 1 else 50)
    return used + (0 if state.kinds else 25)


def worst_fit(state: State, cores: int, share: int, count: int) -> float:
    return (state.cores - cores) / 128000 + (sum(state.devices) - share * count) / 8000


@pytest.mark.parametrize("formula", [best_fit, dot_product, gpu_packing, gpu_clustering, worst_fit])
def test_the_server_is_that_of_the_formula(formula: Any) -> None:
    """In 300 steps in which jobs come and go, the first of the servers with the highest score is taken."""
    placer: Any = placers.get(formula.__name__.replace("_", "-"))()
    rng = stream(2, formula.__name__)
    nodes = Allocator(SERVERS)
    kinds: list[dict[int, int]] = [{} for _ in SERVERS]
    running: list[tuple[BatchJob, int]] = []
    compared = 0
    for _ in range(300):
        accelerators, cores = SIZES[int(rng.integers(len(SIZES)))]
        wanted = job(accelerators, cores)
        share, count = (round(accelerators * 1000), 1) if 0 < accelerators < 1 else (1000, int(accelerators))
        fits = np.flatnonzero(nodes.fits_for(wanted)).tolist()
        placement = placer.place(wanted, nodes, NOWHERE)
        if fits:
            states = {
                i: State(round(nodes.free_cores[i] * 1000), nodes.device_free[i, : nodes.total[i]].tolist(), kinds[i])
                for i in fits
            }
            scored = [formula(states[i], round(cores * 1000), share, count) for i in fits]
            assert placement == ((fits[int(np.argmax(scored))], accelerators),)
            compared += len(fits) > 1
            wanted.placement = placement
            server = placement[0][0]
            device = placer.device(wanted, server, nodes) if 0 < accelerators < 1 and hasattr(placer, "device") else -1
            running.append((wanted, nodes.take(server, accelerators, cores, device=device)))
            _count(placer, "on_start", wanted, kinds, 1)
        elif placement is not None:
            assert len(placement) > 1
        if running and rng.random() < 0.45:
            ended, device = running.pop(int(rng.integers(len(running))))
            nodes.give(ended.placement[0][0], ended.accelerators, ended.cores, 0.0, device)
            _count(placer, "on_end", ended, kinds, -1)
    assert compared > 100


def _count(placer: Any, hook: str, moved: BatchJob, kinds: list[dict[int, int]], by: int) -> None:
    if hasattr(placer, hook):
        getattr(placer, hook)(moved)
    if moved.accelerators:
        here = kinds[moved.placement[0][0]]
        here[int(moved.accelerators)] = here.get(int(moved.accelerators), 0) + by
        if not here[int(moved.accelerators)]:
            del here[int(moved.accelerators)]


def test_first_fit_goes_by_the_order_of_servers() -> None:
    nodes = Allocator([Server(name, 4) for name in "abc"])
    nodes.take(0, 3.0)
    placer = placers.get("first-fit")()
    assert placer.place(job(2.0), nodes, NOWHERE) == ((1, 2.0),)
    assert placer.place(job(6.0), nodes, NOWHERE) == ((0, 1.0), (1, 4.0), (2, 1.0))
    assert placer.place(job(6.0, max_servers=2), nodes, NOWHERE) == ((1, 4.0), (2, 2.0))
    assert placer.place(job(10.0), nodes, NOWHERE) is None


def test_random_draws_every_server_and_accelerator_alike() -> None:
    nodes = Allocator([Server("a", 4), Server("b", 2), Server("c", 0)])
    placer = placers.get("random")()
    placer.reset(stream(1, "placement"))
    chosen = np.array([placer.place(job(0.5), nodes, NOWHERE)[0][0] for _ in range(1000)])
    assert abs((chosen == 0).mean() - 0.5) < 0.06
    nodes.take(0, 0.6, device=1)
    devices = np.bincount([placer.device(job(0.5), 0, nodes) for _ in range(900)], minlength=4)
    assert devices[1] == 0
    assert (abs(devices[[0, 2, 3]] / 900 - 1 / 3) < 0.06).all()
    assert sorted({len(placer.place(job(6.0), Allocator([Server(n, 4) for n in "abc"]), NOWHERE)) for _ in range(20)})


def test_random_draws_again_alike_from_the_same_stream() -> None:
    nodes = Allocator([Server(name, 4) for name in "abcdef"])
    placer = placers.get("random")()
    draws = []
    for _ in range(2):
        placer.reset(stream(3, "placement"))
        draws.append([placer.place(job(size), nodes, NOWHERE) for size in (1.0, 0.5, 7.0, 2.0)])
    assert draws[0] == draws[1]


def test_dot_product_may_align_as_tetris_does() -> None:
    nodes = Allocator([Server("full", 8, cores=128.0), Server("slim", 8, cores=16.0)])
    wanted = job(1.0, 8.0)
    assert placers.get("dot-product")().place(wanted, nodes, NOWHERE) == ((1, 1.0),)
    assert placers.get("dot-product")(align=True).place(wanted, nodes, NOWHERE) == ((0, 1.0),)


@pytest.mark.parametrize("name", ["best-fit", "worst-fit", "dot-product", "gpu-packing", "gpu-clustering", "fgd"])
def test_gangs_larger_than_any_server_are_split(name: str) -> None:
    nodes = Allocator([Server(letter, 4) for letter in "abcd"])
    nodes.take(2, 2.0)
    assert placers.get(name)().place(job(10.0), nodes, NOWHERE) == ((0, 4.0), (1, 4.0), (2, 2.0))
    assert placers.get(name)().place(job(10.0, max_servers=1), nodes, NOWHERE) is None
    assert placers.get(name)().place(job(15.0), nodes, NOWHERE) is None
