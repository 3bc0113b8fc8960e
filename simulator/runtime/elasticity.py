"""Servers that come and go: a pool of nodes that an autoscaler sizes."""

from __future__ import annotations

import math
from operator import index
from typing import TYPE_CHECKING

import numpy as np

from simulator.core.clock import Phase
from simulator.core.errors import InputError, PolicyError
from simulator.policies.supply import Autoscaler, SupplyObservation

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


_PATIENCE = 10_000
"""Steps in a row that bring nothing forward, with no job to come, after which the autoscaler rests."""


class NodePool:
    """All servers of the topology as one pool, of which between ``minimum`` and ``maximum`` are up.

    A node that is asked for takes jobs ``provision`` seconds later and is paid for from the request on, as cloud
    machines are. Only nodes without jobs are taken away; a job is never stopped for it. Counts are nodes. An autoscaler
    with a method ``reset()`` is reset at the beginning of each run.
    """

    def __init__(
        self, autoscaler: Autoscaler, minimum: int, maximum: int | None, provision: float, initial: int | None = None
    ) -> None:
        self.autoscaler = autoscaler
        self.minimum, self._maximum, self.provision = minimum, maximum, provision
        self._initial = minimum if initial is None else initial

    def attach(self, simulation: Simulation) -> None:
        """Take over the servers of a simulation that is about to run."""
        self._simulation = simulation
        self._nodes = simulation.nodes
        self.maximum = len(self._nodes) if self._maximum is None else self._maximum
        self._check()
        self._ticking = False
        self._idle_steps = 0
        self._seen: tuple[float, ...] = ()
        self._booting: dict[int, None] = {}
        reset = getattr(self.autoscaler, "reset", None)
        if reset is not None:
            reset()
        self.largest = int(np.sort(self._nodes.total)[::-1][: self.maximum].sum())
        """Accelerators of the largest pool that may be up."""
        for server in range(self._initial, len(self._nodes)):
            self._nodes.set_up(server, False)

    def _check(self) -> None:
        if not 0 <= self.minimum <= self._initial <= self.maximum <= len(self._nodes):
            raise InputError(
                f"autoscaler: 0 <= min ({self.minimum}) <= initial ({self._initial}) <= max ({self.maximum}) "
                f"<= servers of the topology ({len(self._nodes)}) does not hold"
            )
        if not self._nodes.total.any():
            raise InputError("autoscaler: the servers of the topology have no accelerators to scale by")
        if not 0 <= self.provision < math.inf:
            raise InputError(f"autoscaler: provision is {self.provision!r} s; it must be a finite number, 0 or more")
        interval = getattr(self.autoscaler, "interval", None)
        if not (isinstance(interval, int | float) and 0 < interval < math.inf):
            name = type(self.autoscaler).__name__
            raise InputError(f"autoscaler {name}: interval is {interval!r} s; it must be a finite number above 0")

    @property
    def provisioned(self) -> float:
        """Accelerators that are paid for."""
        return self._nodes.capacity + float(sum(self._nodes.total.item(server) for server in self._booting))

    def watch(self) -> None:
        """Keep the autoscaler's steps going while they can matter."""
        simulation = self._simulation
        if self._ticking or simulation.over():
            return
        if self._idle_steps < _PATIENCE or simulation.counts() != self._seen[:2]:
            self._ticking = True
            self._simulation.clock.after(self.autoscaler.interval, self._tick, phase=Phase.TICKS)

    def _tick(self) -> None:
        self._ticking = False
        if self._simulation.over():
            return
        wanted = min(max(self._ask(), self.minimum), self.maximum)
        have = int(self._nodes.up.sum()) + len(self._booting)
        changed = False
        if wanted > have:
            changed = self._grow(wanted - have)
        elif wanted < have:
            changed = self._shrink(have - wanted)
        seen = self._simulation.work_so_far()
        still = not (changed or self._booting or self._simulation.to_come()) and seen == self._seen
        self._idle_steps = self._idle_steps + 1 if still else 0
        self._seen = seen
        self._simulation.pass_soon()

    def _ask(self) -> int:
        now, name = self._simulation.clock.now, type(self.autoscaler).__name__
        try:
            wanted = self.autoscaler.step(now, self._observe())
        except (Exception, SystemExit) as error:
            raise PolicyError(f"autoscaler {name} at {now:g} s: {type(error).__name__}: {error}") from error
        try:
            return index(wanted)  # type: ignore[arg-type]
        except TypeError:
            raise PolicyError(
                f"autoscaler {name} at {now:g} s: step returned {wanted!r}, not a number of nodes"
            ) from None

    def _observe(self) -> SupplyObservation:
        nodes, view = self._nodes, self._simulation.view
        return SupplyObservation(
            up=int(nodes.up.sum()),
            booting=len(self._booting),
            busy=sum(1 for jobs in nodes.jobs if jobs),
            allocated=nodes.used,
            queued=float(sum(job.accelerators for job in view.queue)),
            accelerators_per_node=float(nodes.total.mean()),
        )

    def _grow(self, count: int) -> bool:
        off = [i for i in range(len(self._nodes)) if not self._nodes.up.item(i) and i not in self._booting][:count]
        for server in off:
            self._booting[server] = None
            self._simulation.clock.after(self.provision, self._ready, server, phase=Phase.FAILURES)
        self._simulation.note_event("scale-up", "pool", float(len(off)))
        self._simulation.note_capacity()
        return bool(off)

    def _ready(self, server: int) -> None:
        if self._simulation.over():
            return  # nobody waits for this node, or pays for it any longer
        del self._booting[server]
        self._nodes.set_up(server, True)
        self._simulation.note_event("node-up", self._nodes.servers[server].name, float(self._nodes.total[server]))
        self._simulation.note_capacity()
        self._simulation.pass_soon()

    def _shrink(self, count: int) -> bool:
        idle = [i for i in range(len(self._nodes)) if self._nodes.up.item(i) and self._nodes.jobs[i] == 0]
        gone = idle[::-1][:count]
        if not gone:
            return False
        self._simulation.note_event("scale-down", "pool", float(len(gone)))
        for server in gone:
            self._nodes.set_up(server, False)
            name, total = self._nodes.servers[server].name, float(self._nodes.total[server])
            self._simulation.note_event("node-down", name, total)
        self._simulation.note_capacity()
        return True
