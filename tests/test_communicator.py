"""Communicators: groups from topologies, volumes on links, and what cannot communicate."""

from __future__ import annotations

import math

import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.models.collectives import Group, estimate
from simulator.runtime.communicator import Communicator
from simulator.runtime.router import Router

GIB = 2.0**30
CABLES = [
    {"src": a, "dst": b, "capacity": 10e9, "latency": 1e-6}
    for server in ("s0", "s1", "s2")
    for a, b in ((server, "switch"), ("switch", server))
]
SERVERS = {name: {"accelerators": 2, "nic": 5e9, "scale_up": 100e9} for name in ("s0", "s1", "s2")}
STAR = Topology.from_links(CABLES, SERVERS)
ALL = [(server, device) for server in range(3) for device in range(2)]


def leaf_spine(oversubscription: float = 1.0) -> Topology:
    return builders.get("leaf-spine")(
        nodes=4, node="dgx-h100", link="infiniband-ndr", nodes_per_leaf=2, oversubscription=oversubscription
    )


def everywhere(topology: Topology, per_node: int) -> list[tuple[int, int]]:
    return [(server, device) for server in range(len(topology.servers)) for device in range(per_node)]


def test_a_ring_on_a_star_uses_each_cable_by_its_share() -> None:
    plan = Communicator(STAR, ALL).plan("all-reduce", GIB, "ring")
    volume = 2 * 5 / 6
    assert dict(zip(plan.links, plan.usage, strict=True)) == pytest.approx(dict.fromkeys(range(6), volume))
    assert plan.rate(STAR.capacity) == pytest.approx(min(plan.limit, 10e9 / volume))
    assert plan.time(STAR.capacity) == pytest.approx(plan.latency + GIB / plan.rate(STAR.capacity))


def test_halving_a_cable_halves_the_rate_and_a_dead_one_stops_it() -> None:
    plan = Communicator(STAR, ALL).plan("all-gather", GIB, "ring")
    half, dead = STAR.capacity.copy(), STAR.capacity.copy()
    half[0], dead[0] = 1e9, 0.0
    assert plan.rate(half) == pytest.approx(1e9 / (5 / 6))
    assert plan.time(dead) == math.inf


def test_facts_come_from_the_topology() -> None:
    group = Communicator(STAR, ALL).group
    assert group.shape == (2, 2, 2)
    assert (group.inside.bandwidth, group.network.bandwidth, group.network.total) == (100e9, 5e9, 10e9)
    assert group.network.latency == pytest.approx(2e-6)


def test_on_the_catalogs_servers_it_is_the_group_of_the_catalog() -> None:
    topology = leaf_spine()
    made = Communicator(topology, [(0, d) for d in range(8)] + [(1, d) for d in range(8)]).group
    wanted = Group.of("dgx-h100", "infiniband-ndr", 16)
    assert made.inside == wanted.inside
    assert made.network == pytest.approx(wanted.network) or made.network.protocol == wanted.network.protocol
    for size in (1024, 2**20, 2**30):
        assert estimate("all-reduce", size, made).time == pytest.approx(estimate("all-reduce", size, wanted).time)


def test_without_oversubscription_the_links_hold_nobody_back() -> None:
    topology = leaf_spine()
    communicator = Communicator(topology, everywhere(topology, 8))
    for name in ("all-reduce", "all-gather", "reduce-scatter"):
        plan = communicator.plan(name, GIB)
        assert plan.time(topology.capacity) == pytest.approx(plan.estimate.time, rel=1e-6), name


def test_oversubscription_comes_through_the_links() -> None:
    narrow = leaf_spine(oversubscription=8)
    plan = Communicator(narrow, everywhere(narrow, 8)).plan("all-to-all", GIB)
    wide = leaf_spine()
    free = Communicator(wide, everywhere(wide, 8)).plan("all-to-all", GIB)
    assert plan.estimate == free.estimate
    assert plan.time(narrow.capacity) > 3 * free.time(wide.capacity)


def test_the_volume_on_links_is_what_the_textbook_sends() -> None:
    topology = leaf_spine()
    communicator = Communicator(topology, everywhere(topology, 8))
    out = [topology.path(f"node-{index}", f"node-{(index + 1) % 4}")[0] for index in range(4)]
    n, width = 32, 8
    for name, algorithm, volume in (
        ("all-reduce", "ring", 2 * (n - 1) / n),
        ("all-gather", "ring", (n - 1) / n),
        ("all-reduce", "hierarchical", 2 * 3 / 4),
        ("all-to-all", "direct", width * (n - width) / n),
    ):
        plan = communicator.plan(name, GIB, algorithm)
        usage = dict(zip(plan.links, plan.usage, strict=True))
        assert [usage[link] for link in out] == pytest.approx([volume] * 4), (name, algorithm)


def test_one_server_uses_no_link() -> None:
    plan = Communicator(STAR, [(1, 0), (1, 1)]).plan("all-reduce", GIB)
    assert (plan.links, plan.usage) == ((), ())
    assert plan.rate(STAR.capacity) == plan.limit
    assert plan.time(STAR.capacity) == pytest.approx(plan.estimate.time)


