"""Any networkx graph as a topology, and the files that networkx writes."""

from __future__ import annotations

import io
import json
import xml.parsers.expat
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import networkx as nx

from simulator.cluster import catalog
from simulator.cluster.attachment import ACCELERATOR, SERVER, SWITCH
from simulator.cluster.explicit import SERVER_FIELDS, value_of
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem, nearest

LINK_FIELDS = {"capacity": "bandwidth", "latency": "time", "tier": "", "item": "", "cables": "count"}
_VERTEX_FIELDS: Mapping[str, Mapping[str, str]] = {
    SERVER: SERVER_FIELDS | {"unit": ""},
    ACCELERATOR: {"server": "", "device": "count", "item": ""},
    SWITCH: {"item": "", "link": "", "ports": "count", "tier": "count"},
}
_SHOWN = 40
"""Problems of one file that are shown."""
_RECORDS = {(SERVER, "record"): "server", (SWITCH, "item"): "switch", (SWITCH, "link"): "link"}
"""Attributes that must be records of the catalog, and of which kind."""


def from_graph(graph: nx.Graph[Any], name: str = "") -> Topology:
    """Return the topology of a graph: see ``Topology.from_networkx``."""
    if not isinstance(graph, nx.Graph):
        raise InputError(f"a {type(graph).__name__} is not a networkx graph")
    made: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    problems: list[Problem] = []
    names: dict[str, Any] = {}
    for vertex, data in graph.nodes(data=True):
        if names.setdefault(str(vertex), vertex) != vertex:
            problems.append(Problem(f"vertices {names[str(vertex)]!r} and {vertex!r} have the same name as text"))
        try:
            made.add_node(str(vertex), **_vertex(data))
        except ValueError as error:
            problems.append(Problem(f"vertex {vertex}: {error}"))
    _lay(graph, made, problems)
    if problems:
        more = len(problems) - _SHOWN
        raise InputError(*problems[:_SHOWN], *([Problem(f"... and {more:,} more")] if more > 0 else []))
    topology = Topology(made, name or str(graph.graph.get("name", "")) or "graph")
    topology.check_connected()
    return topology


def _vertex(data: Mapping[str, Any]) -> dict[str, Any]:
    kind = data.get("kind", SWITCH)
    if not isinstance(kind, str) or kind not in _VERTEX_FIELDS:
        raise ValueError(f"kind {kind!r} is none of {', '.join(_VERTEX_FIELDS)}")
    fields = _VERTEX_FIELDS[kind]
    found = {key: value_of(key, value, fields[key]) for key, value in data.items() if key in fields}
    if kind == SERVER and "accelerators" not in found:
        raise ValueError(f"has no accelerators{_meant(data, 'accelerators')}")
    for key, value in found.items():
        if (kind, key) in _RECORDS and value:
            _known(_RECORDS[kind, key], str(value))
    return {"kind": kind, **found}


def _lay(graph: nx.Graph[Any], made: nx.MultiDiGraph[str], problems: list[Problem]) -> None:
    """Add the edges of ``graph`` as links."""
    edges = list(graph.edges(data=True))
    numbered = graph.is_directed() and all("index" in data for _, _, data in edges)
    links = 0
    for src, dst, data in edges:
        try:
            fields = _edge(data)
        except ValueError as error:
            arrow = "->" if graph.is_directed() else "-"
            problems.append(Problem(f"link {src} {arrow} {dst} {error}"))
            continue
        made.add_edge(str(src), str(dst), index=data["index"] if numbered else links, **fields)
        links += 1
        if not graph.is_directed():
            made.add_edge(str(dst), str(src), index=links, **fields | {"cables": 0})
            links += 1


def _edge(data: Mapping[str, Any]) -> dict[str, Any]:
    if "capacity" not in data:
        raise ValueError(f"has no capacity{_meant(data, 'capacity')}")
    found = {key: value_of(key, value, LINK_FIELDS[key]) for key, value in data.items() if key in LINK_FIELDS}
    if "cables" in found:
        found["cables"] = int(found["cables"])
        if found["cables"] and found.get("item"):
            _known("link", found["item"])
    return found


def _known(kind: str, name: str) -> None:
    try:
        catalog.get(kind, name)
    except InputError as error:
        raise ValueError(str(error)) from None


def _meant(data: Mapping[str, Any], wanted: str) -> str:
    close = nearest(wanted, [key for key in data if isinstance(key, str)])
    return f"; is it {close!r}?" if close else ""


def graphml(text: str) -> nx.Graph[Any]:
    """Return the graph of a GraphML text. A document type, and with it every entity, is refused."""
    parser = xml.parsers.expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(text.encode(), True)
        return nx.read_graphml(io.BytesIO(text.encode()))
    except xml.parsers.expat.ExpatError as error:
        raise InputError(Problem(f"not XML: {xml.parsers.expat.ErrorString(error.code)}", line=error.lineno)) from None
    except (nx.NetworkXException, ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(f"not GraphML as networkx writes it: {_said(error)}") from None


def _refuse(*_: Any) -> None:
    raise InputError("a document type (DOCTYPE) is refused: GraphML needs none")


def node_link(text: str) -> nx.Graph[Any]:
    """Return the graph of a JSON text as ``networkx.node_link_data`` makes it, its edges under "edges" or "links"."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(Problem(f"not JSON: {error.msg}", line=error.lineno, column=error.colno)) from None
    except (RecursionError, ValueError):
        raise InputError("not JSON: nested too deeply, or a number with too many digits") from None
    problems = list(islice(_misshapen(data), _SHOWN))
    if problems:
        raise InputError(*problems)
    edges = "edges" if "edges" in data else "links"
    try:
        graph: nx.Graph[Any] = nx.node_link_graph(data, edges=edges)
    except (nx.NetworkXException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"not a node-link graph as networkx writes it: {_said(error)}") from None
    return graph


def _misshapen(data: Any) -> Iterator[str]:
    if not isinstance(data, dict):
        yield "a node-link graph is a mapping with nodes and edges (networkx.node_link_data writes it)"
        return
    nodes, edges = data.get("nodes"), data.get("edges", data.get("links"))
    for what, parts, ends in (("nodes", nodes, ("id",)), ("edges", edges, ("source", "target"))):
        if not isinstance(parts, list):
            yield f"a node-link graph has a list of {what}"
            continue
        for number, part in enumerate(parts):
            for key in ends:
                if not isinstance(part, dict) or not isinstance(part.get(key), str | int):
                    yield f"{what}[{number}] has no {key} that is text or a number"
    if not isinstance(data.get("graph", {}), dict):
        yield "graph is not a mapping"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


READERS: Mapping[str, Callable[[str], nx.Graph[Any]]] = {".graphml": graphml, ".json": node_link}
"""Suffix of a file -> how its text becomes a graph."""


def read_graph(path: Path) -> Topology:
    """Read a graph file, by its suffix, as a topology called like the file; errors name the file."""
    from simulator.cluster.files import read_text

    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(Problem(f"a graph file ends in {' or '.join(READERS)}", file=str(path)))
    try:
        return from_graph(reader(read_text(path)), path.stem)
    except InputError as error:
        raise InputError(
            *(Problem(p.text, p.file or str(path), p.line, p.column, p.path, p.source, p.hint) for p in error.problems)
        ) from None
