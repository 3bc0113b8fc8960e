"""Groups of ranks that make the same collective call at the same time, and what that puts on the links."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simulator.cluster.topology import Server, Topology
from simulator.models.training.network import parameter_server, tree_aggregate
from simulator.runtime.communicator import Communicator, LostWay, Member
from simulator.runtime.pattern import Burst
from simulator.runtime.router import Router

CENTRAL = {"parameter-server": parameter_server, "tree-aggregate": tree_aggregate}
"""Schemes in which gradients meet at a few ranks: seconds of (bytes, workers, servers or levels, network level)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of all groups together: bytes on each link, bytes of one flow, and seconds as a ``Burst`` has them."""

    links: tuple[int, ...]
    usage: tuple[float, ...]
    flow: float
    latency: float
    own: float
    alone: float

    @property
    def time(self) -> float:
        """Seconds alone."""
        return self.latency + self.alone

    def without_latency(self) -> Call:
        """The call as if its first byte came at once."""
        return replace(self, latency=0.0)

    def burst(self, name: str, calls: float = 1.0, hidden: float = 0.0) -> Burst:
        """Return ``calls`` such calls as one burst."""
        usage = tuple(volume * calls for volume in self.usage)
        times = (self.latency * calls, self.own * calls, self.alone * calls)
        return Burst(name, self.links, usage, self.flow * calls, *times, hidden)


class Ensemble:
    """Groups of ranks at their places, one communicator each, over the links that are up as it is made."""

    def __init__(self, topology: Topology, router: Router, groups: Sequence[Sequence[Member]]) -> None:
        self._topology, self._router, self._groups = topology, router, groups
        self._communicators = list(self._made_for(groups))
        self._calls: dict[tuple[str, float, str, int], Call] = {}

    def _made_for(self, groups: Sequence[Sequence[Member]]) -> Iterator[Communicator]:
        """Make a communicator for each group, one for all that lie inside servers that are alike."""
        inside: dict[tuple[Server, int], Communicator] = {}
        for group in groups:
            servers = dict.fromkeys(server for server, _ in group)
            if len(servers) > 1 or self._topology.wired:
                yield Communicator(self._topology, group, self._router)
                continue
            key = (replace(self._topology.servers[group[0][0]], name=""), len(group))
            if key not in inside:
                inside[key] = Communicator(self._topology, group, self._router)
            yield inside[key]

    def call(self, collective: str, size: float, algorithm: str = "auto", servers: int = 1) -> Call:
        """Return what a call of ``size`` bytes takes; the slowest group counts, and groups share links.

        ``servers`` is the number of parameter servers, or of levels of a tree aggregation.
        """
        key = (collective, size, algorithm, servers)
        if key not in self._calls:
            central = collective in CENTRAL
            made = self._central(collective, size, servers) if central else self._spread(collective, size, algorithm)
            self._calls[key] = made
        return self._calls[key]

    def _spread(self, collective: str, size: float, algorithm: str) -> Call:
        plans = [communicator.plan(collective, size, algorithm) for communicator in self._communicators]
        usage: dict[int, float] = {}
        for plan in plans:
            for link, part in zip(plan.links, plan.usage, strict=True):
                usage[link] = usage.get(link, 0.0) + part * size
        own = max(size / plan.limit for plan in plans) if size else 0.0
        flow = max(plan.flow for plan in plans) * size
        return self._made(usage, flow, max(plan.latency for plan in plans), own)

    def _central(self, scheme: str, size: float, servers: int) -> Call:
        """Return what workers and the ranks that serve them send: the first ranks, as many as there are servers."""
        usage: dict[int, float] = {}
        own = flow = 0.0
        for group, communicator in zip(self._groups, self._communicators, strict=True):
            count = min(servers, len(group)) if scheme == "parameter-server" else 1
            ends = [self._topology.endpoint(*member) for member in group]
            level = communicator.group.outside or communicator.group.inside
            part = size / count
            for place in range(count):
                for rank, end in enumerate(ends):
                    if end != ends[place]:
                        for src, dst in ((end, ends[place]), (ends[place], end)):
                            self._lay(src, dst, rank, part, usage)
                            flow = part
            own = max(own, CENTRAL[scheme](size, len(group), servers, level))
        return self._made(usage, flow, 0.0, own)

    def _lay(self, src: str, dst: str, label: int, size: float, usage: dict[int, float]) -> None:
        if not self._topology.has_network:
            return
        way = self._router.way(src, dst, label)
        if way is None:
            raise LostWay(f"no way leads from {src!r} to {dst!r}: links are down")
        for link, part in zip(way.links, way.usage, strict=True):
            usage[link] = usage.get(link, 0.0) + part * size

    def _made(self, usage: dict[int, float], flow: float, latency: float, own: float) -> Call:
        capacity = self._topology.capacity
        times = (volume / capacity[link] if capacity[link] > 0 else math.inf for link, volume in usage.items())
        return Call(tuple(usage), tuple(usage.values()), flow, latency, own, max(own, float(max(times, default=0.0))))
