"""A communicator: ranks at their places in the cluster, what a collective takes there and puts on the links."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator, Link, Protocol
from simulator.cluster.routing import Way
from simulator.cluster.topology import ACCELERATOR, ICI, SERVER, Server, Topology
from simulator.core.errors import InputError
from simulator.models.collectives import Estimate, Group, Level, bus_factor, estimate, traffic
from simulator.models.collectives.group import scale_up_level, torus
from simulator.runtime.router import Router
from simulator.runtime.slots import Member

_Load = tuple[tuple[int, ...], tuple[float, ...], float]
"""Links, bytes on each of them and bytes of the largest flow, per byte of a collective."""


_NO_LINKS = Way((), (), 0.0)
"""Of servers that stand beside each other without a network: only cards, if they are known, hold them back."""


class LostWay(InputError):
    """Links that are down leave no way between two ranks."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A collective on its links: at rate r (bytes of the collective per second) link l carries usage[l] x r bytes/s."""

    estimate: Estimate
    links: tuple[int, ...]
    usage: tuple[float, ...]
    limit: float
    """Rate that fabric, network cards and ramp allow at this size, bytes/s."""
    latency: float
    """Seconds beside size / rate."""
    flow: float = 0.0
    """Bytes of the largest flow, per byte of the collective: links are shared among flows."""

    def rate(self, capacity: npt.NDArray[np.float64]) -> float:
        """Return the rate alone on links of ``capacity`` (bytes/s, by link)."""
        if not self.links:
            return self.limit
        shares = np.asarray(capacity)[list(self.links)] / np.asarray(self.usage)
        return min(self.limit, float(shares.min()))

    def time(self, capacity: npt.NDArray[np.float64]) -> float:
        """Return the seconds that it takes alone on links of ``capacity``; infinite where one of them is down."""
        size, rate = self.estimate.size, self.rate(capacity)
        return self.latency + (size / rate if rate > 0 else math.inf) if size > 0 else self.latency


class Communicator:
    """Ranks on accelerators of a topology, given as (server, device) by index, in the order of their ranks.

    Ranks of one server make a domain, in the order in which the servers come up, as NCCL orders ranks by node; the
    chips of a torus are one domain. Facts come from the topology: bandwidth of accelerator and cards, the kind of link
    out of each server and so its protocol (``protocol`` replaces it), distances. Raises ``InputError`` for a member
    that does not exist or comes twice, and for servers that no link joins.
    """

    def __init__(
        self,
        topology: Topology,
        members: Sequence[Member],
        router: Router | None = None,
        protocol: Protocol | str | None = None,
    ) -> None:
        _check(topology, members)
        self.topology = topology
        self._router = router or Router(topology)
        self._torus = topology.wired and _on_torus(topology, members)
        domains = [list(members)] if self._torus else _by_server(members)
        self.members: tuple[Member, ...] = tuple(member for domain in domains for member in domain)
        shape = tuple(map(len, domains))
        inside = _inside(topology, self.members, max(shape), self._torus)
        outside = None
        if len(shape) > 1:
            carrier = catalog.protocol(protocol) if isinstance(protocol, str) else protocol
            outside = _outside(topology, domains, carrier)
        self.group = Group(shape, inside, outside)
        if outside is not None:
            self.group = replace(self.group, outside=replace(outside, latency=self._distance()))
        self._loads: dict[tuple[str, str], _Load] = {}
        self._loads_as_of = self._router.changes

    def plan(self, collective: str, size: float, algorithm: str = "auto") -> Plan:
        """Return what a collective of ``size`` bytes takes here, by the cheapest algorithm or the one that is named."""
        found = _estimate(collective, size, self.group, algorithm)
        links, usage, flow = self._load(found.collective, found.algorithm)
        return Plan(found, links, usage, found.rate, found.latency, flow)

    def _load(self, collective: str, algorithm: str) -> _Load:
        if self._loads_as_of != self._router.changes or not self._router.lasting:
            self._loads.clear()
            self._loads_as_of = self._router.changes
        key = (collective, algorithm)
        if key not in self._loads:
            usage: dict[int, float] = {}
            flow = 0.0
            if algorithm == "torus":
                flow = self._spread(bus_factor(collective, self.group.ranks), usage)
            elif self.group.domains > 1:
                for src, dst, share in traffic(collective, self.group, algorithm):
                    way = self._way(src, dst)
                    flow = max(flow, share / way.flows)
                    if not self._router.lasting:
                        self._router.count(way)
                    for link, part in zip(way.links, way.usage, strict=True):
                        usage[link] = usage.get(link, 0.0) + share * part
            self._loads[key] = (tuple(usage), tuple(usage.values()), flow)
        return self._loads[key]

    def _way(self, src: int, dst: int) -> Way:
        """Return the way from rank to rank; the number of the sender in its domain is the label (channel)."""
        if not self.topology.has_network:
            return _NO_LINKS
        (a, device), (b, other) = self.members[src], self.members[dst]
        here, there = self.topology.endpoint(a, device), self.topology.endpoint(b, other)
        way = None
        if not (self._cut_off(here) or self._cut_off(there)):
            way = self._router.way(here, there, device)
        if way is None:
            raise LostWay(f"no way leads from rank {src} on {here!r} to rank {dst} on {there!r}: links are down")
        return way

    def _cut_off(self, end: str) -> bool:
        """Whether an accelerator has lost all its network cards: NCCL moves no channel to the card of another one."""
        if not self._router.changes or self.topology.graph.nodes[end].get("kind") == SERVER:
            return False
        links = [data["index"] for data in _ways_out(self.topology, end)]
        return bool(links) and not any(map(self._router.is_up, links))

    def _distance(self) -> float:
        """Latency of the longest way between neighbouring domains."""
        starts = self.group.starts
        return max(self._way(a, b).latency for a, b in zip(starts, starts[1:] + starts[:1], strict=True))

    def _spread(self, volume: float, usage: dict[int, float]) -> float:
        """Put the bytes of every chip on its links to other members, evenly; return the most on one link."""
        topology = self.topology
        chips = dict.fromkeys(topology.endpoint(server, device) for server, device in self.members)
        out: dict[str, list[int]] = {}
        for link, ((src, dst), tier) in enumerate(zip(topology.ends, topology.tiers, strict=True)):
            if tier == ICI and src in chips and dst in chips:
                out.setdefault(src, []).append(link)
        for links in out.values():
            for link in links:
                usage[link] = usage.get(link, 0.0) + volume / len(links)
        return max(usage.values(), default=0.0)


