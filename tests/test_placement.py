"""Where the built-in placements put gangs: by hand, and against brute force."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers, schedulers
from simulator.policies.placement.pack import Pack
from simulator.policies.placement.spread import Spread
from simulator.policies.placement.topology import FewestHops
from simulator.runtime.simulation import Simulation
from simulator.testing import check_placer
from simulator.testing.situations import crowd
from simulator.workload.jobs import BatchJob, Placement


def job(accelerators: float, **more: Any) -> BatchJob:
    return BatchJob(id="j", submit=0.0, duration=1.0, accelerators=accelerators, **more)


def racks(*sizes: int, per_rack: int = 2) -> tuple[Topology, Allocator]:
    """Servers of 8, so many to a leaf switch, the leaves under one top; ``sizes`` are what is free on each."""
    names = [f"n{i}" for i in range(len(sizes))]
    pairs = [(name, f"leaf{i // per_rack}") for i, name in enumerate(names)]
    pairs += [(leaf, "top") for leaf in sorted({leaf for _, leaf in pairs})]
    links = [{"src": a, "dst": b, "capacity": 1.0} for pair in pairs for a, b in (pair, pair[::-1])]
    topology = Topology.from_links(links, {name: {"accelerators": 8} for name in names})
    nodes = Allocator(topology.servers)
    for server, free in enumerate(sizes):
        if free < 8:
            nodes.take(server, float(8 - free))
    return topology, nodes


def place(placer: Any, wanted: BatchJob | float, *free: int, **more: Any) -> Placement | None:
    topology, nodes = racks(*free, **more)
    placement: Placement | None = placer.place(wanted if isinstance(wanted, BatchJob) else job(wanted), nodes, topology)
    return placement


def test_registry_knows_them() -> None:
    assert [placers.get(name) for name in ("pack", "spread", "topology")] == [Pack, Spread, FewestHops]


def test_pack_takes_the_fullest_server_that_holds_all() -> None:
    assert place(Pack(), 4.0, 8, 3, 5, 4) == ((3, 4.0),)
    assert place(Pack(), 6.0, 8, 3, 5, 4) == ((0, 6.0),)


def test_pack_takes_few_servers_and_a_tight_last_one() -> None:
    assert place(Pack(), 11.0, 8, 3, 5, 4) == ((0, 8.0), (1, 3.0))
    assert place(Pack(), 12.0, 8, 3, 5, 4) == ((0, 8.0), (3, 4.0))
    assert place(Pack(), 20.0, 8, 3, 5, 4) == ((0, 8.0), (1, 3.0), (2, 5.0), (3, 4.0))
    assert place(Pack(), 21.0, 8, 3, 5, 4) is None


def test_spread_deals_one_by_one_to_the_emptiest() -> None:
    assert place(Spread(), 4.0, 8, 3, 5, 4) == ((0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0))
    assert place(Spread(), 2.0, 8, 3, 5, 4) == ((0, 1.0), (2, 1.0))
    assert place(Spread(), 6.0, 8, 1, 2, 4) == ((0, 2.0), (1, 1.0), (2, 1.0), (3, 2.0))
    assert place(Spread(), 20.0, 8, 3, 5, 4) == ((0, 8.0), (1, 3.0), (2, 5.0), (3, 4.0))
    assert place(Spread(), 21.0, 8, 3, 5, 4) is None


def test_topology_prefers_one_server_then_one_switch_then_near_switches() -> None:
    assert place(FewestHops(), 4.0, 8, 8, 4, 8) == ((2, 4.0),)
    assert place(FewestHops(), 10.0, 8, 1, 5, 5) == ((2, 5.0), (3, 5.0))
    assert place(FewestHops(), 10.0, 8, 4, 5, 5, 4, 4) == ((2, 5.0), (3, 5.0))  # the switch that it fills up most
    assert place(FewestHops(), 14.0, 8, 1, 5, 5, 2, 2) == ((2, 5.0), (3, 5.0), (4, 2.0), (5, 2.0))  # exactly
    assert place(FewestHops(), 24.0, 8, 1, 5, 5, 2, 2) is None


def test_topology_finds_a_few_large_servers_for_a_job_that_may_not_be_split_further() -> None:
    """The tightest switch would need three servers; two of another one hold the job."""
    wanted = job(12.0, max_servers=2)
    assert place(FewestHops(), wanted, 4, 4, 4, 7, 7, 0, per_rack=3) == ((3, 7.0), (4, 5.0))


def test_one_object_serves_two_topologies() -> None:
    used = FewestHops()
    place(used, 10.0, 8, 1, 5, 5)
    assert place(used, 10.0, 5, 5, 5, 5, per_rack=4) == place(FewestHops(), 10.0, 5, 5, 5, 5, per_rack=4)


@pytest.mark.parametrize("name", ["pack", "spread", "topology"])
def test_small_jobs_find_one_server(name: str) -> None:
    placer = placers.get(name)()
    assert place(placer, 0.5, 0, 3, 0, 8) in (((1, 0.5),), ((3, 0.5),))
    assert place(placer, 0.0, 0, 0) == ((0, 0.0),)
    assert place(placer, 0.5, 0, 0) is None


free_rooms = st.lists(st.integers(0, 8), min_size=1, max_size=6)


@given(free_rooms, st.integers(1, 30), st.integers(0, 3))
def test_pack_uses_as_few_servers_as_possible_and_spread_as_many(free: list[int], wanted: int, most: int) -> None:
    job_ = job(float(wanted), max_servers=most)
    count = sum(1 for room in free if room)
    counts = [n for n in range(1, count + 1) if max(sum(each) for each in combinations(free, n)) >= wanted]
    fits = bool(counts) and (not most or counts[0] <= most)
    packed, dealt = (place(placer, job_, *free) for placer in (Pack(), Spread()))
    assert (packed is not None) == (dealt is not None) == fits
    if packed is not None and dealt is not None:
        assert len(packed) == counts[0]
        if not most:
            assert len(dealt) == min(count, wanted)
            taken = dict(dealt)
            # no server could take one more from another that has two more than it
            for low in taken:
                assert all(taken[high] - taken[low] <= 1 or taken[low] == free[low] for high in taken)


@given(st.lists(st.integers(0, 8), min_size=4, max_size=8), st.integers(1, 40))
def test_topology_reaches_no_further_than_it_must(free: list[int], wanted: int) -> None:
    topology, nodes = racks(*free)
    placement = FewestHops().place(job(float(wanted)), nodes, topology)
    assert (placement is not None) == (sum(free) >= wanted)
    if placement is not None:
        near = [sum(free[i : i + 2]) for i in range(0, len(free), 2)]
        leaves = {server // 2 for server, _ in placement}
        best = 1 if max(free) >= wanted else 2 if max(near) >= wanted else 3
        assert (1 if len(placement) == 1 else 2 if len(leaves) == 1 else 3) == best
        order = np.sort(near)[::-1].cumsum()
        assert best < 3 or len(leaves) == int(np.searchsorted(order, wanted)) + 1


def test_the_contract_notices_who_looks_at_free_accelerators_only() -> None:
    class Careless:
        """Right in all but labels, taints, partitions and bookings."""

        def place(self, job: BatchJob, nodes: Allocator, topology: Topology) -> Placement | None:
            fits = nodes.fits(job.accelerators, job.cores, job.memory, job.accelerator_types)
            return ((int(fits.argmax()), job.accelerators),) if fits.any() else None

    with pytest.raises(AssertionError, match="is reserved for 'red'"):
        check_placer(Careless)


def test_pack_chooses_alike_with_and_without_the_index_of_servers() -> None:
    """On plain servers the tightest is found by levels, where one has a taint by arrays: the choice is the same."""
    plain = [{"accelerators": 8}] * 12
    rng = np.random.default_rng(5)
    one, other = (Topology.from_links([], {f"n{i}": dict(each) for i, each in enumerate(fields)}) for fields in (
        plain, [*plain[:-1], {"accelerators": 8, "taints": ["none"]}]
    ))  # fmt: skip
    first, second = Allocator(one.servers), Allocator(other.servers)
    held: list[Placement] = []
    for _ in range(500):
        wanted = job(float(rng.integers(1, 12)), tolerations=("none",))
        placed = Pack().place(wanted, first, one)
        assert placed == Pack().place(wanted, second, other)
        if placed is None or rng.random() < 0.3:
            for server, taken in held.pop(int(rng.integers(len(held)))) if held else ():
                first.give(server, taken)
                second.give(server, taken)
            continue
        held.append(placed)
        for server, taken in placed:
            first.take(server, taken)
            second.take(server, taken)
        if rng.random() < 0.1:
            down = int(rng.integers(12))
            up = bool(rng.integers(2))
            first.set_up(down, up)
            second.set_up(down, up)


@pytest.mark.parametrize("name", ["gpu-clustering", "hived", "rail-aware", "contention-aware", "kube"])
def test_those_that_remember_what_runs_forget_it_when_it_ends(name: str) -> None:
    """A run in which jobs are stopped and come back leaves nothing behind: an idle cluster looks as at the start."""
    placer: Any = placers.get(name)()
    topology, nodes = racks(8, 8, 8, 8)
    wanted = [BatchJob(id=f"j{i}", submit=0.0, duration=1.0, accelerators=size, communication=0.5, array="a")
              for i, size in enumerate((1.0, 3.0, 10.0, 5.0))]  # fmt: skip

    def fresh() -> list[Placement | None]:
        placer_now = [placer.place(each, nodes, topology) for each in wanted]
        return [each for each in placer_now if name != "kube"]

    placer.reset(np.random.default_rng(0))
    before = fresh()
    running = crowd(80, largest=20)
    Simulation(topology=topology, jobs=iter(running), scheduler=schedulers.get("srtf")(), placer=placer).run()
    assert sum(each.preemptions for each in running) > 0
    assert fresh() == before
