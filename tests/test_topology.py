"""Topologies: what they refuse, how they number links, and what they say of themselves."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np
import pytest

from simulator.cluster.builders import builders
from simulator.cluster.topology import SERVER, TIERS, Server, Topology
from simulator.core.errors import InputError

LINK: dict[str, Any] = {"src": "a", "dst": "b", "capacity": 1e9}
HINT = "\n    a link has src, dst, capacity and latency"
FINITE = "\n    it must be a finite number, 0 or more"


def message(call, *arguments: Any, **named: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def chain(*capacity: float) -> Topology:
    return Topology.from_links([{"src": str(i), "dst": str(i + 1), "capacity": c} for i, c in enumerate(capacity)])


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"capacity": -1.0}, "link 0 (a -> b) has capacity -1.0" + FINITE),
        ({"capacity": math.nan}, "link 0 (a -> b) has capacity nan" + FINITE),
        ({"capacity": math.inf}, "link 0 (a -> b) has capacity inf" + FINITE),
        (
            {"capacity": 0.0},
            "link 0 (a -> b) has capacity 0\n"
            "    leave the link out; one that goes down for a while has a capacity event",
        ),
        ({"dst": "a"}, "link 0 (a -> a) ends where it starts\n    leave it out"),
        ({"latency": -1e-6}, "link 0 (a -> b) has latency -1e-06" + FINITE),
        ({"latency": math.nan}, "link 0 (a -> b) has latency nan" + FINITE),
        (
            {"capacity": "100 Gbit"},
            "link 0: capacity: '100 Gbit' has unknown unit 'Gbit' for a bandwidth; write for example '400 Gb/s'" + HINT,
        ),
        (
            {"capacity": "1e9"},
            "link 0: capacity: '1e9' has no unit for a bandwidth; write for example '400 Gb/s'" + HINT,
        ),
        ({"capacity": None}, "link 0: capacity None is not a number" + HINT),
        ({"capacity": True}, "link 0: capacity True is not a number" + HINT),
        ({"latency": [1]}, "link 0: latency [1] is not a number" + HINT),
        ({"src": None}, "link 0: src None is not a name" + HINT),
        (
            {"bandwidth": 1.0},
            "link 0: unknown key 'bandwidth'. Known: capacity, dst, latency, src." + HINT,
        ),
        (
            {"latancy": 1.0},
            "link 0: unknown key 'latancy'. Did you mean 'latency'? Known: capacity, dst, latency, src." + HINT,
        ),
    ],
)
def test_what_is_wrong_with_a_link_is_said(link: dict[str, Any], expected: str) -> None:
    assert message(Topology.from_links, [LINK | link]) == expected


@pytest.mark.parametrize("key", ["src", "dst", "capacity"])
def test_a_missing_key_is_named(key: str) -> None:
    link = {name: value for name, value in LINK.items() if name != key}
    assert message(Topology.from_links, [LINK, link]) == f"link 1: has no '{key}'" + HINT


def test_a_link_that_is_none_is_said() -> None:
    assert message(Topology.from_links, [7]) == "link 0: 7 is not a mapping of src, dst, capacity, latency" + HINT


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({}, "server 'a': has no 'accelerators'"),
        ({"accelerators": -1}, "server 'a': accelerators is -1; it must be 0 or more"),
        ({"accelerators": math.nan}, "server 'a': accelerators is nan; it must be 0 or more"),
        ({"accelerators": 1.5}, "server 'a': accelerators is 1.5; it must be a whole number"),
        ({"accelerators": math.inf}, "server 'a': accelerators is inf; it must be a whole number"),
        ({"accelerators": "8"}, "server 'a': accelerators '8' is not a number"),
        ({"accelerators": 8, "nic": -1.0}, "server 'a': nic is -1.0; it must be 0 or more"),
        (
            {"accelerators": 8, "memory": "80 GiBs"},
            "server 'a': memory: '80 GiBs' has unknown unit 'GiBs' (did you mean 'GiB'?) for an amount of data; "
            "write for example '80 GiB'",
        ),
        (
            {"acelerators": 8},
            "server 'a': unknown key 'acelerators'. Did you mean 'accelerators'? Known: accelerator, accelerators, "
            "cores, labels, memory, nic, partition, record, scale_up, scale_up_latency, taints.",
        ),
        (
            None,
            "server 'a': None is not a mapping of accelerators, accelerator, cores, memory, record, scale_up, "
            "scale_up_latency, nic, labels, taints, partition",
        ),
    ],
)
def test_what_is_wrong_with_a_server_is_said(server: Any, expected: str) -> None:
    assert message(Topology.from_links, [LINK], {"a": server}) == expected


def test_all_problems_come_at_once() -> None:
    text = message(Topology.from_links, [LINK | {"capacity": "x"}, {"src": "a"}], {"a": {}, "b": {}})
    assert [line.partition(":")[0] for line in text.splitlines() if not line.startswith(" ")] == [
        "server 'a'", "server 'b'", "link 0", "link 1"
    ]  # fmt: skip


def test_quantities_may_be_text() -> None:
    made = Topology.from_links(
        [LINK | {"capacity": "400 Gb/s", "latency": "3 us"}],
        {"a": {"accelerators": 8, "memory": "1 TiB", "cores": 64, "nic": "100 Gb/s", "scale_up_latency": "1 us"}},
    )
    assert (made.capacity[0], made.latency[0]) == (50e9, 3e-6)
    assert made.servers == (
        Server("a", 8, memory=2.0**40, cores=64.0, nic=12.5e9, scale_up_latency=1e-6),
    )  # fmt: skip


def test_numbers_as_names_mean_the_same_everywhere() -> None:
    """YAML reads ``src: 0`` as a number, and as a key too: it is still one vertex."""
    made = Topology.from_links([{"src": 0, "dst": 1, "capacity": 1.0}], {0: {"accelerators": 1}})
    assert [server.name for server in made.servers] == ["0"]
    assert made.path("0", "1") == (0,)


def test_a_server_without_links_is_no_network() -> None:
    assert not Topology.from_links([], {"a": {"accelerators": 4}, "b": {"accelerators": 4}}).has_network


def test_a_plain_networkx_graph_is_a_topology() -> None:
    graph = nx.Graph()
    graph.add_node("a", kind=SERVER, accelerators=2)
    graph.add_edge("a", "switch", capacity=5.0)
    made = Topology(graph.to_directed())
    assert (made.ends, made.capacity.tolist(), made.latency.tolist()) == (
        (("a", "switch"), ("switch", "a")), [5.0, 5.0], [0.0, 0.0]
    )  # fmt: skip
    assert made.accelerators == 2


def test_links_stand_at_their_index() -> None:
    graph = nx.MultiDiGraph()
    graph.add_edge("a", "b", index=1, capacity=1.0)
    graph.add_edge("b", "c", index=0, capacity=2.0)
    assert Topology(graph).capacity.tolist() == [2.0, 1.0]
    assert Topology(graph).path("a", "c") == (1, 0)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (
            nx.Graph([("a", "b", {"capacity": 1.0})]),
            "the graph is not directed; a cable is two links: use graph.to_directed()",
        ),
        (nx.DiGraph([(1, 2, {"capacity": 1.0})]), "vertex 1 is not text; use networkx.relabel_nodes(graph, str)"),
        (nx.DiGraph([("a", "b"), ("b", "a")]), "link a -> b has no capacity\nlink b -> a has no capacity"),
        (
            nx.DiGraph([("a", "b", {"capacity": 1.0, "index": 1})]),
            "the indices of the 1 links must be 0 to 0, each once",
        ),
        (
            nx.DiGraph([("a", "b", {"capacity": 1.0, "index": 0}), ("b", "c", {"capacity": 1.0})]),
            "the indices of the 2 links must be 0 to 1, each once",
        ),
        (
            nx.DiGraph([("a", "b", {"capacity": 1.0, "index": 0}), ("b", "c", {"capacity": 1.0, "index": "x"})]),
            "the indices of the 2 links must be 0 to 1, each once",
        ),
    ],
)
def test_graphs_that_are_no_topology_are_refused(graph: nx.DiGraph, expected: str) -> None:
    assert message(Topology, graph) == expected


def test_a_server_vertex_needs_accelerators() -> None:
    graph = nx.DiGraph()
    graph.add_node("a", kind=SERVER)
    assert message(Topology, graph) == "server 'a' has no accelerators"


@pytest.mark.parametrize(
    ("route", "ends", "expected"),
    [
        ((3,), ("", ""), "route [3]: there is no link 3; links are 0 to 2"),
        ((-1,), ("", ""), "route [-1]: there is no link -1; links are 0 to 2"),
        ((0.5,), ("", ""), "route [0.5]: there is no link 0.5; links are 0 to 2"),
        ((True,), ("", ""), "route [True]: there is no link True; links are 0 to 2"),
        ((0, 2), ("", ""), "route [0, 2] is not connected: link 0 ends at '1', link 2 starts at '2'"),
        ((1, 2), ("0", ""), "route [1, 2] starts at '1', not at '0'"),
        ((0, 1), ("0", "3"), "route [0, 1] ends at '2', not at '3'"),
        ((), ("0", "3"), "route [] does not lead from '0' to '3'"),
    ],
)
def test_what_is_wrong_with_a_route_is_said(route: tuple, ends: tuple[str, str], expected: str) -> None:
    assert message(chain(1.0, 1.0, 1.0).check_route, route, *ends) == expected


def test_routes_that_are_right_come_back() -> None:
    line = chain(1.0, 1.0)
    assert line.check_route([0, 1], "0", "2") == (0, 1)
    assert line.check_route(np.array([0, 1])) == (0, 1)
    assert line.check_route((), "1", "1") == ()
    assert line.check_route(()) == ()


@pytest.mark.parametrize("oversubscription", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("k", [4, 6])
def test_bisection_of_a_fat_tree(k: int, oversubscription: float) -> None:
    """Half of the servers' cards, divided by the oversubscription of the upper tiers."""
    tree = builders.get("fat-tree")(k=k, oversubscription=oversubscription)
    trunk = tree.capacity[tree.path("node-0", "node-1")[0]]
    assert tree.bisection() == pytest.approx(k**3 / 8 * trunk / oversubscription, rel=1e-12)