_estimate = lru_cache(maxsize=4096)(estimate)


def _check(topology: Topology, members: Sequence[Member]) -> None:
    if not members:
        raise InputError("a communicator needs at least one rank")
    seen: dict[Member, int] = {}
    for rank, (server, device) in enumerate(members):
        if not 0 <= server < len(topology.servers):
            raise InputError(f"rank {rank} is on server {server}; servers are 0 to {len(topology.servers) - 1}")
        there = topology.servers[server]
        if not 0 <= device < there.accelerators:
            raise InputError(
                f"rank {rank} is on accelerator {device} of {there.name!r}, which has {there.accelerators}"
            )
        if (server, device) in seen:
            raise InputError(
                f"ranks {seen[server, device]} and {rank} are both on accelerator {device} of {there.name!r}"
            )
        seen[server, device] = rank


def _by_server(members: Sequence[Member]) -> list[list[Member]]:
    domains: dict[int, list[Member]] = {}
    for server, device in members:
        domains.setdefault(server, []).append((server, device))
    return list(domains.values())


def _on_torus(topology: Topology, members: Sequence[Member]) -> bool:
    """Whether all members are chips that links of a torus join."""
    chips = dict.fromkeys(topology.endpoint(server, device) for server, device in members)
    return len(chips) > 1 and all(
        any(other in chips and data.get("tier") == ICI for _, other, data in topology.graph.out_edges(chip, data=True))
        for chip in chips
    )


def _accelerator(server: Server) -> Accelerator | None:
    try:
        return catalog.accelerator(server.accelerator) if server.accelerator else None
    except InputError:
        return None


def _inside(topology: Topology, members: Sequence[Member], width: int, chips: bool) -> Level:
    """Return the slowest fabric of the servers of the members."""
    levels = []
    for index in dict.fromkeys(server for server, _ in members):
        server = topology.servers[index]
        accelerator = _accelerator(server)
        if accelerator is None:
            levels.append(Level(server.scale_up, server.scale_up_latency, catalog.protocol("ideal-scale-up")))
            continue
        level = scale_up_level(accelerator, width)
        nominal = accelerator.scale_up_bandwidth or accelerator.host_bandwidth
        if not chips and nominal and math.isfinite(server.scale_up):
            scale = server.scale_up / nominal
            level = replace(level, bandwidth=level.bandwidth * scale, reduction=level.reduction * scale, torus=())
        if chips:
            level = replace(level, torus=_sides(topology, members) or torus(width, accelerator.scale_up))
        levels.append(level)
    return min(levels, key=lambda level: level.bandwidth)


def _sides(topology: Topology, members: Sequence[Member]) -> tuple[int, ...]:
    """Return the sides of the block that the members fill, by the positions of their chips; empty when they do not."""
    vertices = topology.graph.nodes
    places = [str(vertices[topology.endpoint(server, device)].get("position", "")) for server, device in members]
    if not all(places):
        return ()
    columns = zip(*(place.split(",") for place in places), strict=True)
    sides = [len(dict.fromkeys(column)) for column in columns]
    return tuple(side for side in sides if side > 1) if math.prod(sides) == len(members) else ()


def _outside(topology: Topology, domains: Sequence[Sequence[Member]], carrier: Protocol | None) -> Level:
    """Return how the domains meet the network: the slowest card, the narrowest exit, the protocol of the first link."""
    total = nic = math.inf
    items: list[str] = []
    for domain in domains:
        exits = 0.0
        for end in dict.fromkeys(topology.endpoint(server, device) for server, device in domain):
            for data in _ways_out(topology, end):
                exits += data["capacity"]
                items.append(str(data.get("item", "")))
        total = min(total, exits or math.inf)
        nic = min(nic, *(topology.servers[server].nic for server, _ in domain))
    link = _known(next((item for item in items if item), ""))
    protocol = carrier or _carrier(link)
    nic = min(nic, math.inf if protocol.host_copy is None else protocol.host_copy)
    reduced = link.in_switch / link.efficiency if link else 0.0
    return Level(nic, 0.0, protocol, total=total, reduction=min(nic, total) * reduced if reduced else 0.0)


def _ways_out(topology: Topology, end: str) -> list[dict[str, Any]]:
    """Return the links out of an endpoint, those inside its server and torus left out."""
    kinds = topology.graph.nodes
    inner = ACCELERATOR if kinds[end].get("kind") == SERVER else SERVER
    return [
        data
        for _, other, data in topology.graph.out_edges(end, data=True)
        if kinds[other].get("kind") != inner and data.get("tier") != ICI
    ]


def _known(item: str) -> Link | None:
    """Return the link of the catalog that is called so."""
    return next((link for link in catalog.records("link") if isinstance(link, Link) and link.id == item), None)


def _carrier(link: Link | None) -> Protocol:
    """Return the protocol of a kind of link; links that nobody named are taken as they are written."""
    return catalog.protocol((link and link.protocol) or "ideal")
