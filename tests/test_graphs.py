"""Graphs of one's own: networkx, GraphML and node-link JSON, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from simulator.cluster import files
from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.scenario.schema import read_topology


def pair(kind: type[nx.Graph] = nx.Graph) -> nx.Graph:
    """Two servers on a switch."""
    graph = kind()
    for name in ("a", "b"):
        graph.add_node(name, kind="server", accelerators=4, nic="50 Gb/s", rack=7)
        graph.add_edge(name, "switch", capacity="100 Gb/s", latency="2 us", cables=2)
        if graph.is_directed():
            graph.add_edge("switch", name, capacity=12.5e9)
    return graph


def message(call: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return str(caught.value)


def said(tmp_path: Path, name: str, text: str | bytes) -> str:
    """What loading such a file says, with F for its name."""
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return message(Topology.load, file).replace(str(file), "F")


def same(a: Topology, b: Topology) -> bool:
    return (a.ends, a.capacity.tolist(), a.latency.tolist(), a.servers, a.tiers) == (
        b.ends, b.capacity.tolist(), b.latency.tolist(), b.servers, b.tiers
    )  # fmt: skip


def test_an_edge_of_an_undirected_graph_is_two_links() -> None:
    graph = pair()
    made = Topology.from_networkx(graph, "mine")
    assert made.ends == (("a", "switch"), ("switch", "a"), ("switch", "b"), ("b", "switch"))
    assert made.capacity.tolist() == [12.5e9] * 4
    assert made.latency.tolist() == [2e-6] * 4
    assert [(line.kind, line.count) for line in made.bill()] == [("server", 2), ("switch", 1), ("cable", 4)]
    assert (made.name, made.accelerators, made.servers[0].nic) == ("mine", 8, 6.25e9)
    assert graph.nodes["a"] == {"kind": "server", "accelerators": 4, "nic": "50 Gb/s", "rack": 7}
    assert "index" not in graph.edges["a", "switch"]


def test_a_directed_graph_stays_as_it_is() -> None:
    made = Topology.from_networkx(pair(nx.DiGraph))
    assert made.latency.tolist() == [2e-6, 0.0, 0.0, 2e-6]
    assert made.ends == (("a", "switch"), ("switch", "a"), ("switch", "b"), ("b", "switch"))


def test_parallel_edges_are_parallel_links() -> None:
    graph = nx.MultiGraph()
    graph.add_nodes_from((0, 1), kind="server", accelerators=1)
    graph.add_edges_from([(0, 1, {"capacity": 1.0}), (0, 1, {"capacity": 2.0})])
    made = Topology.from_networkx(graph)
    assert made.ends == (("0", "1"), ("1", "0")) * 2
    assert made.bisection() == 3.0


def test_vertices_become_text() -> None:
    grid = nx.grid_2d_graph(2, 2)
    nx.set_edge_attributes(grid, 1e9, "capacity")
    made = Topology.from_networkx(grid)
    assert made.ends[made.path("(0, 0)", "(0, 1)")[0]] == ("(0, 0)", "(0, 1)")


def test_numpy_numbers_are_numbers() -> None:
    graph = pair()
    graph.edges["a", "switch"].update(capacity=np.float64(5e9), cables=np.int64(1))
    graph.nodes["a"]["accelerators"] = np.int64(2)
    made = Topology.from_networkx(graph)
    assert (made.capacity[0], made.servers[0].accelerators) == (5e9, 2)


def test_accelerators_with_links_of_their_own() -> None:
    graph = nx.Graph()
    for name in "ab":
        graph.add_node(name, kind="server", accelerators=2)
        for number in range(2):
            graph.add_node(f"{name}/{number}", kind="accelerator")
            graph.add_edge(f"{name}/{number}", name, capacity="450 GB/s", tier="scale-up")
            graph.add_edge(f"{name}/{number}", f"rail-{number}", capacity="400 Gb/s", tier="host")
    graph.add_edge("rail-0", "rail-1", capacity="400 Gb/s")
    made = Topology.from_networkx(graph)
    assert made.wired
    assert [made.endpoint(1, device) for device in range(2)] == ["b/0", "b/1"]
    assert [made.ends[link][1] for link in made.path("a/1", "b/1")] == ["rail-1", "b/1"]
    assert made.neighbourhood("a") == made.neighbourhood("b") == "rail-0"
    assert made.bisection() == 100e9
    assert made.hops(0, 1) == 2


def test_what_is_wrong_with_a_graph_comes_at_once() -> None:
    graph = nx.Graph()
    graph.add_node("a", kind="server", acelerators=8)
    graph.add_node("b", kind="server", accelerators=-1)
    graph.add_node("c", kind="sever")
    graph.add_node("d", kind="server", accelerators=1, record="dgx-h10")
    graph.add_edge("a", "s")
    graph.add_edge("b", "s", capacty=5e9)
    graph.add_edge("c", "s", capacity="fast")
    graph.add_edge("d", "s", capacity=1e9, cables=1, item="infiniband-nd")
    assert [line.partition(" Known")[0] for line in message(Topology.from_networkx, graph).splitlines()] == [
        "vertex a: has no accelerators; is it 'acelerators'?",
        "vertex b: accelerators is -1; it must be 0 or more",
        "vertex c: kind 'sever' is none of server, accelerator, switch",
        "vertex d: unknown server 'dgx-h10'. Did you mean 'nvidia/dgx-h100'?",
        "link a - s has no capacity",
        "link b - s has no capacity; is it 'capacty'?",
        "link c - s capacity: 'fast' is not a bandwidth; write for example '400 Gb/s'",
        "link d - s unknown link 'infiniband-nd'. Did you mean 'infiniband-ndr'?",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda g: g.edges["a", "switch"].update(capacity=0), "link 0 (a -> switch) has capacity 0"),
        (lambda g: g.edges["a", "switch"].update(capacity=-1.0), "link 0 (a -> switch) has capacity -1.0"),
        (lambda g: g.edges["a", "switch"].update(capacity=float("nan")), "link 0 (a -> switch) has capacity nan"),
        (lambda g: g.edges["a", "switch"].update(latency=-1.0), "link 0 (a -> switch) has latency -1.0"),
        (lambda g: g.add_edge("a", "a", capacity=1.0), "link 2 (a -> a) ends where it starts"),
        (lambda g: g.add_node("c", kind="server", accelerators=1), "'c' has no way both from and to 'a'"),
        (
            lambda g: g.edges["a", "switch"].update(cables=1.5),
            "link a - switch cables is 1.5; it must be a whole number",
        ),
        (lambda g: g.nodes["a"].update(kind=["server"]), "vertex a: kind ['server'] is none of server, accelerator, "),
        (lambda g: g.nodes["switch"].update(item="qm97"), "vertex switch: unknown switch 'qm97'."),
    ],
)
def test_bad_graphs_are_refused(change: Any, expected: str) -> None:
    graph = pair()
    change(graph)
    assert message(Topology.from_networkx, graph).startswith(expected)


def test_many_problems_are_counted() -> None:
    lines = message(Topology.from_networkx, nx.path_graph(1000)).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("link 0 - 1 has no capacity", "... and 959 more", 41)


def test_two_vertices_may_not_become_one() -> None:
    graph = nx.Graph([(1, "1", {"capacity": 1.0})])
    assert message(Topology.from_networkx, graph).startswith("vertices 1 and '1' have the same name as text")
    assert message(Topology.from_networkx, [1]) == "a list is not a networkx graph"


@pytest.mark.parametrize(
    ("builder", "parameters"),
    [
        ("superpod", {"su": 1}),
        ("hpn", {"segments": 2, "hosts": 2, "pods": 2}),
        ("torus", {"sides": [4, 4, 4], "node": "tpu-v4-host"}),
        ("leaf-spine", {"nodes": 4, "nodes_per_leaf": 2}),
    ],
)
def test_what_was_built_can_be_written_and_read(tmp_path: Path, builder: str, parameters: dict[str, Any]) -> None:
    made: Topology = builders.get(builder)(**parameters)
    nx.write_graphml(made.graph, tmp_path / "g.graphml")
    (tmp_path / "g.json").write_text(json.dumps(nx.node_link_data(made.graph, edges="edges")))
    (tmp_path / "old.json").write_text(json.dumps(nx.node_link_data(made.graph, edges="links")))
    for name in ("g.graphml", "g.json", "old.json"):
        again = Topology.load(tmp_path / name)
        assert same(made, again)
        assert again.name == name.partition(".")[0]
        assert [made.endpoint(1, d) for d in range(4)] == [again.endpoint(1, d) for d in range(4)]
        assert [made.neighbourhood(s.name) for s in made.servers] == [
            again.neighbourhood(s.name) for s in again.servers
        ]
        count = len([line for line in made.bill() if line not in made.extras])
        assert again.bill() == made.bill()[:count]


def test_a_file_through_the_builder(tmp_path: Path) -> None:
    nx.write_graphml(pair(), tmp_path / "mine.graphml")
    (tmp_path / "t.yaml").write_text("build: graph\nname: my own\nfile: mine.graphml\n")
    made = Topology.load(tmp_path / "t.yaml")
    assert (made.name, len(made.ends)) == ("my own", 4)
    source = read_topology(tmp_path / "t.yaml")
    assert source.build is not None
    assert same(source.build.make(), made)


BOMB = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><graphml>&b;</graphml>'
GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{}</graphml>'


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("g.graphml", BOMB, "F: a document type (DOCTYPE) is refused: GraphML needs none"),
        (
            "g.graphml",
            '<!DOCTYPE g SYSTEM "file:///etc/passwd"><graphml/>',
            "F: a document type (DOCTYPE) is refused: GraphML needs none",
        ),
        ("g.graphml", BOMB.encode("utf-16"), "F: cannot read the topology: not UTF-8 text (byte 0)"),
        ("g.graphml", "", "F:1: not XML: no element found"),
        ("g.graphml", "<graphml>\n<graph", "F:2: not XML: unclosed token"),
        ("g.graphml", "hello", "F:1: not XML: syntax error"),
        ("g.graphml", "<html/>", "F: not GraphML as networkx writes it: "),
        ("g.graphml", GRAPHML.format(""), "F: not GraphML as networkx writes it: "),
        (
            "g.graphml",
            GRAPHML.format('<graph edgedefault="directed"><node id="a"/><edge source="a" target="b"/></graph>'),
            "F: link a -> b has no capacity",
        ),
        (
            "g.graphml",
            GRAPHML.format('<graph edgedefault="directed"><node id="a"><data key="d0">1</data></node></graph>'),
            "F: not GraphML as networkx writes it: NetworkXError: Bad GraphML data: no key d0",
        ),
        ("g.graphml", '<?xml version="1.0" encoding="xyz"?><graphml/>', "F: not GraphML as networkx writes it: "),
        ("g.json", "", "F:1:1: not JSON: Expecting value"),
        ("g.json", "{", "F:1:2: not JSON: Expecting property name enclosed in double quotes"),
        ("g.json", "[" * 100_000, "F: not JSON: nested too deeply, or a number with too many digits"),
        ("g.json", "[]", "F: a node-link graph is a mapping with nodes and edges (networkx.node_link_data writes it)"),
        ("g.json", "{}", "F: a node-link graph has a list of nodes\nF: a node-link graph has a list of edges"),
        ("g.json", '{"nodes": [{}], "edges": [1]}', "F: nodes[0] has no id that is text or a number\n"
         "F: edges[0] has no source that is text or a number\nF: edges[0] has no target that is text or a number"),
        ("g.json", '{"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "b"}]}',
         "F: link a - b has no capacity"),
        ("g.json", '{"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "a", "key": []}], "multigraph": true}',
         "F: not a node-link graph as networkx writes it: TypeError: unhashable type: 'list'"),
        ("g.json", '{"graph": 1, "nodes": [], "edges": []}', "F: graph is not a mapping"),
        ("g.json", '{"nodes": [{"id": "a", "kind": "server", "accelerators": 1e999}], "edges": []}',
         "F: vertex a: accelerators is inf; it must be a whole number"),
        ("g.json", b"\xff", "F: cannot read the topology: not UTF-8 text (byte 0)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, name: str, text: str | bytes, expected: str) -> None:
    assert said(tmp_path, name, text).startswith(expected)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert message(Topology.load, tmp_path / "none.json").endswith(
        "cannot read the topology: No such file or directory"
    )
    (tmp_path / "folder.json").mkdir()
    assert message(Topology.load, tmp_path / "folder.json").endswith("cannot read the topology: it is a folder")
    wrong = message(builders.get("graph"), tmp_path / "g.gexf")
    assert wrong.endswith("g.gexf: a graph file ends in .graphml or .json")
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    assert said(tmp_path, "large.json", " " * 101).endswith("it is larger than 0 MiB")


def test_a_device_is_not_read() -> None:
    assert message(builders.get("graph"), Path("/dev/null")).endswith("a graph file ends in .graphml or .json")
    assert message(Topology.load, Path("/dev/zero")).endswith("it is not a regular file")