@pytest.mark.parametrize(("nodes", "per_leaf", "spines", "ratio"), [(8, 4, 4, 1.0), (32, 4, 3, 2.0), (24, 2, 1, 4.0)])
def test_bisection_of_a_leaf_spine(nodes: int, per_leaf: int, spines: int, ratio: float) -> None:
    built = builders.get("leaf-spine")(nodes=nodes, nodes_per_leaf=per_leaf, spines=spines, oversubscription=ratio)
    trunk = built.capacity[built.path("node-0", "node-1")[0]]
    assert built.bisection() == pytest.approx(nodes / 2 * trunk / ratio, rel=1e-12)


def test_bisection_of_small_ones() -> None:
    pair = {"a": {"accelerators": 1}, "b": {"accelerators": 1}}
    both = [{"src": "a", "dst": "b", "capacity": 3.0}, {"src": "a", "dst": "b", "capacity": 4.0}]
    assert Topology.from_links(both, pair).bisection() == 7.0
    assert Topology.from_links([], pair).bisection() == 0.0
    assert builders.get("pool")(accelerators=4).bisection() == 0.0


def test_hops_count_links_between_servers() -> None:
    tree = builders.get("fat-tree")(k=4)
    assert [tree.hops(0, other) for other in (0, 1, 2, 4)] == [0, 2, 4, 6]
    assert builders.get("servers")(nodes=2, node="dgx-h100").hops(0, 1) == 0


