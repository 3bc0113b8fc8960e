"""Outages one by one: from the failure over its detection to the repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.core.clock import Phase
from simulator.runtime.failures.blast import Component
from simulator.runtime.failures.cuts import Cuts
from simulator.runtime.failures.spares import Spares
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


@dataclass(slots=True, eq=False)
class Outage:
    """A component that is down, and the servers that are with it."""

    name: str
    component: Component
    repair: float
    servers: dict[int, None]
    noticed: bool = False
    over: bool = False


class Outages:
    """Carries out failures: takes servers and links down, lets jobs hang and stops them, repairs, and counts.

    The repair of servers begins when somebody notices; links come back by themselves, so long after they went.
    """

    def __init__(self, simulation: Simulation, cuts: Cuts, spares: int) -> None:
        self._simulation, self._clock, self._nodes = simulation, simulation.clock, simulation.nodes
        self._cuts = cuts
        self._broken: dict[int, Outage] = {}
        """Servers that are not fit for work, noticed or not, and why."""
        self._silent: dict[int, None] = {}
        """Those of them that nobody has noticed."""
        self._links: dict[Component, Outage] = {}
        """Components whose links are down."""
        self._slow: dict[int, str] = {}
        self._spares = Spares(simulation.availability, simulation.nodes, spares)
        self.stopped = 0
        """Times that failures stopped a running job."""
        self.taken = 0
        """Failures that took servers."""
        self._lost = 0.0
        self._since: dict[int, float] = {}

    def begin(self) -> None:
        """Keep the spares back."""
        self._spares.begin()

    def fail(self, name: str, component: Component, repair: float, delay: float) -> bool:
        """Let a component fail; return whether it did: what is down already, or not there, does not."""
        servers = [server for server in component.servers if self._fit(server)]
        if not servers and (not component.links or component in self._links):
            return False
        outage = Outage(name, component, repair, {})
        if component.links:
            self._links[component] = outage
            servers += [server for server in self._cuts.cut(component, outage) if self._fit(server)]
        outage.servers = dict.fromkeys(servers)
        lost = float(sum(self._nodes.total.item(server) for server in servers))
        self._simulation.note_event("failure", f"{name} {component.name}", lost)
        if component.links:
            self._clock.after(repair, self._repair, outage, phase=Phase.FAILURES)
        if not servers:
            return True
        self.taken += 1
        for server in servers:
            self._broken[server] = outage
            self._silent[server] = None
            self._since[server] = self._clock.now
        hit = self._jobs(outage.servers)
        if delay <= 0 or any(job.life is not None for job in hit):
            self._notice(outage)
            return True
        for job in hit:
            self._simulation.gangs.pause(job, "hung")
        self._clock.after(delay, self._notice, outage, phase=Phase.FAILURES)
        return True

    def _fit(self, server: int) -> bool:
        return server not in self._broken and bool(self._nodes.up[server])

    def _jobs(self, servers: dict[int, None]) -> list[Job]:
        """Running jobs that are on any of the servers."""
        running = self._simulation.view.running
        return [job for job in running if any(server in servers for server, _ in job.placement)]

    def _notice(self, outage: Outage) -> None:
        """Somebody notices: jobs are stopped, the servers take no more work, and the repair of servers begins."""
        if outage.noticed or outage.over or self._simulation.over():
            return
        outage.noticed = True
        simulation, servers = self._simulation, outage.servers
        late = any(self._since[server] < self._clock.now for server in servers)
        if late:
            simulation.note_event("detect", f"{outage.name} {outage.component.name}", self._accelerators(outage))
        for job in self._jobs(servers):
            job.failures += 1
            self.stopped += 1
            simulation.stop(job)
            simulation.vain.stopped(job)
        for server in servers:
            self._silent.pop(server, None)
            simulation.availability.down(server, outage)
        if not outage.component.links:
            self._clock.after(outage.repair, self._repair, outage, phase=Phase.FAILURES)
        self._changed()

    def _repair(self, outage: Outage) -> None:
        """The component is whole again."""
        simulation, component = self._simulation, outage.component
        if simulation.over():
            return
        simulation.note_event("repair", f"{outage.name} {component.name}", self._accelerators(outage))
        outage.over = True
        back = dict.fromkeys(outage.servers) if component.servers else {}
        if component.links:
            del self._links[component]
            back |= dict.fromkeys(self._cuts.mend(component, outage))
        for server in back:
            self._restore(server)
        self._changed()

    def _restore(self, server: int) -> None:
        """Let a server work again; jobs that hang on it, and on nothing else that is broken, go on."""
        outage = self._broken.get(server)
        if outage is None or (outage.component.servers and not outage.over) or not self._cuts.reached(server):
            return
        del self._broken[server], outage.servers[server]
        self._lost += (self._clock.now - self._since.pop(server)) * self._nodes.total.item(server)
        if server in self._silent:
            del self._silent[server]
            for job in self._jobs({server: None}):
                if not any(other in self._silent for other, _ in job.placement):
                    self._simulation.gangs.resume(job)
        else:
            self._simulation.availability.up(server, outage)

    def _accelerators(self, outage: Outage) -> float:
        return float(sum(self._nodes.total.item(server) for server in outage.servers))

    def _changed(self) -> None:
        """What is up has changed."""
        self._spares.settle([server for server in self._broken if server not in self._silent])
        self._simulation.note_capacity()
        self._simulation.pass_soon()

    def passed(self) -> None:
        """A scheduling pass is over: jobs that it started on what is broken, unnoticed, hang; spares may come home."""
        if self._silent:
            for job in self._jobs(self._silent):
                if job.life is not None:
                    for server, _ in job.placement:
                        if server in self._silent:
                            self._notice(self._broken[server])
                elif not self._simulation.gangs.stands(job):
                    self._simulation.gangs.pause(job, "hung")
        self._spares.settle([server for server in self._broken if server not in self._silent])

    # -- stragglers ---------------------------------------------------------------------------------------------

    def slow(self, name: str, component: Component, pace: float, seconds: float) -> bool:
        """Let the servers of a component compute at a pace for so long; return whether any does so now."""
        servers = [server for server in component.servers if self._fit(server) and server not in self._slow]
        if not servers:
            return False
        for server in servers:
            self._slow[server] = name
            self._simulation.gangs.slow(server, pace, self._simulation.view.running)
        amount = float(sum(self._nodes.total.item(server) for server in servers))
        self._simulation.note_event("straggle", f"{name} {component.name}", amount)
        self._clock.after(seconds, self._quicken, name, component, servers, phase=Phase.FAILURES)
        return True

    def _quicken(self, name: str, component: Component, servers: list[int]) -> None:
        if self._simulation.over():
            return
        for server in servers:
            del self._slow[server]
            self._simulation.gangs.slow(server, 1.0, self._simulation.view.running)
        amount = float(sum(self._nodes.total.item(server) for server in servers))
        self._simulation.note_event("repair", f"{name} {component.name}", amount)

    def facts(self, now: float) -> dict[str, float]:
        """Times that jobs were stopped, accelerator-seconds that were down, most spares that stood in at a time."""
        open_ = sum((now - since) * self._nodes.total.item(server) for server, since in self._since.items())
        return {
            "stopped": self.stopped,
            "down_accelerator_seconds": self._lost + open_,
            "spares_used": self._spares.most,
        }
