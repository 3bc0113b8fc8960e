"""The cluster as a networkx graph: servers, accelerators, switches, and the directed links between them."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from simulator.cluster import attachment
from simulator.cluster.attachment import ACCELERATOR, SERVER, SWITCH
from simulator.cluster.cut import max_flow
from simulator.cluster.labels import Labels, as_labels, as_names
from simulator.cluster.routing import Routes, hosts_of
from simulator.core.errors import InputError, Problem, did_you_mean

__all__ = ["ACCELERATOR", "SERVER", "SWITCH", "TIERS", "BillLine", "Server", "Topology"]

SCALE_UP, ICI, HOST = "scale-up", "ici", "host"
LEAF_SPINE, SPINE_CORE, LOCAL, GLOBAL = "leaf-spine", "spine-core", "local", "global"
TIERS: Mapping[str, str] = {
    SCALE_UP: "inside a server or scale-up domain: NVLink, or PCIe",
    ICI: "from chip to chip of a torus",
    HOST: "from a server, or an accelerator with cards of its own, to its first switch",
    LEAF_SPINE: "first to second tier of switches (edge to aggregation)",
    SPINE_CORE: "second to third tier of switches (aggregation to core)",
    LOCAL: "between the routers of a group (dragonfly)",
    GLOBAL: "between groups (dragonfly)",
}
"""What ``tier`` of a link says: where in the network it lies."""


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
    labels: Labels = ()
    """Pairs of name and value that jobs select by; a mapping or text as "zone=b, disk=ssd" will do."""
    taints: tuple[str, ...] = ()
    """Taints that a job must tolerate (Kubernetes ``NoSchedule``); text with commas will do."""
    partition: str = ""
    """Partition that it lies in, or several with commas between (Slurm)."""
    price: float | None = None
    """Dollars for it; None: what the catalog says."""
    power: float | None = None
    """Watts at its rated maximum; None: what the catalog says."""

    def __post_init__(self) -> None:
        for name, read in (("labels", as_labels), ("taints", as_names)):
            given = getattr(self, name)
            if given:
                object.__setattr__(self, name, read(given))


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
    graph), and if known ``item`` (catalog id), ``cables`` (parallel cables that it stands for) and ``tier`` (one of
    ``TIERS``). A bidirectional cable is two links. ``extras`` are lines of the bill of materials for what is bought
    with the network and is no part of the graph.

    Raises ``InputError`` naming the link when a capacity is missing or 0, a capacity or latency is negative, NaN or
    infinite, or a link ends where it starts, and for a graph that is not directed, has vertices that are not text,
    servers without ``accelerators``, or links that are not numbered from 0.

    >>> line = Topology.from_links([{"src": "a", "dst": "b", "capacity": 1e9, "latency": 1e-6}])
    >>> line.path("a", "b")
    (0,)
    """

    def __init__(self, graph: nx.MultiDiGraph[str], name: str = "", extras: Sequence[BillLine] = ()) -> None:
        self.graph = graph
        self.name = name
        self.extras = tuple(extras)
        edges = _numbered(graph)
        self.ends: tuple[tuple[str, str], ...] = tuple((src, dst) for src, dst, _ in edges)
        self.capacity = np.array([edge["capacity"] for _, _, edge in edges], dtype=float)
        self.latency = np.array([edge.get("latency", 0.0) for _, _, edge in edges], dtype=float)
        self._check()
        self.servers: tuple[Server, ...] = tuple(
            Server(name=vertex, **{key: data[key] for key in _SERVER_FIELDS if key in data})
            for vertex, data in graph.nodes(data=True)
            if data.get("kind") == SERVER
        )

    def with_partitions(self, partitions: Mapping[int, str]) -> Topology:
        """Return the same cluster with some servers, by index, in other partitions; nothing else is made anew."""
        other = copy.copy(self)
        other.servers = tuple(
            replace(server, partition=partitions[index]) if index in partitions else server
            for index, server in enumerate(self.servers)
        )
        return other

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
    def from_networkx(cls, graph: nx.Graph[Any], name: str = "") -> Topology:
        """Make a topology of any networkx graph, which stays as it is.

        Each edge of an undirected graph is two links, one each way; parallel edges of a multigraph are parallel links.
        Vertices that are not text become text. An edge needs ``capacity`` (bytes/s, or text as "100 Gb/s") and may
        have ``latency`` (s, or text; default 0), ``tier``, ``item`` (a link of the catalog) and ``cables``. A vertex
        with ``kind="server"`` needs ``accelerators`` (how many) and may have the other fields of ``Server``, and
        ``unit``, the name of its neighbourhood. One with ``kind="accelerator"`` belongs to the server that its
        attribute ``server`` names, or to ``a`` when it is called ``a/3``. All others are switches, which may have
        ``item`` (catalog id), ``ports`` and ``tier``. Attributes of other names are left alone.

        Raises ``InputError`` with all problems.

        >>> Topology.from_networkx(nx.path_graph(3), "no capacities")
        Traceback (most recent call last):
        ...
        simulator.core.errors.InputError: link 0 - 1 has no capacity
        link 1 - 2 has no capacity
        """
        from simulator.cluster.graphs import from_graph

        return from_graph(graph, name)

    @classmethod
    def load(cls, path: str | Path) -> Topology:
        """Read a topology file.

        YAML has either ``build`` and its parameters, or ``links`` and ``servers``; ``.graphml`` and ``.json`` (networkx
        node-link) are graphs as ``from_networkx`` takes them.
        """
        from simulator.cluster.files import load_topology

        return load_topology(Path(path))

    def _check(self) -> None:
        fine = (self.capacity > 0) & np.isfinite(self.capacity) & (self.latency >= 0) & np.isfinite(self.latency)
        circles = [i for i, (src, dst) in enumerate(self.ends) if src == dst]
        wrong = sorted([*np.flatnonzero(~fine).tolist(), *circles])
        if wrong:
            raise InputError(*(problem for link in dict.fromkeys(wrong) for problem in self._faults(link)))

    def _faults(self, link: int) -> Iterator[Problem]:
        (src, dst), capacity, latency = self.ends[link], float(self.capacity[link]), float(self.latency[link])
        if src == dst:
            yield Problem(f"link {link} ({src} -> {dst}) ends where it starts", hint="leave it out")
        for what, value in (("capacity", capacity), ("latency", latency)):
            if not 0 <= value < math.inf:
                hint = "it must be a finite number, 0 or more"
                yield Problem(f"link {link} ({src} -> {dst}) has {what} {value!r}", hint=hint)
        if capacity == 0:
            hint = "leave the link out; one that goes down for a while has a capacity event"
            yield Problem(f"link {link} ({src} -> {dst}) has capacity 0", hint=hint)

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

    @cached_property
    def tiers(self) -> tuple[str, ...]:
        """Where each link lies, by index: one of ``TIERS``, or what the graph calls it; empty when it does not say."""
        tiers = [""] * len(self.ends)
        for _, _, data in self.graph.edges(data=True):
            tiers[data["index"]] = str(data.get("tier", ""))
        return tuple(tiers)

    @cached_property
    def _owners(self) -> dict[str, str]:
        return attachment.owners(self.graph.nodes)

    @cached_property
    def _endpoints(self) -> dict[str, attachment.Devices]:
        return attachment.endpoints(self.graph.nodes, self._owners, self.ends)

    @property
    def wired(self) -> bool:
        """Whether accelerators, of at least one server, have links to the network of their own."""
        return bool(self._endpoints)

    def endpoint(self, server: int, device: int) -> str:
        """The vertex by which accelerator ``device`` of a server, both given by index, meets the network.

        That is the accelerator where it has links of its own (rails, a torus), else its server, by whose trunk it goes
        out.
        """
        name = self.servers[server].name
        own = self._endpoints.get(name)
        return name if own is None else own.get(device, name)

    def hops(self, first: int, second: int) -> int:
        """Links between two servers, given by index; 0 for the same server or when there is no network.

        Where accelerators have links of their own, those between the first accelerator of each.
        """
        if first == second or not self.has_network:
            return 0
        return self.routes.distance(self.endpoint(first, 0), self.endpoint(second, 0))

    def neighbourhood(self, server: str) -> str:
        """The name of the group of servers that are nearest to each other; the server itself when there is none.

        It is the scalable unit (segment, cube, domain) where the graph names one as ``unit``, else the switch that the
        server hangs off, or the first of the switches if others hang off the same ones, as on rails.
        """
        return self._neighbourhoods.get(server, server)

    @cached_property
    def _neighbourhoods(self) -> dict[str, str]:
        return attachment.neighbourhoods(self.graph.nodes, self._owners, self.ends)

    @cached_property
    def has_network(self) -> bool:
        """Whether any link leaves a server, or an accelerator of it."""
        owner = self._owners
        return any(owner.get(src) != owner.get(dst) for src, dst in self.ends)

    def check_connected(self) -> None:
        """Raise ``InputError`` naming servers that have no way to and from the others, though there is a network."""
        ports = [port for server in self.servers for port in self._ports(server)]
        lost = attachment.stranded(ports, self.ends) if self.has_network else []
        if lost:
            names = ", ".join(map(repr, lost[:5])) + ", ..." * (len(lost) > 5)
            have = "have" if len(lost) > 1 else "has"
            hint = "a cable is two links, one each way; a server without any can be left out"
            raise InputError(Problem(f"{names} {have} no way both from and to {ports[0]!r}", hint=hint))

    def bisection(self) -> float:
        """Bandwidth (bytes/s, one direction) between the first and the second half of the servers, by max flow.

        What flows leaves and enters by the endpoints of the accelerators. Servers are halved in their order; that is
        the worst half for the regular topologies built here, and a sound reading of "bisection" for them. 0 without a
        network.
        """
        if not self.has_network or len(self.servers) < 2:
            return 0.0
        half = len(self.servers) // 2
        first, second = ([*map(self._ports, part)] for part in (self.servers[:half], self.servers[half:]))
        links = ((src, dst, capacity) for (src, dst), capacity in zip(self.ends, self.capacity.tolist(), strict=True))
        return max_flow(links, (port for own in first for port in own), (port for own in second for port in own))

    def _ports(self, server: Server) -> list[str]:
        own = self._endpoints.get(server.name, {})
        return [*own.values(), *([server.name] if len(own) < max(1, server.accelerators) else [])]

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
    indices = [data.get("index", -1) for _, _, data in edges]
    if not all(isinstance(index, Real) for index in indices) or sorted(indices) != list(range(len(edges))):
        raise InputError(f"the indices of the {len(edges)} links must be 0 to {len(edges) - 1}, each once")
    return sorted(edges, key=lambda edge: int(edge[2]["index"]))


_SERVER_FIELDS = tuple(field for field in Server.__dataclass_fields__ if field != "name")