def test_a_server_belongs_to_its_only_switch_whatever_the_order_of_the_vertices() -> None:
    """The one with accelerators of its own must not count as the root of the other one's tree."""
    graph = nx.DiGraph()
    for name in ("bare", "full"):
        graph.add_node(name, kind=SERVER, accelerators=1)
    for a, b in (("bare", "switch"), ("full", "switch"), ("full/0", "full")):
        graph.add_edge(a, b, capacity=1.0)
        graph.add_edge(b, a, capacity=1.0)
    graph.nodes["full/0"]["kind"] = "accelerator"
    made = Topology(graph)
    assert [made.neighbourhood(name) for name in ("bare", "full")] == ["switch", "switch"]


def test_a_server_on_several_switches_or_none_is_its_own_neighbourhood() -> None:
    links = [{"src": "a", "dst": switch, "capacity": 1.0} for switch in ("x", "y")] + [
        {"src": "b", "dst": "c", "capacity": 1.0}
    ]
    made = Topology.from_links(links, {name: {"accelerators": 1} for name in "abc"} | {"d": {"accelerators": 1}})
    assert [made.neighbourhood(name) for name in "abcd"] == list("abcd")


def test_endpoints_of_trunks_and_of_rails() -> None:
    trunk, rails = builders.get("single-switch")(nodes=2), builders.get("rail-optimised")(nodes=2)
    assert (trunk.wired, rails.wired) == (False, True)
    assert [trunk.endpoint(1, device) for device in (0, 7)] == ["node-1", "node-1"]
    assert [rails.endpoint(1, device) for device in (0, 7, 8)] == ["node-1/0", "node-1/7", "node-1"]
    assert (trunk.hops(0, 1), rails.hops(0, 1)) == (2, 2)


