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
from simulator.cluster.routing import Routes, paths
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
