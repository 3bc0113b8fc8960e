"""The cluster as a networkx graph: servers, accelerators, switches, and the directed links between them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from simulator.cluster.routing import Routes, hosts_of
from simulator.core.errors import InputError, Problem, did_you_mean

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
    goodput), ``latency`` (s, default 0), ``index`` (its number; without any, links are numbered in the order of the
    graph), and if known ``item`` (catalog id) and ``cables`` (parallel cables that it stands for). A bidirectional
    cable is two links.

    Raises ``InputError`` naming the link when a capacity is missing, or a capacity or latency is negative, NaN or
    infinite, and for a graph that is not directed, has vertices that are not text, servers without ``accelerators``,
    or links that are not numbered from 0.

    >>> line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1e9, "latency": 1e-6}])
    >>> line.path("a", "b")
    (0,)
    """

    def __init__(self, graph: nx.MultiDiGraph[str], name: str = "") -> None:
        self.graph = graph
        self.name = name
        edges = _numbered(graph)
        self.ends: tuple[tuple[str, str], ...] = tuple((src, dst) for src, dst, _ in edges)
        self.capacity = np.array([edge["capacity"] for _, _, edge in edges], dtype=float)
        self.latency = np.array([edge.get("latency", 0.0) for _, _, edge in edges], dtype=float)
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
        default 0). ``servers`` maps vertices that jobs may run on to their ``Server`` fields, ``accelerators`` among
        them; a vertex that no one calls a server is a switch. Raises ``InputError`` with all problems.
        """
        from simulator.cluster.explicit import explicit_graph

        return cls(explicit_graph(links, servers), name)

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
        kinds = {vertex: data.get("kind", SWITCH) for vertex, data in self.graph.nodes(data=True)}
        return Routes(self.ends, self.latency.tolist(), hosts_of(self.ends, kinds))

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
        src, dst = str(src), str(dst)
        for vertex in (src, dst):
            if vertex not in self.graph:
                raise InputError(f"unknown vertex {vertex!r}. {did_you_mean(vertex, map(str, self.graph))}")
        return self.routes.path(src, dst, label)

    def check_route(self, route: Sequence[int], src: str = "", dst: str = "") -> tuple[int, ...]:
        """Return ``route`` if its links exist, hang together and join ``src`` to ``dst``; else raise ``InputError``.

        An end that is not given ("") is not checked. A route may cross a link more than once.
        """
        given: Any = route
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InputError(f"route {route!r} is not a list of link numbers")
        route = tuple(given)
        for link in route:
            if isinstance(link, bool) or not isinstance(link, int | np.integer) or not 0 <= link < len(self.ends):
                raise InputError(f"route {list(route)}: there is no link {link}; links are 0 to {len(self.ends) - 1}")
        if not route and src and dst and src != dst:
            raise InputError(f"route [] does not lead from {src!r} to {dst!r}")
        for first, second in pairwise(route):
            if self.ends[first][1] != self.ends[second][0]:
                raise InputError(
                    f"route {list(route)} is not connected: link {first} ends at {self.ends[first][1]!r}, "
                    f"link {second} starts at {self.ends[second][0]!r}"
                )
        if route and src and self.ends[route[0]][0] != src:
            raise InputError(f"route {list(route)} starts at {self.ends[route[0]][0]!r}, not at {src!r}")
        if route and dst and self.ends[route[-1]][1] != dst:
            raise InputError(f"route {list(route)} ends at {self.ends[route[-1]][1]!r}, not at {dst!r}")
        return tuple(map(int, route))

    def hops(self, first: int, second: int) -> int:
        """Links between two servers, given by index; 0 for the same server or when there is no network."""
        a, b = self.servers[first].name, self.servers[second].name
        return 0 if first == second or not self.has_network else self.routes.distance(a, b)

    def neighbourhood(self, server: str) -> str:
        """The switch that a server hangs off; the server itself when it has several, or none."""
        return self._neighbourhoods.get(server, server)

    @cached_property
    def _neighbourhoods(self) -> dict[str, str]:
        kinds = self.graph.nodes
        near: dict[str, dict[str, None]] = {}
        for src, dst in self.ends:
            for server, other in ((src, dst), (dst, src)):
                if kinds[server].get("kind") == SERVER and kinds[other].get("kind") != ACCELERATOR:
                    near.setdefault(server, {})[other] = None
        hanging = {server: next(iter(others)) for server, others in near.items() if len(others) == 1}
        return {server: other for server, other in hanging.items() if kinds[other].get("kind", SWITCH) == SWITCH}

    @cached_property
    def has_network(self) -> bool:
        """Whether any link leaves a server."""
        kinds = {vertex: data.get("kind", SWITCH) for vertex, data in self.graph.nodes(data=True)}
        pairs = ((kinds[src], kinds[dst]) for src, dst in self.ends)
        return any(SERVER in pair and ACCELERATOR not in pair for pair in pairs)

    def bisection(self) -> float:
        """Bandwidth (bytes/s, one direction) between the first and the second half of the servers, by max flow.

        Servers are halved in their order; that is the worst half for the regular topologies built here, and a sound
        reading of "bisection" for them. 0 without a network.
        """
        if not self.has_network or len(self.servers) < 2:
            return 0.0
        flat: nx.DiGraph[Hashable] = nx.DiGraph()
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
        name = counts.pop("name")
        return f"Topology({name}: {', '.join(f'{count} {what}' for what, count in counts.items())})"


def _numbered(graph: nx.MultiDiGraph[str]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the edges of a graph by index."""
    if not graph.is_directed():
        raise InputError("the graph is not directed; a cable is two links: use graph.to_directed()")
    odd = next((vertex for vertex in graph if not isinstance(vertex, str)), None)
    if odd is not None:
        raise InputError(f"vertex {odd!r} is not text; use networkx.relabel_nodes(graph, str)")
    edges = list(graph.edges(data=True))
    bare = [f"link {src} -> {dst} has no capacity" for src, dst, data in edges if "capacity" not in data]
    bare += [
        f"server {vertex!r} has no accelerators"
        for vertex, data in graph.nodes(data=True)
        if data.get("kind") == SERVER and "accelerators" not in data
    ]
    if bare:
        raise InputError(*bare)
    if not any("index" in data for _, _, data in edges):
        for index, (_, _, data) in enumerate(edges):
            data["index"] = index
    if sorted(data.get("index", -1) for _, _, data in edges) != list(range(len(edges))):
        raise InputError(f"the indices of the {len(edges)} links must be 0 to {len(edges) - 1}, each once")
    return sorted(edges, key=lambda edge: int(edge[2]["index"]))


_SERVER_FIELDS = tuple(field for field in Server.__dataclass_fields__ if field != "name")
_SOURCE, _SINK = ("source",), ("sink",)


def _inside(kinds: Mapping[str, Mapping[str, Any]], a: str, b: str) -> bool:
    return ACCELERATOR in (kinds[a].get("kind"), kinds[b].get("kind"))