def test_every_link_of_every_builder_says_where_it_lies() -> None:
    for name, parameters in {
        "fat-tree": {"k": 4},
        "leaf-spine": {"nodes": 4},
        "single-switch": {"nodes": 2},
        "rail-optimised": {"nodes": 4, "cores": 4},
        "superpod": {"su": 1},
        "hpn": {"segments": 1, "hosts": 2, "pods": 2},
        "dragonfly": {"terminals": 1},
        "torus": {"sides": [4, 4]},
        "nvlink-domain": {"domains": 2},
        "cloud-pool": {"nodes": 4, "nodes_per_group": 2},
    }.items():
        made = builders.get(name)(**parameters)
        assert set(made.tiers) <= set(TIERS)
        assert len(made.tiers) == len(made.ends)
    assert chain(1.0).tiers == ("",)


def test_tiers_stand_at_the_index_of_their_link() -> None:
    graph = nx.MultiDiGraph()
    graph.add_edge("a", "b", index=1, capacity=1.0, tier="far")
    graph.add_edge("b", "c", index=0, capacity=2.0)
    assert Topology(graph).tiers == ("", "far")


def test_servers_that_cannot_reach_each_other_are_named() -> None:
    links = [{"src": "a", "dst": "s", "capacity": 1.0}, {"src": "s", "dst": "a", "capacity": 1.0}]
    one_way = [{"src": "b", "dst": "s", "capacity": 1.0}]
    servers = {name: {"accelerators": 1} for name in "abc"}
    assert message(Topology.from_links(links + one_way, servers).check_connected) == (
        "'b', 'c' have no way both from and to 'a'\n"
        "    a cable is two links, one each way; a server without any can be left out"
    )
    Topology.from_links([], servers).check_connected()
    Topology.from_links(links).check_connected()


def test_what_a_topology_says_of_itself() -> None:
    built = builders.get("leaf-spine")(nodes=4, nodes_per_leaf=2, spines=2)
    assert repr(built) == (
        "Topology(leaf-spine 1:1, 4 x dgx-h100, infiniband-ndr: 4 servers, 32 accelerators, 4 switches, 80 links)"
    )
    assert built.summary() == {
        "name": "leaf-spine 1:1, 4 x dgx-h100, infiniband-ndr",
        "servers": 4,
        "accelerators": 32,
        "switches": 4,
        "links": 80,
    }
    assert built.server_index["node-3"] == 3
