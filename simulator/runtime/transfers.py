"""The life of a transfer: asked for, on its way, arrived."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from numbers import Real
from typing import Any

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase
from simulator.core.errors import InputError
from simulator.metrics.recorder import Table
from simulator.runtime.fabric import Fabric, Flow, Transfers
from simulator.workload.jobs import Transfer


class TransferLife:
    """Puts transfers on the fabric when their first byte arrives, and records their ends."""

    def __init__(
        self, clock: Clock, fabric: Fabric, topology: Topology, table: Table, transfers: Sequence[Transfer]
    ) -> None:
        self._clock, self._table = clock, table
        self._transfers = transfers
        self._ends = [math.nan] * len(transfers)
        self._routes = [_route(topology, index, transfer) for index, transfer in enumerate(transfers)]
        latency = topology.latency.tolist()
        # the first byte arrives after the latencies of the route; from then on the transfer holds bandwidth
        due = [t.start + sum(latency[link] for link in route) for t, route in zip(transfers, self._routes, strict=True)]
        self._order = sorted(range(len(transfers)), key=due.__getitem__)
        self._due = due
        self._position = 0
        self.last_end = 0.0
        self._network = Transfers(fabric) if transfers else None

    def begin(self) -> None:
        """Wait for the first transfer."""
        if self._position < len(self._order):
            self._clock.at(self._due[self._order[self._position]], self._activate, phase=Phase.ARRIVALS)

    def close(self) -> None:
        """Write the rows, in the order in which the transfers were given."""
        for index, transfer in enumerate(self._transfers):
            name, ends = transfer.id or str(index), (transfer.src, transfer.dst)
            self._table.add((name, transfer.workload, *ends, transfer.bytes, transfer.start, self._ends[index]))

    def _activate(self) -> None:
        assert self._network is not None
        while self._position < len(self._order):
            index = self._order[self._position]
            if self._due[index] > self._clock.now:
                break
            self._position += 1
            done = partial(self._done, index)
            self._network.begin(Flow(self._routes[index], self._transfers[index].bytes, done))
        self.begin()

    def _done(self, index: int) -> None:
        self._ends[index] = self.last_end = self._clock.now


def _counts(value: Any) -> bool:
    return isinstance(value, Real) and 0 <= float(value) < math.inf


def _route(topology: Topology, index: int, transfer: Transfer) -> tuple[int, ...]:
    name = f"transfer {transfer.id or index}"
    for what, value in (("bytes", transfer.bytes), ("start", transfer.start)):
        if not _counts(value):
            raise InputError(f"{name}: {what} is {value!r}; it must be a finite number, 0 or more")
    try:
        if transfer.route is not None:
            return topology.check_route(transfer.route, str(transfer.src), str(transfer.dst))
        return topology.path(str(transfer.src), str(transfer.dst))
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
