"""The life of a transfer: asked for, on its way, perhaps on another way, arrived."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from heapq import heappop, heappush
from numbers import Real
from typing import Any

from simulator.cluster.routing import Way, way_of
from simulator.core.clock import Clock, Phase, Soon
from simulator.core.errors import InputError
from simulator.metrics.recorder import Table
from simulator.runtime.bundles import Message, Transfers
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric
from simulator.runtime.router import Router
from simulator.workload.jobs import Transfer


class TransferLife:
    """Puts transfers on the fabric when their first byte arrives, and records their ends.

    A transfer takes the way that the router gives when it starts; one with a route of its own keeps to that. When the
    router learns that links have changed, those over a dead link take another way with the bytes they have left; and
    once a link is back, all return to the way that they would be given if they started now. An adaptive mode leaves
    them where they are until their own link dies. Where there is no way, a transfer waits: on the dead link if it was
    there, else where it starts. Bytes that were sent are never sent again.
    """

    def __init__(
        self, clock: Clock, fabric: Fabric, crowd: Crowd, router: Router, table: Table, transfers: Sequence[Transfer]
    ) -> None:
        self._clock, self._fabric, self._router, self._table = clock, fabric, router, table
        self._transfers = transfers
        self._ends = [math.nan] * len(transfers)
        self._fixed: dict[int, Way] = {}
        for index, transfer in enumerate(transfers):
            self._check(index, transfer)
        self._order = sorted(range(len(transfers)), key=lambda index: transfers[index].start)
        self._position = 0
        self._arriving: list[tuple[float, int, Way]] = []
        self._stranded: list[int] = []
        self._moving: dict[Message, int] = {}
        self._down: tuple[int, ...] = ()
        self.last_end = 0.0
        self.used: dict[int, None] = {}
        """Links over which some transfer went."""
        if transfers:
            self._network = Transfers(fabric, crowd)
            self._soon = Soon(clock, self._reroute, Phase.FAILURES)
            router.watch(self._soon)

    def begin(self) -> None:
        """Wait for the first transfer."""
        if self._position < len(self._order):
            start = self._transfers[self._order[self._position]].start
            self._clock.at(start, self._start, phase=Phase.ARRIVALS)

    def close(self) -> None:
        """Write the rows, in the order in which the transfers were given."""
        for index, transfer in enumerate(self._transfers):
            name, ends = transfer.id or str(index), (transfer.src, transfer.dst)
            self._table.add((name, transfer.workload, *ends, transfer.bytes, transfer.start, self._ends[index]))

    def notes(self) -> list[str]:
        """What to say of transfers that had not ended when nothing was left to happen."""
        stuck = [index for index, end in enumerate(self._ends) if math.isnan(end)]
        if not stuck:
            return []
        first = self._transfers[stuck[0]]
        what = "1 transfer" if len(stuck) == 1 else f"{len(stuck):,} transfers"
        why = "links of its way" if len(stuck) == 1 else "links of their ways"
        route = f", from {first.src!r} to {first.dst!r}" if first.src else ""
        return [f"{what} can never end: {why} carry nothing any more (the first is {first.id or stuck[0]}{route})."]

    def _check(self, index: int, transfer: Transfer) -> None:
        """Refuse what can never be a transfer, while all links are up."""
        name = f"transfer {transfer.id or index}"
        for what, value in (("bytes", transfer.bytes), ("start", transfer.start)):
            if not _counts(value):
                raise InputError(f"{name}: {what} is {value!r}; it must be a finite number, 0 or more")
        topology = self._router.topology
        src, dst = str(transfer.src), str(transfer.dst)
        try:
            if transfer.route is not None:
                route = topology.check_route(transfer.route, src, dst)
                self._fixed[index] = way_of([route], topology.routes.mesh.latency)
            elif self._router.way(src, dst) is None:
                raise InputError(f"there is no route from {src!r} to {dst!r}")
        except InputError as error:
            raise InputError(f"{name}: {error}") from None

    def _start(self) -> None:
        now = self._clock.now
        while self._position < len(self._order):
            index = self._order[self._position]
            if self._transfers[index].start > now:
                break
            self._position += 1
            self._set_out(index)
        self.begin()

    def _set_out(self, index: int) -> None:
        """Send the first byte of a transfer on its way, if there is one; from its arrival on it holds bandwidth."""
        way = self._way(index)
        if way is None:
            self._stranded.append(index)
            return
        due = self._clock.now + way.latency
        if due <= self._clock.now:
            self._arrive(index, way)
            return
        heappush(self._arriving, (due, index, way))
        self._expect(way, 1.0)
        self._clock.at(due, self._arrived, phase=Phase.ARRIVALS)

    def _arrived(self) -> None:
        now = self._clock.now
        while self._arriving and self._arriving[0][0] <= now:
            _, index, way = heappop(self._arriving)
            self._expect(way, -1.0)
            if index not in self._fixed and self._dead(way):
                way = self._way(index) or way
            self._arrive(index, way)

    def _arrive(self, index: int, way: Way) -> None:
        self.used.update(dict.fromkeys(way.links))
        message = Message(way, float(self._transfers[index].bytes), partial(self._done, index))
        if index not in self._fixed:
            message.done = partial(self._done_moving, index, message)
            self._moving[message] = index
        self._network.begin(message)

    def _expect(self, way: Way, messages: float) -> None:
        """Let those who choose their way by load know of a transfer that is not there yet."""
        if not self._router.lasting:
            self._fabric.expect(way.links, way.usage, messages * way.flows)

    def _way(self, index: int) -> Way | None:
        if index in self._fixed:
            return self._fixed[index]
        transfer = self._transfers[index]
        return self._router.way(str(transfer.src), str(transfer.dst))

    def _dead(self, way: Way) -> bool:
        return bool(self._router.down) and not all(map(self._router.is_up, way.links))

    def _reroute(self) -> None:
        """Follow the router after it has learnt of changes."""
        back = any(self._router.is_up(link) for link in self._down)
        self._down = self._router.down
        returning = back and self._router.lasting

        def again(message: Message) -> Way:
            index = self._moving.get(message)
            if index is None or not (returning or self._dead(message.way)):
                return message.way
            return self._way(index) or message.way

        self._network.reroute(again)
        stranded, self._stranded = self._stranded, []
        for index in stranded:
            self._set_out(index)

    def _done_moving(self, index: int, message: Message) -> None:
        del self._moving[message]
        self._done(index)

    def _done(self, index: int) -> None:
        self._ends[index] = self.last_end = self._clock.now


def _counts(value: Any) -> bool:
    return isinstance(value, Real) and 0 <= float(value) < math.inf
