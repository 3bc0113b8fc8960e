"""Nodes that are emptied before they go: for a controller that wants them away, or for a provider that takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.core.clock import Phase
from simulator.runtime.disruption import RETRY, Disruption, stay
from simulator.runtime.supply.losses import Losses
from simulator.runtime.supply.pool import Pool
from simulator.runtime.supply.roster import BOOTING, DRAINING, READY, STARTING
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class Drains:
    """Takes nodes out of service: booting ones at once, ready ones when they are empty.

    A controller's drain waits for jobs that may not be evicted, however long they run, and asks again every ``RETRY``
    seconds whether a budget lets a replica go. A provider's drain ends with the notice, whatever runs there;
    a checkpoint that is written at that very instant counts.
    """

    def __init__(self, pool: Pool, simulation: Simulation, disruption: Disruption, losses: Losses) -> None:
        self._losses = losses
        self._pool, self._simulation, self._disruption = pool, simulation, disruption
        self._roster = pool.roster
        self._doomed: dict[int, None] = {}
        """Nodes whose provider has given notice."""
        self._leaving: dict[Job, tuple[int, int]] = {}
        """Jobs that have been told to leave, and the stay that this was about."""

    def doomed(self, server: int) -> bool:
        """Whether the provider has given notice of a node's end."""
        return server in self._doomed

    def remove(self, server: int, rule: str) -> None:
        """Take away a node that its controller does not want any more."""
        if self._roster.state.item(server) != READY or not self._roster.residents[server]:
            self._gone(server)
            return
        self._pool.cordon(server)
        self._evict(server, self._roster.lives[server], rule)

    def interrupt(self, server: int) -> None:
        """Let the provider take a node back, after its notice if anything runs there."""
        if server in self._doomed:
            return
        pool, roster = self._pool, self._roster
        number = roster.owner.item(server)
        notice = pool.groups[number].notice
        pool.spending.interrupted[number] += 1
        name = self._name(server)
        self._simulation.note_event("interruption", name, notice)
        self._simulation.decisions.add(
            "market", name, "remove", "interruption", inputs={"notice": notice, "jobs": len(roster.residents[server])}
        )
        self._simulation.vain.interrupted(bool(roster.residents[server]))
        if roster.state.item(server) not in (READY, DRAINING) or not roster.residents[server]:
            self._gone(server)
            return
        self._doomed[server] = None
        if roster.state.item(server) == READY:
            pool.cordon(server)
        life = roster.lives[server]
        self._simulation.clock.after(notice, self._over, server, life, phase=Phase.ARRIVALS)
        for job in tuple(roster.residents[server]):
            self._disruption.warn(job, notice, "interruption", name)

    def settle(self) -> None:
        """Give back the draining nodes that have become empty."""
        for server in tuple(self._pool.emptied):
            if not self._roster.residents[server]:
                self._gone(server)
        self._pool.emptied.clear()

    def _evict(self, server: int, life: int, rule: str) -> None:
        """Evict whoever may be evicted now, and come back for those whose budget forbids it."""
        roster = self._roster
        if roster.lives[server] != life or server in self._doomed or self._simulation.over():
            return
        grace = self._pool.groups[roster.owner.item(server)].grace
        again = False
        for job in tuple(roster.residents[server]):
            if job not in roster.residents[server] or self._leaving.get(job) == stay(job):
                continue
            if not self._disruption.forbids(job):
                self._leaving[job] = stay(job)
                self._disruption.evict(job, grace, rule, self._name(server))
            else:
                again = again or job.life is not None
        if again:
            self._simulation.clock.after(RETRY, self._evict, server, life, rule, phase=Phase.FAILURES)

    def _over(self, server: int, life: int) -> None:
        """The notice is over: what still runs there is stopped."""
        if self._roster.lives[server] != life or self._simulation.over():
            return
        for job in tuple(self._roster.residents[server]):
            self._disruption.end(job, "interruption", self._name(server))
            if job.life is None:
                self._losses.stopped(job, server)
                self._simulation.vain.stopped(job)
        self._gone(server)

    def _gone(self, server: int) -> None:
        self._doomed.pop(server, None)
        coming = self._roster.state.item(server) in (BOOTING, STARTING)
        self._pool.go(server)
        self._simulation.note_capacity()
        if not coming:
            self._simulation.pass_soon()

    def _name(self, server: int) -> str:
        return self._simulation.nodes.servers[server].name
