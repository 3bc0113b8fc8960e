"""Routes: shortest, valid, spread over equal ones, and refused where there are none. networkx is the reference."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster.builders import builders
from simulator.cluster.routing import Load, Mode, Paths, Routes, Way, modes, paths, way_of
from simulator.cluster.routing.mesh import Mesh
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError

ROOT = Path(__file__).parents[1]


def topology(*ends: tuple[str, str]) -> Topology:
    return Topology.from_links([{"src": src, "dst": dst, "capacity": 1.0} for src, dst in ends])


def both_ways(*ends: tuple[str, str]) -> list[tuple[str, str]]:
    return [pair for a, b in ends for pair in ((a, b), (b, a))]


def check(routes: Routes, ends: list[tuple[str, str]], graph: nx.MultiDiGraph, src: str, dst: str, label: int) -> None:
    """A route joins its ends link by link and is as short as any; where networkx finds none there is none."""
    try:
        hops = nx.shortest_path_length(graph, src, dst)
    except nx.NetworkXNoPath:
        with pytest.raises(InputError, match=f"there is no route from '{src}' to '{dst}'"):
            routes.path(src, dst, label)
        return
    route = routes.path(src, dst, label)
    at = src
    for link in route:
        assert ends[link][0] == at
        at = ends[link][1]
    assert at == dst
    assert len(route) == hops == routes.distance(src, dst)


@given(st.data())
def test_all_routes_of_random_graphs_are_shortest(data: st.DataObject) -> None:
    """Directed graphs with parallel links, loops, islands, and trees that hang off cycles."""
    count = data.draw(st.integers(2, 9))
    vertex = st.integers(0, count - 1).map("v{}".format)
    ends = data.draw(st.lists(st.tuples(vertex, vertex), max_size=18))
    if data.draw(st.booleans()):
        ends = both_ways(*ends)
    graph = nx.MultiDiGraph(ends)
    routes = Routes(tuple(ends))
    for src in graph:
        for dst in graph:
            check(routes, ends, graph, src, dst, data.draw(st.integers(0, 3)))


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        ("fat-tree", {"k": 4}),
        ("leaf-spine", {"nodes": 9, "nodes_per_leaf": 4, "spines": 3}),
        ("single-switch", {"nodes": 5}),
    ],
)
def test_all_routes_of_built_networks_are_shortest(build: str, parameters: dict[str, int]) -> None:
    built = builders.get(build)(**parameters)
    vertices = [v for v in built.graph if "/" not in v or v.endswith("/0")]
    for src in vertices[::3]:
        for dst in vertices[::2]:
            check(built.routes, list(built.ends), built.graph, src, dst, 1)


def test_equal_routes_are_all_used_about_equally() -> None:
    """Four routes through four spines, 4,000 flows: each gets a quarter within 5 standard deviations (137)."""
    built = builders.get("leaf-spine")(nodes=8, nodes_per_leaf=4, spines=4)
    used = Counter(built.path("node-0", "node-4", label) for label in range(4000))
    assert len(used) == 4
    assert all(abs(count - 1000) < 137 for count in used.values())


def test_other_pairs_take_other_routes() -> None:
    built = builders.get("leaf-spine")(nodes=64, nodes_per_leaf=32, spines=2)
    used = Counter(built.path(f"node-{i}", f"node-{32 + i}")[1] for i in range(32))
    assert len(used) == 2
    assert max(used.values()) < 28


def test_choices_at_different_vertices_do_not_hang_together() -> None:
    """Six forks in a row have 64 routes. A linear hash picks alike at all forks and uses 2 of them (polarisation)."""
    ends = [pair for i in range(6) for way in "xy" for pair in ((f"v{i}", f"{way}{i}"), (f"{way}{i}", f"v{i + 1}"))]
    row = topology(*ends)
    assert len({row.path("v0", "v6", label) for label in range(1000)}) == 64


def test_parallel_links_are_equal_routes() -> None:
    twin = topology(("a", "b"), ("a", "b"))
    assert {twin.path("a", "b", label) for label in range(50)} == {(0,), (1,)}


def test_a_route_is_kept() -> None:
    built = builders.get("fat-tree")(k=4)
    assert built.path("node-0", "node-9", 3) is built.path("node-0", "node-9", 3)


def test_not_all_routes_of_a_long_run_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_KEPT", 10)
    built = builders.get("fat-tree")(k=4)
    first = [built.path("node-0", f"node-{i}") for i in range(16)]
    assert len(built.routes._paths) <= 10
    assert [built.path("node-0", f"node-{i}") for i in range(16)] == first


def test_routes_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from simulator.cluster.builders import builders; t = builders.get('fat-tree')(k=4);"
        "print([t.path('node-1', f'node-{i}', i) for i in range(2, 16)])"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(outputs) == 1


def test_there_and_back_on_one_vertex() -> None:
    assert topology(("a", "b")).path("a", "a") == ()


def test_what_cannot_be_reached_is_said() -> None:
    one_way = topology(("a", "b"), ("b", "c"), ("x", "y"))
    for src, dst in (("c", "a"), ("a", "x"), ("x", "c")):
        with pytest.raises(InputError, match=f"^there is no route from '{src}' to '{dst}'$"):
            one_way.path(src, dst)


def test_a_vertex_without_links_has_no_routes() -> None:
    lonely = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1.0}], {"c": {"accelerators": 1}})
    for src, dst in (("c", "a"), ("a", "c")):
        with pytest.raises(InputError, match=f"there is no route from '{src}' to '{dst}'"):
            lonely.path(src, dst)
    assert lonely.path("c", "c") == ()


def test_an_unknown_vertex_is_named_with_the_nearest() -> None:
    built = builders.get("single-switch")(nodes=2)
    with pytest.raises(InputError, match=r"^unknown vertex 'nod-1'\. Did you mean 'node-1'\? Known: node-0, "):
        built.path("nod-1", "node-0")


def dual_homed() -> Topology:
    """Four servers, each on two leaves that share a spine; accelerators hang off the servers."""
    ends = []
    for server in range(4):
        pair = "ab" if server < 2 else "cd"
        ends += both_ways(*((f"s{server}", f"leaf-{leaf}") for leaf in pair), (f"s{server}/0", f"s{server}"))
    ends += both_ways(*((f"leaf-{leaf}", "spine") for leaf in "abcd"))
    links = [{"src": src, "dst": dst, "capacity": 1.0} for src, dst in ends]
    graph = Topology.from_links(links, {f"s{server}": {"accelerators": 1} for server in range(4)}).graph
    for server in range(4):
        graph.nodes[f"s{server}/0"]["kind"] = "accelerator"
    return Topology(graph)


def number(built: Topology, src: str, dst: str) -> int:
    return built.ends.index((src, dst))


def vertices(built: Topology, route: tuple[int, ...] | None) -> list[str]:
    assert route is not None
    return [built.ends[link][1] for link in route]


def test_a_server_does_not_forward_what_is_not_its_own() -> None:
    """With the spine gone, leaf a could reach leaf b through a server of both, and does not."""
    built = dual_homed()
    search = Paths(built.routes.mesh)
    search.set_up(number(built, "leaf-a", "spine"), False)
    assert vertices(built, search.hashed("s0/0", "s2/0", 0))[:3] == ["s0", "leaf-b", "spine"]
    search.set_up(number(built, "leaf-b", "spine"), False)
    assert search.hashed("s0/0", "s2/0", 0) is None
    assert search.distance("s0", "s2") is None
    assert vertices(built, search.hashed("s0/0", "s1/0", 0))[1] in ("leaf-a", "leaf-b")


def test_servers_that_are_linked_to_each_other_forward() -> None:
    ends = both_ways(*((str(i), str((i + 1) % 5)) for i in range(5)))
    links = [{"src": src, "dst": dst, "capacity": 1.0} for src, dst in ends]
    ring = Topology.from_links(links, {str(i): {"accelerators": 1} for i in range(5)})
    assert vertices(ring, ring.path("0", "2")) == ["1", "2"]


def test_accelerators_with_rails_pass_through_their_own_servers_only() -> None:
    """Another rail is reached over a neighbour in the server, the spine, or a neighbour over there."""
    built = builders.get("rail-optimised")(nodes=4, nodes_per_unit=2)
    seen = {tuple(vertices(built, built.path("node-0/3", "node-1/4", label))) for label in range(60)}
    assert seen >= {("node-0", "node-0/4", "leaf-0-4", "node-1/4"), ("leaf-0-3", "node-1/3", "node-1", "node-1/4")}
    assert all(v.startswith(("node-0", "node-1", "leaf", "spine")) for route in seen for v in route)


def test_a_dead_rail_is_left_by_a_neighbour() -> None:
    built = builders.get("rail-optimised")(nodes=4, nodes_per_unit=2)
    search = Paths(built.routes.mesh)
    search.set_up(number(built, "node-0/3", "leaf-0-3"), False)
    route = vertices(built, search.hashed("node-0/3", "node-1/3", 0))
    assert route[0] == "node-0"
    assert route[-1] == "node-1/3"


@given(st.data())
def test_distances_after_links_go_and_come_are_those_of_the_links_left(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 8))
    vertex = st.integers(0, count - 1).map("v{}".format)
    ends = data.draw(st.lists(st.tuples(vertex, vertex), min_size=1, max_size=16))
    if data.draw(st.booleans()):
        ends = both_ways(*ends)
    search = Paths(Mesh(ends))
    up = [True] * len(ends)
    for _ in range(data.draw(st.integers(1, 6))):
        for src in {v for pair in ends for v in pair}:
            search.distance(src, ends[0][1])  # fills what is remembered
        link = data.draw(st.integers(0, len(ends) - 1))
        up[link] = not up[link]
        search.set_up(link, up[link])
        left = nx.MultiDiGraph([pair for pair, there in zip(ends, up, strict=True) if there])
        left.add_nodes_from(v for pair in ends for v in pair)
        for src in left:
            for dst in left:
                try:
                    hops = nx.shortest_path_length(left, src, dst)
                except nx.NetworkXNoPath:
                    hops = None
                assert search.distance(src, dst) == hops
                route = search.hashed(src, dst, 1)
                assert (route is None) == (hops is None)
                assert route is None or (len(route) == hops and all(up[there] for there in route))


def make(built: Topology, mode: str, flows: int = 1, load: Load = lambda link, more: more, **options: object) -> Mode:
    return modes.get(mode)(paths=Paths(built.routes.mesh), flows=flows, load=load, **options)


def test_modes_are_found_by_name() -> None:
    assert modes.names() == ["adaptive", "ecmp", "explicit", "spray"]
    with pytest.raises(InputError, match=r"^unknown routing 'spay'\. Did you mean 'spray'\?"):
        modes.get("spay")


def test_one_flow_of_ecmp_takes_the_path_of_the_topology() -> None:
    built = builders.get("fat-tree")(k=4)
    ecmp = make(built, "ecmp")
    for label in range(5):
        route = built.path("node-0", "node-9", label)
        way = ecmp.way("node-0", "node-9", label)
        assert way is not None
        assert (way.links, way.usage, way.flows) == (route, (1.0,) * 6, 1)
        assert way.latency == pytest.approx(built.latency[list(route)].sum())


def test_flows_of_a_message_are_hashed_apart() -> None:
    built = builders.get("leaf-spine")(nodes=8, nodes_per_leaf=4, spines=4)
    way = make(built, "ecmp", flows=64).way("node-0", "node-4", 0)
    assert way is not None
    used = dict(zip(way.links, way.usage, strict=True))
    spines = [used[number(built, "leaf-0", f"spine-{spine}")] for spine in range(4)]
    assert sum(spines) == pytest.approx(1.0)
    assert all(8 / 64 <= share <= 26 / 64 for share in spines)  # 16 of 64, and three standard deviations
    assert used[number(built, "node-0", "leaf-0")] == 1.0
    assert way.flows == 64


@pytest.mark.parametrize(
    ("build", "parameters", "src", "dst"),
    [
        ("fat-tree", {"k": 8}, "node-0", "node-100"),
        ("torus", {"sides": [4, 4, 4], "node": "tpu-v4-host"}, "node-0/0", "node-9/1"),
        ("dragonfly", {"terminals": 2}, "node-0", "node-30"),
        ("rail-optimised", {"nodes": 4, "nodes_per_unit": 2}, "node-0/3", "node-3/4"),
    ],
)
def test_a_spray_conserves_bytes_and_is_even(build: str, parameters: dict, src: str, dst: str) -> None:
    built = builders.get(build)(**parameters)
    way = make(built, "spray").way(src, dst, 0)
    assert way is not None
    balance: Counter[str] = Counter()
    out: dict[str, list[float]] = {}
    for link, share in zip(way.links, way.usage, strict=True):
        tail, head = built.ends[link]
        balance[tail] -= share
        balance[head] += share
        out.setdefault(tail, []).append(share)
    assert balance.pop(src) == pytest.approx(-1.0)
    assert balance.pop(dst) == pytest.approx(1.0)
    assert all(abs(rest) < 1e-12 for rest in balance.values())
    assert all(max(shares) == pytest.approx(min(shares)) for shares in out.values())
    lengths = {len(built.path(src, dst, label)) for label in range(5)}
    assert len(lengths) == 1
    assert sum(way.usage) == pytest.approx(lengths.pop())


def test_parallel_links_are_sprayed_too() -> None:
    way = make(topology(("a", "b"), ("a", "b"), ("b", "c")), "spray").way("a", "c", 0)
    assert way is not None
    assert (way.links, way.usage) == ((0, 1, 2), (0.5, 0.5, 1.0))


def test_adaptive_takes_the_way_whose_worst_link_is_best() -> None:
    """All of the load is on first links but one, and on the link behind that one it is worse still."""
    pairs = [("a", "x"), ("x", "b"), ("a", "y"), ("y", "b"), ("a", "z"), ("z", "b")]
    built = topology(*pairs)
    loads = [3.0, 0.0, 0.0, 5.0, 2.0, 4.0]
    way = make(built, "adaptive", load=lambda link, more: loads[link] + more).way("a", "b", 0)
    assert way is not None
    assert way.links == (0, 1)


def test_adaptive_spreads_the_flows_of_a_message() -> None:
    pairs = [(a, b) for way in "xyz" for a, b in (("a", way), (way, "b"))]
    way = make(topology(*pairs), "adaptive", flows=6).way("a", "b", 0)
    assert way is not None
    assert way.usage == pytest.approx([1 / 3] * 6)


def test_adaptive_breaks_ties_by_hash() -> None:
    built = builders.get("leaf-spine")(nodes=8, nodes_per_leaf=4, spines=4)
    adaptive = make(built, "adaptive")
    used = Counter(way.links[1] for label in range(400) if (way := adaptive.way("node-0", "node-4", label)))
    assert len(used) == 4
    assert all(abs(count - 100) < 45 for count in used.values())


def test_explicit_routes_are_taken_and_checked() -> None:
    pairs = [("a", "x"), ("x", "b"), ("a", "b")]
    built = topology(*pairs)
    explicit = make(built, "explicit", routes={("a", "b"): [0, 1]})
    way = explicit.way("a", "b", 0)
    assert way is not None
    assert way.links == (0, 1)
    for routes, text in (
        ({("a", "b"): [7]}, "route [7]: there is no link 7; links are 0 to 2"),
        ({("a", "b"): [1]}, "route [1]: link 1 starts at 'x', not at 'a'"),
        ({("a", "b"): [0]}, "route [0] leads from 'a' to 'x', not to 'b'"),
    ):
        with pytest.raises(InputError) as caught:
            make(built, "explicit", routes=routes)
        assert str(caught.value) == text
    with pytest.raises(InputError, match=r"^no explicit route was given from 'b' to 'a'$"):
        explicit.way("b", "a", 0)


@pytest.mark.parametrize("mode", ["ecmp", "spray", "adaptive"])
def test_no_way_is_none(mode: str) -> None:
    built = topology(("a", "b"), ("b", "c"))
    search = Paths(built.routes.mesh)
    search.set_up(1, False)
    chosen = modes.get(mode)(paths=search, flows=2, load=lambda link, more: more)
    assert chosen.way("a", "c", 0) is None
    assert chosen.way("a", "b", 0) is not None


def test_a_route_that_crosses_a_link_twice_uses_it_twice() -> None:
    assert way_of([(0, 1, 0)], [1.0, 2.0]) == Way((0, 1), (2.0, 1.0), 4.0, 1)
    assert way_of([(0, 1), (0, 2)], [1.0, 2.0, 5.0]) == Way((0, 1, 2), (1.0, 0.5, 0.5), 6.0, 2)
