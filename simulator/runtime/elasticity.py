"""Servers that come and go: a pool of nodes that an autoscaler sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.core.clock import Phase
from simulator.core.errors import InputError, PolicyError
from simulator.policies.api import Autoscaler, PoolObservation

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class NodePool:
    """All servers of the topology as one pool, of which between ``minimum`` and ``maximum`` are up.

    A node that is asked for takes jobs ``provision`` seconds later and is paid for from the request on, as cloud
    machines are. Only nodes without jobs are taken away; a job is never stopped for it. Counts are nodes.
    """

    def __init__(
        self, autoscaler: Autoscaler, minimum: int, maximum: int | None, provision: float, initial: int | None = None
    ) -> None:
        self.autoscaler = autoscaler
        self.minimum, self._maximum, self.provision = minimum, maximum, provision
        self._initial = minimum if initial is None else initial
        self._ticking = False
        self._booting: dict[int, None] = {}

    def attach(self, simulation: Simulation) -> None:
        """Take over the servers of a simulation."""
        self._simulation = simulation
        self._nodes = simulation.nodes
        self.maximum = len(self._nodes) if self._maximum is None else self._maximum
        if not 0 <= self.minimum <= self._initial <= self.maximum <= len(self._nodes):
            raise InputError(
                f"autoscaler: 0 <= min ({self.minimum}) <= initial ({self._initial}) <= max ({self.maximum}) <= servers "
                f"of the topology ({len(self._nodes)}) does not hold"
            )
        for server in range(self._initial, len(self._nodes)):
            self._nodes.set_up(server, False)

    @property
    def provisioned(self) -> float:
        """Accelerators that are paid for."""
        return self._nodes.capacity + float(sum(self._nodes.total.item(server) for server in self._booting))

    def watch(self) -> None:
        """Keep the autoscaler's ticks going while there is work."""
        if not self._ticking and self._simulation.work_left():
            self._ticking = True
            self._simulation.clock.after(self.autoscaler.interval, self._tick, phase=Phase.TICKS)

    def _tick(self) -> None:
        self._ticking = False
        if not self._simulation.work_left():
            return
        now = self._simulation.clock.now
        wanted = self.autoscaler.step(now, self._observe())
        if not isinstance(wanted, int) or isinstance(wanted, bool):
            name = type(self.autoscaler).__name__
            raise PolicyError(f"autoscaler {name} at {now:g} s: step returned {wanted!r}, not a number of nodes")
        wanted = min(max(wanted, self.minimum), self.maximum)
        have = int(self._nodes.up.sum()) + len(self._booting)
        if wanted > have:
            self._grow(wanted - have)
        elif wanted < have:
            self._shrink(have - wanted)
        self._simulation.pass_soon()

    def _observe(self) -> PoolObservation:
        nodes, view = self._nodes, self._simulation.view
        return PoolObservation(
            up=int(nodes.up.sum()),
            booting=len(self._booting),
            busy=sum(1 for jobs in nodes.jobs if jobs),
            allocated=nodes.used,
            queued=float(sum(job.accelerators for job in view.queue)),
            accelerators_per_node=float(nodes.total.mean()),
        )

    def _grow(self, count: int) -> None:
        off = [i for i in range(len(self._nodes)) if not self._nodes.up.item(i) and i not in self._booting]
        for server in off[:count]:
            self._booting[server] = None
            self._simulation.clock.after(self.provision, self._ready, server, phase=Phase.FAILURES)
        self._simulation.note_event("scale-up", "pool", float(min(count, len(off))))

    def _ready(self, server: int) -> None:
        del self._booting[server]
        self._nodes.set_up(server, True)
        self._simulation.note_event("node-up", self._nodes.servers[server].name, float(self._nodes.total[server]))
        self._simulation.pass_soon()

    def _shrink(self, count: int) -> None:
        idle = [i for i in range(len(self._nodes)) if self._nodes.up.item(i) and self._nodes.jobs[i] == 0]
        gone = idle[::-1][:count]
        if gone:
            self._simulation.note_event("scale-down", "pool", float(len(gone)))
        for server in gone:
            self._nodes.set_up(server, False)
            name, total = self._nodes.servers[server].name, float(self._nodes.total[server])
            self._simulation.note_event("node-down", name, total)
