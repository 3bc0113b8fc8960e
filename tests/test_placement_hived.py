"""Cells and what they guarantee."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.policies.cells import Cells, power
from simulator.policies.neighbourhoods import Neighbourhoods
from simulator.policies.placement.hived import HiveD
from simulator.testing import replay
from simulator.testing.situations import servers as pool
from simulator.workload.jobs import BatchJob


def cluster(servers: int = 4, per_rack: int = 2, accelerators: int = 8) -> Topology:
    names = [f"n{i}" for i in range(servers)]
    pairs = [(name, f"leaf{i // per_rack}") for i, name in enumerate(names)]
    pairs += [(leaf, "top") for leaf in sorted({leaf for _, leaf in pairs})]
    links = [{"src": a, "dst": b, "capacity": 1.0} for pair in pairs for a, b in (pair, pair[::-1])]
    return Topology.from_links(links, {name: {"accelerators": accelerators} for name in names})


class Run:
    """A placement policy at work: jobs start and end by hand."""

    def __init__(self, topology: Topology, placer: HiveD) -> None:
        self.topology, self.placer, self.nodes = topology, placer, Allocator(topology.servers)
        self.count = 0

    def start(self, accelerators: float, tenant: str = "") -> BatchJob | None:
        self.count += 1
        job = BatchJob(id=str(self.count), submit=0.0, duration=1.0, accelerators=accelerators, tenant=tenant)
        placement = self.placer.place(job, self.nodes, self.topology)
        if placement is None:
            return None
        job.placement = placement
        for server, taken in placement:
            self.nodes.take(server, taken)
        self.placer.on_start(job)
        return job

    def end(self, job: BatchJob) -> None:
        for server, taken in job.placement:
            self.nodes.give(server, taken)
        self.placer.on_end(job)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (3, 4), (5, 8), (8, 8), (9, 16)])
def test_powers(count: int, expected: int) -> None:
    assert power(count) == expected


def test_the_smallest_free_cell_is_broken_up() -> None:
    """Buddies: 1 and 1 share a pair, a 2 takes the one beside it, a 4 the other half; the other server stays whole."""
    run = Run(cluster(2), HiveD())
    servers = [started.placement[0][0] for size in (1.0, 1.0, 2.0, 4.0) if (started := run.start(size))]
    assert servers == [0, 0, 0, 0]
    assert run.start(8.0).placement == ((1, 8.0),)  # type: ignore[union-attr]


def test_scattered_accelerators_are_no_cell_but_do_when_there_is_none() -> None:
    """First fit by count would put the 2 on server 0 (2 free, of two pairs); its cell is on server 1."""
    run = Run(cluster(2, accelerators=4), HiveD())
    ones = [run.start(1.0) for _ in range(4)]
    for job in (ones[1], ones[3]):
        run.end(job)  # type: ignore[arg-type]
    assert run.nodes.free.tolist() == [2, 4]
    assert run.start(2.0).placement == ((1, 2.0),)  # type: ignore[union-attr]
    assert run.start(2.0).placement == ((1, 2.0),)  # type: ignore[union-attr]
    assert run.start(2.0).placement == ((0, 2.0),)  # type: ignore[union-attr]


def test_a_gang_takes_a_cell_of_servers() -> None:
    run = Run(cluster(8, per_rack=4), HiveD())
    assert run.start(8.0).placement == ((0, 8.0),)  # type: ignore[union-attr]
    assert run.start(16.0).placement == ((2, 8.0), (3, 8.0))  # type: ignore[union-attr]
    assert run.start(32.0).placement == tuple((server, 8.0) for server in (4, 5, 6, 7))  # type: ignore[union-attr]
    assert run.start(16.0) is None


def test_others_leave_room_for_the_cells_of_a_tenant() -> None:
    run = Run(cluster(4), HiveD({"red": {"server": 2}, "blue": {"pair": 1}}))
    strangers = [run.start(1.0, "green") for _ in range(32)]
    assert sum(job is not None for job in strangers) == 32 - 16 - 2
    assert [run.start(8.0, "red") is not None for _ in range(3)] == [True, True, False]
    assert [run.start(1.0, "blue") is not None for _ in range(3)] == [True, True, False]


def test_small_jobs_of_a_tenant_fill_its_cell_before_the_next_is_bound() -> None:
    run = Run(cluster(4), HiveD({"red": {"server": 2}}))
    assert [run.start(2.0, "red").placement[0][0] for _ in range(4)] == [0] * 4  # type: ignore[union-attr]
    assert run.start(4.0, "red").placement[0][0] == 1  # type: ignore[union-attr]


def test_a_cell_is_unbound_when_nothing_runs_on_it() -> None:
    run = Run(cluster(2), HiveD({"red": {"server": 1}}))
    first = run.start(1.0, "red")
    green = [run.start(4.0, "green"), run.start(4.0, "green")]
    assert all(green)
    assert run.start(1.0, "green") is None, "the rest of the cell is red's"
    run.end(first)  # type: ignore[arg-type]
    assert run.start(8.0, "green") is None, "red must find a server"
    assert run.start(8.0, "red") is not None


def test_a_rack_can_be_owned() -> None:
    run = Run(cluster(4), HiveD({"red": {"rack": 1}}))
    assert sum(run.start(8.0, "green") is not None for _ in range(4)) == 2
    assert run.start(16.0, "red").placement == ((2, 8.0), (3, 8.0))  # type: ignore[union-attr]


def test_guarantees_hold_in_any_history() -> None:
    """Whatever came and went, a tenant that uses less than it owns gets its next cell at once."""
    owned = {"red": {"server": 2, "quad": 1}, "blue": {"server": 1, "pair": 2}}
    for seed in range(12):
        rng = stream(seed, "hived")
        run = Run(cluster(6, per_rack=3), HiveD(owned))
        running: list[BatchJob] = []
        for step in range(200):
            tenant = ("red", "blue", "green")[int(rng.choice(3, p=[0.2, 0.2, 0.6]))]
            job = run.start(float(rng.choice([1, 2, 3, 4, 8])), tenant)
            if job is not None:
                running.append(job)
            if running and rng.random() < 0.5:
                run.end(running.pop(int(rng.integers(len(running)))))
            if step % 20 == 19:
                running = _claimed(run, running, owned)
        for job in running:
            run.end(job)
        assert run.nodes.used == 0
        physical = run.placer._physical
        assert physical is not None
        assert not physical.held.any()


def _claimed(run: Run, running: list[BatchJob], owned: dict[str, dict[str, int]]) -> list[BatchJob]:
    """End the jobs of all who own cells, claim every cell, give them back; return what runs on."""
    for job in running:
        if job.tenant in owned:
            run.end(job)
    claims = []
    for tenant, cells in owned.items():
        for size, level in ((8.0, "server"), (4.0, "quad"), (2.0, "pair")):
            for _ in range(cells.get(level, 0)):
                claims.append(run.start(size, tenant))
                assert claims[-1] is not None, (tenant, level)
    for claim in claims:
        run.end(claim)  # type: ignore[arg-type]
    return [job for job in running if job.tenant not in owned]


def test_the_tree_has_gaps_where_there_are_no_accelerators() -> None:
    topology = cluster(3, accelerators=6)
    cells = Cells(np.array([6, 6, 6]), Neighbourhoods(topology))
    assert (cells.server, cells.row, cells.held.shape) == (8, 16, (2, 16))
    assert cells.free(8, np.zeros_like(cells.held)).tolist() == [[6, 6], [6, 0]]
    assert cells.tightest(8, 6, np.zeros_like(cells.held)) == (0, 0)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"red": {"servers": 1}}, "cells: 'servers' of 'red' is none of accelerator, pair, quad, server, rack"),
        ({"red": {"server": -1}}, "cells: 'red' owns -1 of server; it must be a whole number, 0 or more"),
        ({"red": {"server": 1.5}}, "cells: 'red' owns 1.5 of server; it must be a whole number, 0 or more"),
    ],
)
def test_what_is_wrong_with_cells_is_said(cells: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        HiveD(cells)


def test_cells_that_the_cluster_does_not_have_are_refused() -> None:
    wrong = HiveD(cells={"red": {"server": 9}})
    with pytest.raises(InputError, match="tenants own 9 cells, and the cluster has room for the 2 largest: none is"):
        replay([BatchJob(id="a", submit=0, duration=1, accelerators=1)], topology=pool(2, 4), placer=wrong)
