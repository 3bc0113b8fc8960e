"""Keys and values on their way from one replica to another, on the links that everybody shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase
from simulator.metrics.recorder import Table
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric
from simulator.runtime.messenger import Messenger
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
        self._clock, self._topology, self._table = clock, topology, table
        self._messenger = Messenger(clock, fabric, crowd, router, alone)
        self.last_end = 0.0

    @property
    def used(self) -> dict[int, None]:
        """Links over which something went."""
        return self._messenger.used

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
        for leg, part, limit in outside:
            self._messenger.send(leg, part, one_less, limit)
