"""Groups of ranks that make the same collective call at the same time, and what that puts on the links."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simulator.cluster.topology import Server, Topology
from simulator.models.training.network import fan_in, parameter_server, tree_aggregate
from simulator.runtime.communicator import Communicator, LostWay
from simulator.runtime.pattern import Burst
from simulator.runtime.router import Router
from simulator.runtime.slots import Member

CENTRAL = {"parameter-server": parameter_server, "tree-aggregate": tree_aggregate}
"""Schemes in which gradients meet at a few ranks: seconds of (bytes, workers, servers or levels, network level)."""
Message = tuple[int, int, float]
"""From rank, to rank, and the part of the bytes of one worker."""


def _served(workers: int, servers: int) -> Iterator[Message]:
    """Every worker pushes to each server and pulls from it; the first ranks are the servers."""
    count = min(servers, workers)
    for server in range(count):
        for rank in range(workers):
            if rank != server:
                yield rank, server, 1 / count
                yield server, rank, 1 / count


def _tree(workers: int, levels: int) -> Iterator[Message]:
    """Groups of ranks send to their first one, level by level; the sum goes on from rank to rank."""
    fan, stride = fan_in(workers, levels), 1
    for _ in range(levels):
        for rank in range(0, workers, stride):
            if rank % (stride * fan):
                yield rank, rank - rank % (stride * fan), 1.0
        stride *= fan
    for rank in range(1, workers):
        yield rank - 1, rank, 1.0


_MESSAGES = {"parameter-server": _served, "tree-aggregate": _tree}


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
    """Groups of ranks at their places, one communicator each, over the links that are up as it is made.

    ``share`` is the part of the bytes of a collective that a call puts on the links.
    """

    def __init__(
        self, topology: Topology, router: Router, groups: Sequence[Sequence[Member]], share: float = 1.0
    ) -> None:
        self._topology, self._router, self._groups, self._share = topology, router, groups, share
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
                usage[link] = usage.get(link, 0.0) + part * size * self._share
        own = max(size / plan.limit for plan in plans) if size else 0.0
        flow = max(plan.flow for plan in plans) * size
        return self._made(usage, flow, max(plan.latency for plan in plans), own)

    def _central(self, scheme: str, size: float, servers: int) -> Call:
        usage: dict[int, float] = {}
        own = flow = 0.0
        for group, communicator in zip(self._groups, self._communicators, strict=True):
            ends = [self._topology.endpoint(*member) for member in group]
            level = communicator.group.outside or communicator.group.inside
            for src, dst, share in _MESSAGES[scheme](len(group), servers):
                if ends[src] != ends[dst]:
                    self._lay(ends[src], ends[dst], max(src, dst), share * size, usage)
                    flow = share * size
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
