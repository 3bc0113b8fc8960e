"""Maximum flow between sets, against networkx on the network as it is."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster import cut
from simulator.cluster.builders import builders
from simulator.cluster.cut import max_flow
from simulator.cluster.topology import Topology

Links = list[tuple[str, str, float]]


def plain(links: Links, sources: list[str], sinks: list[str]) -> float:
    """The same by networkx, without merging anything."""
    graph = nx.DiGraph()
    graph.add_nodes_from(("from", "to"))
    for src, dst, capacity in links:
        before = graph.edges[src, dst]["capacity"] if graph.has_edge(src, dst) else 0.0
        graph.add_edge(src, dst, capacity=before + capacity)
    graph.add_edges_from(("from", source) for source in sources)
    graph.add_edges_from((sink, "to") for sink in sinks)
    return float(nx.maximum_flow_value(graph, "from", "to"))


def networks() -> st.SearchStrategy[Links]:
    vertex = st.sampled_from("abcdefgh")
    link = st.tuples(vertex, vertex, st.sampled_from([1.0, 2.0, 3.5]))
    return st.lists(link.filter(lambda link: link[0] != link[1]), max_size=24)


@settings(max_examples=200, deadline=None)
@given(networks())
def test_any_network(links: Links) -> None:
    """Vertices that only look alike in part must not be merged."""
    assert max_flow(links, ["a", "b"], ["g", "h"]) == pytest.approx(plain(links, ["a", "b"], ["g", "h"]), rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(networks())
def test_whole_numbers_of_scipy_agree(links: Links) -> None:
    before = cut._FEW
    cut._FEW = 0
    try:
        found = max_flow(links, ["a", "b"], ["g", "h"])
    finally:
        cut._FEW = before
    assert found == pytest.approx(plain(links, ["a", "b"], ["g", "h"]), rel=1e-8)


@pytest.mark.parametrize(
    ("builder", "parameters"),
    [
        ("fat-tree", {"k": 4, "oversubscription": 3.0}),
        ("leaf-spine", {"nodes": 10, "nodes_per_leaf": 3, "spines": 2, "oversubscription": 2.0}),
        ("rail-optimised", {"nodes": 7, "nodes_per_unit": 2, "spines": 3}),
        ("hpn", {"segments": 3, "hosts": 3}),
        ("dragonfly", {"terminals": 1, "groups": 3}),
        ("torus", {"sides": [4, 8]}),
    ],
)
def test_built_networks(builder: str, parameters: dict[str, Any]) -> None:
    made: Topology = builders.get(builder)(**parameters)
    half = len(made.servers) // 2
    ports = [[made.endpoint(i, d) for d in range(server.accelerators)] for i, server in enumerate(made.servers)]
    sides = [list(dict.fromkeys(port for own in part for port in own)) for part in (ports[:half], ports[half:])]
    links = [(*ends, capacity) for ends, capacity in zip(made.ends, made.capacity.tolist(), strict=True)]
    assert made.bisection() == pytest.approx(plain(links, *sides), rel=1e-12)


def test_nothing_flows_where_there_is_no_way() -> None:
    assert max_flow([("a", "b", 1.0)], ["b"], ["a"]) == 0.0
    assert max_flow([], ["a"], ["b"]) == 0.0


def test_a_long_chain_is_as_wide_as_its_narrowest_link() -> None:
    links = [(str(i), str(i + 1), 5.0 + i % 3) for i in range(5000)]
    assert max_flow(links, ["0"], ["5000"]) == pytest.approx(5.0, rel=1e-8)
