"""The cluster as a networkx graph: servers, accelerators, switches, and the directed links between them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from simulator.cluster.routing import Routes
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse

SERVER, SWITCH, ACCELERATOR = "server", "switch", "accelerator"


@dataclass(frozen=True, slots=True)
class Server:
    """A machine that jobs are placed on. Memory in bytes, bandwidth in bytes/s."""

    name: str
    accelerators: int
    accelerator: str = ""
    """Catalog id or model name of its accelerators."""
    cores: float = math.inf
    memory: float = math.inf
    record: str = ""
    """Catalog id of the server."""
    scale_up: float = math.inf
    """Bandwidth of one accelerator inside the server (NVLink, ICI, PCIe), one direction."""
    scale_up_latency: float = 0.0
    """Seconds for one message between two accelerators of the server."""
    nic: float = math.inf
    """Bandwidth that one accelerator can push out of the server, one direction."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill of materials; prices in US dollars and power in watts apiece, None when not known."""

    kind: str
    item: str
    count: int
    unit_price: float | None
    power: float | None
    source: str


class Topology:
    """Servers and links.

    ``graph`` is a ``networkx.MultiDiGraph``. A vertex has ``kind``: ``server`` (with ``accelerators`` and the other
    fields of ``Server``), ``accelerator``, or ``switch``. An edge is one directed link with ``capacity`` (bytes/s of
    goodput), ``latency`` (s), ``index`` (its number), and if known ``item`` (catalog id) and ``cables`` (parallel
    cables that it stands for). A bidirectional cable is two links.

    Raises ``InputError`` naming the link when a capacity or latency is negative, NaN or infinite.

    >>> line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1e9, "latency": 1e-6}])
    >>> line.path("a", "b")
    (0,)
    """

    def __init__(self, graph: nx.MultiDiGraph, name: str = "") -> None:
        self.graph = graph
        self.name = name
        edges = sorted(graph.edges(data=True), key=lambda edge: int(edge[2]["index"]))
        self.ends: tuple[tuple[str, str], ...] = tuple((src, dst) for src, dst, _ in edges)
        self.capacity = np.array([edge["capacity"] for _, _, edge in edges], dtype=float)
        self.latency = np.array([edge["latency"] for _, _, edge in edges], dtype=float)
        self._check(edges)
        self.servers: tuple[Server, ...] = tuple(
            Server(name=vertex, **{key: data[key] for key in _SERVER_FIELDS if key in data})
            for vertex, data in graph.nodes(data=True)
            if data.get("kind") == SERVER
        )

    @classmethod
    def from_links(
        cls,
        links: Iterable[Mapping[str, Any]],
        servers: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "links",
    ) -> Topology:
        """Make a topology of explicit directed links, numbered by position.

        Each link has ``src``, ``dst``, ``capacity`` (bytes/s, or text as "100 Gb/s") and ``latency`` (s, or text;
        default 0). ``servers`` maps vertices that jobs may run on to their ``Server`` fields; a vertex that no one
        calls a server is a switch.
        """
        graph = nx.MultiDiGraph()
        for vertex, data in (servers or {}).items():
            graph.add_node(vertex, kind=SERVER, **data)
        problems: list[Problem] = []
        for index, link in enumerate(links):
            try:
                _add_explicit(graph, index, link)
            except (UnitError, KeyError, TypeError, ValueError) as error:
                what = f"has no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
                problems.append(Problem(f"link {index}: {what}", hint="a link has src, dst, capacity and latency"))
        if problems:
            raise InputError(*problems)
        return cls(graph, name)

    @classmethod
    def load(cls, path: str | Path) -> Topology:
        """Read a topology file: YAML with either ``build`` and its parameters, or ``links`` and ``servers``."""
        from simulator.cluster.files import load_topology

        return load_topology(Path(path))

    def _check(self, edges: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        problems = [
            Problem(f"link {i} ({src} -> {dst}) has {what} {value!r}", hint="it must be a finite number, 0 or more")
            for i, (src, dst, _) in enumerate(edges)
            for what, value in (("capacity", float(self.capacity[i])), ("latency", float(self.latency[i])))
            if not 0 <= value < math.inf
        ]
        if problems:
            raise InputError(*problems)

    @cached_property
    def routes(self) -> Routes:
        """Shortest-path routing with ECMP over this topology."""
        return Routes(self.ends)

    @cached_property
    def accelerators(self) -> int:
        """Accelerators of all servers."""
        return sum(server.accelerators for server in self.servers)

    @cached_property
    def server_index(self) -> dict[str, int]:
        """Server name -> its position in ``servers``."""
        return {server.name: index for index, server in enumerate(self.servers)}

    def path(self, src: str, dst: str, label: int = 0) -> tuple[int, ...]:
        """Return the links of the route from ``src`` to ``dst`` (vertices), by index.

        Among equally short routes the one is taken that hashing (src, dst, ``label``) picks, as ECMP does. Raises
        ``InputError`` for an unknown vertex or when no route exists.
        """
        for vertex in (src, dst):
            if vertex not in self.graph:
                raise InputError(f"unknown vertex {vertex!r}. {did_you_mean(vertex, map(str, self.graph))}")
        return self.routes.path(src, dst, label)

    def check_route(self, route: Sequence[int], src: str = "", dst: str = "") -> tuple[int, ...]:
        """Return ``route`` if its links exist, hang together and join ``src`` to ``dst``; else raise ``InputError``."""
        for link in route:
            if not 0 <= link < len(self.ends):
                raise InputError(f"route {list(route)}: there is no link {link}; links are 0 to {len(self.ends) - 1}")
        for first, second in zip(route, route[1:], strict=False):
            if self.ends[first][1] != self.ends[second][0]:
                raise InputError(
                    f"route {list(route)} is not connected: link {first} ends at {self.ends[first][1]!r}, "
                    f"link {second} starts at {self.ends[second][0]!r}"
                )
        if route and src and self.ends[route[0]][0] != src:
            raise InputError(f"route {list(route)} starts at {self.ends[route[0]][0]!r}, not at {src!r}")
        if route and dst and self.ends[route[-1]][1] != dst:
            raise InputError(f"route {list(route)} ends at {self.ends[route[-1]][1]!r}, not at {dst!r}")
        return tuple(route)

    def hops(self, first: int, second: int) -> int:
        """Links between two servers, given by index; 0 for the same server or when there is no network."""
        a, b = self.servers[first].name, self.servers[second].name
        return 0 if first == second or not self.has_network else self.routes.distance(a, b)

    def neighbourhood(self, server: str) -> str:
        """The switch that a server hangs off; the server itself when it has several, or none."""
        return self.routes.parent(server) if self.has_network else server

    @cached_property
    def has_network(self) -> bool:
        """Whether any link leaves a server."""
        kinds = self.graph.nodes
        return any(SERVER in (kinds[a].get("kind"), kinds[b].get("kind")) and not _inside(kinds, a, b) for a, b in self.ends)

    def bisection(self) -> float:
        """Bandwidth (bytes/s, one direction) between the first and the second half of the servers, by max flow.

        Servers are halved in their order; that is the worst half for the regular topologies built here, and a sound
        reading of "bisection" for them. 0 without a network.
        """
        if not self.has_network or len(self.servers) < 2:
            return 0.0
        flat = nx.DiGraph()
        for (src, dst), capacity in zip(self.ends, self.capacity.tolist(), strict=True):
            before = flat.edges[src, dst]["capacity"] if flat.has_edge(src, dst) else 0.0
            flat.add_edge(src, dst, capacity=before + capacity)
        half = len(self.servers) // 2
        for server in self.servers[:half]:
            flat.add_edge(_SOURCE, server.name)
        for server in self.servers[half:]:
            flat.add_edge(server.name, _SINK)
        return float(nx.maximum_flow_value(flat, _SOURCE, _SINK))

    def bill(self) -> list[BillLine]:
        """Bill of materials: servers, switches and cables with price and power from the catalog."""
        from simulator.cluster.materials import bill_of_materials

        return bill_of_materials(self)

    def summary(self) -> dict[str, Any]:
        """Counts that describe the topology."""
        kinds = Counter(data.get("kind", SWITCH) for _, data in self.graph.nodes(data=True))
        return {
            "name": self.name,
            "servers": len(self.servers),
            "accelerators": self.accelerators,
            "switches": kinds[SWITCH],
            "links": len(self.ends),
        }

    def __repr__(self) -> str:
        """One line with the counts."""
        counts = self.summary()
        return "Topology({name}: {servers} servers, {accelerators} accelerators, {switches} switches, {links} links)".format(
            **counts
        )


_SERVER_FIELDS = tuple(field for field in Server.__dataclass_fields__ if field != "name")
_SOURCE, _SINK = ("source",), ("sink",)


def _inside(kinds: Mapping[str, Mapping[str, Any]], a: str, b: str) -> bool:
    return ACCELERATOR in (kinds[a].get("kind"), kinds[b].get("kind"))


def _add_explicit(graph: nx.MultiDiGraph, index: int, link: Mapping[str, Any]) -> None:
    unknown = [key for key in link if key not in ("src", "dst", "capacity", "latency")]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}. {did_you_mean(unknown[0], ('src', 'dst', 'capacity', 'latency'))}")
    values = [
        parse(value, dimension) if isinstance(value, str) else float(value)
        for value, dimension in ((link["capacity"], "bandwidth"), (link.get("latency", 0.0), "time"))
    ]
    for vertex in (str(link["src"]), str(link["dst"])):
        if vertex not in graph:
            graph.add_node(vertex, kind=SWITCH)
    graph.add_edge(str(link["src"]), str(link["dst"]), index=index, capacity=values[0], latency=values[1])
