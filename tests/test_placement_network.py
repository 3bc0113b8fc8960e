"""Placements that look at the network: rails, and links that others load."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.policies.placement.contention_aware import ContentionAware
from simulator.policies.placement.rail_aware import RailAware
from simulator.runtime.slots import Slots
from simulator.workload.jobs import BatchJob


def job(accelerators: float, communication: float = 0.5, **more: Any) -> BatchJob:
    return BatchJob(id="j", submit=0.0, duration=1.0, accelerators=accelerators, communication=communication, **more)


class Run:
    """A placement policy at work, beside the numbers that the engine hands out."""

    def __init__(self, topology: Topology, placer: Any) -> None:
        self.topology, self.placer = topology, placer
        self.nodes, self.slots = Allocator(topology.servers), Slots(topology)

    def start(self, wanted: BatchJob, placement: Any = None) -> BatchJob:
        placement = placement or self.placer.place(wanted, self.nodes, self.topology)
        assert placement is not None
        wanted.placement = placement
        for server, taken in placement:
            self.nodes.take(server, taken)
        self.slots.take(wanted)
        self.placer.on_start(wanted)
        return wanted

    def end(self, running: BatchJob) -> None:
        for server, taken in running.placement:
            self.nodes.give(server, taken)
        self.slots.give(running)
        self.placer.on_end(running)

    def numbers(self, running: BatchJob) -> list[list[int]]:
        members = self.slots.members(running)
        return [[device for server, device in members if server == each] for each, _ in sorted(running.placement)]


def rails(nodes: int = 8, per_unit: int = 4) -> Topology:
    return builders.get("rail-optimised")(nodes=nodes, nodes_per_unit=per_unit)


def test_a_gang_is_cut_into_equal_parts_on_the_same_rails() -> None:
    run = Run(rails(), RailAware())
    gang = run.start(job(12.0))
    assert run.numbers(gang) == [[0, 1, 2, 3, 4, 5]] * 2
    assert len({server // 4 for server, _ in gang.placement}) == 1


def test_servers_whose_lowest_free_numbers_differ_are_not_mixed() -> None:
    """Servers 0 and 1 have 4 to 7 free, the others 7: a gang of 8, which no server holds, goes to 0 and 1."""
    run = Run(rails(8), RailAware())
    for server in (0, 1):
        run.start(job(4.0), ((server, 4.0),))
    for server in (2, 3, 4, 5, 6, 7):
        run.start(job(7.0), ((server, 7.0),))
    late = run.start(job(8.0))
    assert late.placement == ((0, 4.0), (1, 4.0))
    assert run.numbers(late) == [[4, 5, 6, 7]] * 2
    run.end(late)
    assert run.start(job(8.0)).placement == ((0, 4.0), (1, 4.0))


def test_numbers_are_those_that_the_engine_hands_out() -> None:
    """The policy's account of who holds what stays that of the engine while jobs come and go."""
    placer = RailAware()
    run = Run(rails(4, 2), placer)
    running = [run.start(job(size)) for size in (3.0, 2.0, 10.0, 1.0, 5.0)]
    for index in (1, 3, 0):
        run.end(running[index])
    for size in (2.0, 1.0, 9.0):
        before = {server: placer._lowest(server, 8) for server in range(4)}
        started = run.start(job(size))
        for (server, taken), numbers in zip(sorted(started.placement), run.numbers(started), strict=True):
            assert numbers == list(before[server][: int(taken)])


def test_without_rails_it_places_by_hops() -> None:
    links = [
        {"src": a, "dst": b, "capacity": 1.0}
        for pair in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y"), ("x", "t"), ("y", "t"))
        for a, b in (pair, pair[::-1])
    ]
    topology = Topology.from_links(links, {name: {"accelerators": 4} for name in "abcd"})
    nodes = Allocator(topology.servers)
    nodes.take(0, 1.0)
    assert RailAware().place(job(7.0), nodes, topology) == ((0, 3.0), (1, 4.0))


def line(uplink: float = 1.0) -> Topology:
    """Three racks of three servers of four; a server puts out 1 byte/s, the uplink of a rack carries ``uplink``."""
    pairs = [(f"n{i}", f"leaf{i // 3}", 1.0) for i in range(9)] + [(f"leaf{i}", "top", uplink) for i in range(3)]
    links = [{"src": a, "dst": b, "capacity": c} for x, y, c in pairs for a, b in ((x, y), (y, x))]
    return Topology.from_links(links, {f"n{i}": {"accelerators": 4} for i in range(9)})


def test_a_gang_avoids_links_that_another_loads() -> None:
    """6 on two servers: each rack has two half-free servers; those of rack 0 share their links with a gang."""
    run = Run(line(), ContentionAware())
    run.start(job(2.0), ((0, 1.0), (1, 1.0)))
    for server in (0, 1):
        run.start(job(1.0, 0.0), ((server, 1.0),))
    run.start(job(4.0, 0.0), ((2, 4.0),))
    for server in (3, 4, 6, 7):
        run.start(job(1.0, 0.0), ((server, 1.0),))
    for server in (5, 8):
        run.start(job(3.0, 0.0), ((server, 3.0),))
    quiet = run.placer.place(job(4.0, 0.0), run.nodes, run.topology)
    loud = run.placer.place(job(4.0), run.nodes, run.topology)
    assert quiet == ((0, 2.0), (1, 2.0)), "the fullest rack, whose links are loaded: it sends nothing"
    assert {server // 3 for server, _ in loud} in ({1}, {2})


def test_when_the_other_gang_ends_its_links_are_free_again() -> None:
    run = Run(line(), ContentionAware())
    gang = run.start(job(2.0), ((0, 1.0), (1, 1.0)))
    run.start(job(4.0, 0.0), ((2, 4.0),))
    away = run.placer.place(job(6.0), run.nodes, run.topology)
    assert {server // 3 for server, _ in away} != {0}
    run.placer.on_end(gang)
    assert {server // 3 for server, _ in run.placer.place(job(6.0), run.nodes, run.topology)} == {0}


def test_a_rack_with_thin_uplinks_is_not_left() -> None:
    """Two racks hold one server each: crossing uplinks of a quarter slows four times, so a loaded rack is better."""
    run = Run(line(uplink=0.25), ContentionAware())
    run.start(job(2.0), ((0, 1.0), (1, 1.0)))
    for server in (2, 4, 5, 7, 8):
        run.start(job(4.0, 0.0), ((server, 4.0),))
    chosen = run.placer.place(job(6.0), run.nodes, run.topology)
    assert {server // 3 for server, _ in chosen} == {0}


def test_a_new_run_forgets() -> None:
    run = Run(line(), ContentionAware())
    run.start(job(2.0), ((0, 1.0), (1, 1.0)))
    fresh = Allocator(run.topology.servers)
    before = ContentionAware().place(job(6.0), fresh, run.topology)
    run.placer.reset()
    assert run.placer.place(job(6.0), fresh, run.topology) == before


@pytest.mark.parametrize("placer", [RailAware(), ContentionAware()])
def test_what_does_not_fit_has_no_place(placer: Any) -> None:
    topology = rails(2, 2)
    nodes = Allocator(topology.servers)
    assert placer.place(job(17.0), nodes, topology) is None
    assert placer.place(job(12.0, max_servers=1), nodes, topology) is None
    assert placer.place(job(8.0), nodes, topology) == ((0, 8.0),)
