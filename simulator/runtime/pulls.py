"""Bytes between stores and servers: images and weights on their way in, checkpoints on their way out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase
from simulator.core.errors import InputError, did_you_mean
from simulator.metrics.recorder import Table
from simulator.runtime.messenger import Messenger
from simulator.runtime.network import Network


@dataclass(frozen=True, slots=True)
class Store:
    """A registry, an object store or a file system: a vertex of the topology.

    ``stream`` is the most bytes/s of one server, ``latency`` what passes before the first byte comes (s).
    """

    vertex: str
    stream: float = math.inf
    latency: float = 0.0


class Pulls:
    """Moves bytes between stores and servers over the links that everybody shares.

    A server that keeps what it has fetched (``cached``) has it again at that rate, until ``forget``; who wants the same
    while it is on its way waits for it, as container runtimes and page caches have it. What is not kept is fetched by
    each for itself. ``alone``: as if nobody shared any link.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        network: Network,
        table: Table,
        stores: Mapping[str, Store],
        alone: bool = False,
    ) -> None:
        self._clock, self._topology, self._table, self._stores = clock, topology, table, stores
        self._kept: dict[int, dict[str, None]] = {}
        self._coming: dict[tuple[int, str], list[Callable[[], None]]] = {}
        """Who waits for what is on its way to a server that will keep it."""
        self._messenger: Messenger | None = None
        if stores:
            self._messenger = Messenger(clock, network.fabric, network.crowd, network.router, alone)

    @property
    def used(self) -> dict[int, None]:
        """Links over which something went."""
        return {} if self._messenger is None else self._messenger.used

    def fetch(
        self,
        servers: Sequence[int],
        store: str,
        size: float,
        done: Callable[[], None],
        limit: float = math.inf,
        cached: float = 0.0,
        name: tuple[str, str] = ("", ""),
    ) -> None:
        """Bring ``size`` bytes to each of ``servers`` and call ``done()`` when all have them.

        ``limit`` is the most bytes/s of one server, ``cached`` the rate at which one has them again (0: it keeps none),
        ``name`` (id, workload) in the table of flows. What is kept goes by the store, the size and the workload.
        """
        key = f"{self.store(store).vertex}:{size:g}:{name[1]}"
        left = [len(servers)]

        def one_less() -> None:
            left[0] -= 1
            if not left[0]:
                done()

        for server in servers:
            place = (server, key)
            if not cached:
                self._send(store, server, size, one_less, limit, name)
            elif key in self._kept.get(server, {}):
                self._clock.after(size / cached, one_less, phase=Phase.FAILURES)
            elif place in self._coming:
                self._coming[place].append(one_less)
            else:
                waiting = self._coming[place] = [one_less]
                self._send(store, server, size, partial(self._keep, server, key, waiting), limit, name)

    def _keep(self, server: int, key: str, waiting: list[Callable[[], None]]) -> None:
        """Something has arrived that a server keeps, if it is still the one that asked for it."""
        if self._coming.get((server, key)) is waiting:
            del self._coming[server, key]
            self._kept.setdefault(server, {})[key] = None
        for come in waiting:
            come()

    def push(
        self,
        servers: Sequence[int],
        store: str,
        size: float,
        done: Callable[[], None],
        limit: float = math.inf,
        name: tuple[str, str] = ("", ""),
    ) -> None:
        """Write ``size`` bytes in all to a store, an equal part from each of ``servers``; ``done()`` when all is there.

        ``limit`` is the most bytes/s of one server.
        """
        self.store(store)
        left = [len(servers)]

        def one_less() -> None:
            left[0] -= 1
            if not left[0]:
                done()

        for server in servers:
            self._send(store, server, size / len(servers), one_less, limit, name, out=True)

    def forget(self, server: int) -> None:
        """A server is gone, and with it what it kept; what is on its way comes to nobody who would keep it."""
        self._kept.pop(server, None)
        for place in [each for each in self._coming if each[0] == server]:
            del self._coming[place]

    def store(self, name: str) -> Store:
        """Return a store by name; ``InputError`` with the nearest name when there is none."""
        if name not in self._stores:
            raise InputError(f"there is no store {name!r}. {did_you_mean(name, self._stores)}")
        return self._stores[name]

    def _send(
        self,
        store: str,
        server: int,
        size: float,
        done: Callable[[], None],
        limit: float,
        name: tuple[str, str],
        *,
        out: bool = False,
    ) -> None:
        """Move bytes between a store and a server, over all network cards of the server where each has a link."""
        kept, start, ports = self._stores[store], self._clock.now, self._ports(server)
        ends = (
            (self._topology.servers[server].name, kept.vertex)
            if out
            else (kept.vertex, self._topology.servers[server].name)
        )
        left = [len(ports)]

        def arrived() -> None:
            left[0] -= 1
            if not left[0]:
                self._table.add((*name, *ends, size, start, self._clock.now))
                done()

        def set_out() -> None:
            assert self._messenger is not None
            part, most = size / len(ports), min(limit, kept.stream) / len(ports)
            for port in ports:
                self._messenger.send((port, kept.vertex) if out else (kept.vertex, port), part, arrived, most)

        self._clock.after(kept.latency, set_out, phase=Phase.ARRIVALS)

    def _ports(self, server: int) -> list[str]:
        topology = self._topology
        here = topology.servers[server]
        if not topology.wired or not here.accelerators:
            return [here.name]
        return list(dict.fromkeys(topology.endpoint(server, device) for device in range(here.accelerators)))
