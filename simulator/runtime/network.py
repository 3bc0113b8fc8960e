"""The network of one run: links, who shares them, who routes, and the transfers that users ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.metrics.recorder import Table
from simulator.runtime.crowd import Crowd
from simulator.runtime.linklog import LinkLog, fabric
from simulator.runtime.links import CapacityEvent, LinkEvent, Links
from simulator.runtime.router import Router
from simulator.runtime.transfers import TransferLife
from simulator.workload.jobs import Transfer


class Network:
    """Everything about links in one place; ``changed(event, link, amount)`` is told of those that change.

    ``changes`` are (capacity events, link events) as ``Simulation`` has them; ``interval`` is that of ``LinkLog``, None
    for a run that records no links.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        table: Table,
        transfers: Sequence[Transfer],
        changes: tuple[Sequence[CapacityEvent], Sequence[LinkEvent]],
        changed: Callable[[str, str, float], None],
        *,
        interval: float | None = None,
        routing: str = "ecmp",
        flows: int = 1,
        reroute: float = 0.0,
    ) -> None:
        self._clock, self._changes, self._changed = clock, changes, changed
        self.log = None if interval is None else LinkLog(clock, topology, interval)
        self.fabric = fabric(clock, topology.capacity, self.log)
        self.crowd = Crowd(clock, self.fabric)
        self.router = Router(topology, routing, flows, self.fabric.crowd)
        self.links = Links(clock, self.crowd, self.router, reroute, self._note)
        self.transfers = TransferLife(clock, self.fabric, self.crowd, self.router, table, transfers)
        self.quiet = not (transfers or changes[0] or changes[1] or self.log)
        """Whether nothing but jobs will disturb jobs; whoever sends something else says so here."""

    def begin(self) -> None:
        """Expect changes of links, and the first transfer."""
        self.links.plan(*self._changes)
        self.transfers.begin()

    def _note(self, event: str, subject: str, amount: float) -> None:
        self._changed(event, subject, amount)
        if self.log is not None:
            self.log.set_capacity(int(subject), amount)

    def close(
        self, now: float, until: float, used: dict[int, None]
    ) -> tuple[list[str], dict[str, dict[str, np.ndarray]]]:
        """Settle what is unfinished; return what a reader must know, and tables. ``used`` are links that work used."""
        self.transfers.close()
        stuck = self.transfers.notes() if until == math.inf else []
        remarks = self.links.remarks(math.inf if stuck else now, used | self.transfers.used)
        if self.log is None:
            return [*stuck, *remarks], {}
        table = self.log.table(now)
        return [*stuck, *remarks, *self.log.notes], {"links": table}
