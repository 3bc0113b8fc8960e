"""Keys and values on their way from one replica to another, on the links that everybody shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from simulator.cluster.routing import Way
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase, Soon
from simulator.metrics.recorder import Table
from simulator.runtime.bundles import Message, Transfers
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric
from simulator.runtime.router import Router
from simulator.runtime.slots import Member


class Wires:
    """Moves bytes between the accelerators of two replicas.

    Where accelerators have links of their own each sends its part to its counterpart; else the servers send, no faster
    than the network cards of the accelerators that take part. Inside one server they go by its scale-up fabric, which
    nobody else is taken to fill. ``alone``: as if nobody shared any link. ``table`` takes the rows of ``flows``.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        fabric: Fabric,
        crowd: Crowd,
        router: Router,
        table: Table,
        alone: bool = False,
    ) -> None:
        self._clock, self._topology, self._router, self._table = clock, topology, router, table
        self._fabric, self._alone = fabric, alone
        self._network = Transfers(fabric, crowd)
        self._ends: dict[Message, tuple[str, str]] = {}
        self._stranded: list[tuple[tuple[str, str], float, float, Callable[[], None]]] = []
        router.watch(Soon(clock, self._reroute, Phase.FAILURES))
        self.used: dict[int, None] = {}
        """Links over which something went."""
        self.last_end = 0.0

    def send(
        self, src: Sequence[Member], dst: Sequence[Member], size: float, done: Callable[[], None], name: tuple[str, str]
    ) -> None:
        """Move ``size`` bytes between the accelerators ``src`` and ``dst``; ``name`` is (id, workload) in ``flows``."""
        start = self._clock.now
        servers = self._topology.servers
        ends = (servers[src[0][0]].name, servers[dst[0][0]].name)

        def arrived() -> None:
            self._table.add((*name, *ends, size, start, self._clock.now))
            self.last_end = self._clock.now
            done()

        legs: dict[tuple[int, int], list[tuple[Member, Member]]] = {}
        for pair in zip(src, dst, strict=False):
            legs.setdefault((pair[0][0], pair[1][0]), []).append(pair)
        share = size / min(len(src), len(dst))
        inside: list[float] = []
        outside: list[tuple[tuple[str, str], float, float]] = []
        for (one, other), pairs in legs.items():
            here, there, count = servers[one], servers[other], len(pairs)
            if one == other:
                inside.append(here.scale_up_latency + share / here.scale_up)
            elif self._topology.wired:
                at = self._topology.endpoint
                outside += [((at(*first), at(*second)), share, math.inf) for first, second in pairs]
            else:
                outside.append(((here.name, there.name), share * count, count * min(here.nic, there.nic)))
        left = [len(inside) + len(outside)]

        def one_less() -> None:
            left[0] -= 1
            if not left[0]:
                arrived()

        for seconds in inside:
            self._clock.after(seconds, one_less, phase=Phase.ENDS)
        for each in outside:
            self._set_out(*each, one_less)

    def _set_out(self, ends: tuple[str, str], size: float, limit: float, done: Callable[[], None]) -> None:
        way = self._router.way(*ends)
        if way is None:
            self._stranded.append((ends, size, limit, done))
            return
        if self._alone:
            self.used.update(dict.fromkeys(way.links))
            self._clock.after(way.latency + size / self._rate(way, limit), done, phase=Phase.ENDS)
            return
        message = Message(way, size, done, limit)
        message.done = partial(self._done, message, done)
        self._clock.after(way.latency, self._begin, message, ends, phase=Phase.ARRIVALS)

    def _rate(self, way: Way, limit: float) -> float:
        """Bytes/s that a message gets by itself."""
        capacity = self._fabric.capacity
        return min(limit, *(capacity[link] / usage for link, usage in zip(way.links, way.usage, strict=True)))

    def _begin(self, message: Message, ends: tuple[str, str]) -> None:
        if self._router.down and not all(map(self._router.is_up, message.way.links)):
            message.way = self._router.way(*ends) or message.way
        self.used.update(dict.fromkeys(message.way.links))
        self._ends[message] = ends
        self._network.begin(message)

    def _done(self, message: Message, done: Callable[[], None]) -> None:
        self._ends.pop(message, None)
        done()

    def _reroute(self) -> None:
        def again(message: Message) -> Way:
            ends = self._ends.get(message)
            return message.way if ends is None else self._router.way(*ends) or message.way

        self._network.reroute(again)
        stranded, self._stranded = self._stranded, []
        for each in stranded:
            self._set_out(*each)