def test_ranks_are_ordered_by_server() -> None:
    mixed = Communicator(STAR, [(2, 0), (0, 1), (2, 1), (0, 0)])
    assert mixed.members == ((2, 0), (2, 1), (0, 1), (0, 0))
    assert mixed.group.shape == (2, 2)


def test_channels_take_rails() -> None:
    topology = builders.get("rail-optimised")(nodes=4, node="dgx-h100", link="infiniband-ndr")
    plan = Communicator(topology, everywhere(topology, 8)).plan("all-reduce", GIB, "ring")
    first = {topology.ends[link][0] for link in plan.links if topology.ends[link][0].startswith("node-")}
    assert first == {f"node-{server}/{device}" for server in range(4) for device in range(8)}
    assert max(plan.usage) == pytest.approx(2 * 31 / 32 / 8)


def test_a_thousand_ranks_are_planned() -> None:
    topology = builders.get("superpod")(su=4)
    members = everywhere(topology, 8)[:1016]
    communicator = Communicator(topology, members)
    for name in ("all-reduce", "all-to-all"):
        plan = communicator.plan(name, GIB)
        assert plan.estimate.ranks == 1016
        assert 0 < plan.time(topology.capacity) < 0.1


def test_a_torus_carries_its_own_traffic() -> None:
    topology = builders.get("torus")(sides=[4, 4], wrap=[True, True])
    communicator = Communicator(topology, everywhere(topology, 8))
    assert communicator.group.shape == (16,)
    assert communicator.group.inside.torus == (4, 4)
    plan = communicator.plan("all-reduce", GIB)
    assert plan.estimate.algorithm == "torus"
    assert len(plan.links) == 64
    assert set(plan.usage) == {2 * 15 / 16 / 4}


def test_the_protocol_is_that_of_the_link_or_the_one_asked_for() -> None:
    topology = leaf_spine()
    members = everywhere(topology, 8)
    assert Communicator(topology, members).group.network.protocol.id == "infiniband-verbs"
    slow = Communicator(topology, members, protocol="tcp")
    assert slow.group.network.protocol.id == "tcp"
    assert slow.group.network.bandwidth == catalog.protocol("tcp").host_copy
    quick = Communicator(topology, members).plan("all-reduce", GIB).estimate.time
    assert slow.plan("all-reduce", GIB).estimate.time > 2 * quick


def test_routing_modes_decide_which_links() -> None:
    topology = builders.get("leaf-spine")(nodes=4, node="dgx-h100", link="infiniband-ndr", nodes_per_leaf=2, spines=16)
    members = [(server, device) for server in (0, 2) for device in range(8)]
    ecmp, spray = (
        Communicator(topology, members, Router(topology, mode)).plan("all-gather", GIB, "ring")
        for mode in ("ecmp", "spray")
    )
    assert max(ecmp.usage) == max(spray.usage) == pytest.approx(15 / 16)
    assert len(spray.links) > len(ecmp.links)
    assert spray.rate(topology.capacity) >= ecmp.rate(topology.capacity)


def test_links_that_go_down_are_noticed() -> None:
    topology = builders.get("leaf-spine")(nodes=2, node="dgx-h100", link="infiniband-ndr", nodes_per_leaf=1, spines=2)
    router = Router(topology)
    communicator = Communicator(topology, everywhere(topology, 8), router)
    before = communicator.plan("all-reduce", GIB, "ring")
    spine = next(link for link in before.links if topology.ends[link] == ("leaf-0", "spine-0"))
    router.set_up(spine, False)
    after = communicator.plan("all-reduce", GIB, "ring")
    assert spine not in after.links
    assert after.rate(topology.capacity) < before.rate(topology.capacity)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ([], "a communicator needs at least one rank"),
        ([(3, 0)], "rank 0 is on server 3; servers are 0 to 2"),
        ([(0, 0), (1, 2)], "rank 1 is on accelerator 2 of 's1', which has 2"),
        ([(0, 1), (1, 0), (0, 1)], "ranks 0 and 2 are both on accelerator 1 of 's0'"),
    ],
)
def test_members_that_do_not_fit_are_refused(members: list[tuple[int, int]], text: str) -> None:
    with pytest.raises(InputError, match=text):
        Communicator(STAR, members)


def test_servers_that_nothing_joins_are_named() -> None:
    split = Topology.from_links(
        [{"src": a, "dst": b, "capacity": 1e9} for a, b in (("s0", "x"), ("x", "s0"), ("s1", "y"), ("y", "s1"))],
        {"s0": {"accelerators": 1}, "s1": {"accelerators": 1}},
    )
    with pytest.raises(InputError, match="there is no route from 's0' to 's1'"):
        Communicator(split, [(0, 0), (1, 0)])


def test_ways_that_are_down_are_named() -> None:
    router = Router(STAR)
    communicator = Communicator(STAR, ALL[:4], router)
    router.set_up(0, False)
    with pytest.raises(InputError, match="no way leads from rank 0 on 's0' to rank 2 on 's1': links are down"):
        communicator.plan("all-reduce", GIB, "ring")


def test_one_rank_needs_nothing() -> None:
    plan = Communicator(STAR, [(0, 0)]).plan("all-reduce", GIB)
    assert (plan.links, plan.latency, plan.time(STAR.capacity)) == ((), 0.0, 0.0)
