"""The life of nodes: asked for, booting, ready, drained, gone; and the warm ones beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from simulator.core.clock import Phase as At
from simulator.runtime.supply import spending as told
from simulator.runtime.supply.boots import ACCELERATORS, Boot, Phase
from simulator.runtime.supply.groups import Group
from simulator.runtime.supply.roster import BOOTING, DRAINING, OFF, READY, STARTING, WARM, WARMING, Roster
from simulator.runtime.supply.spending import Spending
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

SUPPLY = "the supply of nodes"
"""Who wants servers down that are not had, and keeps those that drain."""


class Pool:
    """Moves nodes through their life, and keeps the accounts and what others see up to date.

    ``came(server)`` is told when a node takes work, ``asked(server)`` when one is asked for, ``went(server)`` when one
    is gone.
    """

    def __init__(self, groups: Sequence[Group], simulation: Simulation) -> None:
        self.groups, self._simulation = groups, simulation
        self._clock, self._nodes, self._switch = simulation.clock, simulation.nodes, simulation.availability
        self.roster = Roster(groups, len(self._nodes))
        self._accelerators: list[int] = self._nodes.total.tolist()
        self.spending = Spending(
            groups, self.roster.owner.tolist(), self._accelerators, [server.name for server in self._nodes.servers]
        )
        self._draws = [simulation.stream(f"boot:{group.name}") for group in groups]
        self.failed = [-math.inf] * len(groups)
        """When a node that was asked for last could not be had (s)."""
        self.came: Callable[[int], None] = _nobody
        self.asked: Callable[[int], None] = _nobody
        self.went: Callable[[int], None] = _nobody
        self.emptied: dict[int, None] = {}
        """Draining nodes that may have become empty."""
        self.changes = 0
        """Grows whenever a job comes or goes, or others may have taken servers down or kept them."""
        self._broken: dict[int, None] = {}
        self._paid = int(self._nodes.total[self.roster.owner < 0].sum())

    # -- the beginning --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Switch off what is not had, and let the first nodes and the warm ones be there."""
        for number, group in enumerate(self.groups):
            for server in group.servers:
                self._switch.down(server, SUPPLY)
            have = min(group.first, self._stock(number))
            for server in sorted(group.servers)[:have]:
                self._take(number)
                self._ask(server)
                self._show(server)
            if have < group.first:
                self._miss(number, group.first - have)
            self._refill(number, booted=True)

    # -- growing ----------------------------------------------------------------------------------------------------

    def room(self, number: int, count: int) -> tuple[int, str]:
        """Return how many of ``count`` more nodes a group can have now, and what forbids the rest."""
        group, roster = self.groups[number], self.roster
        warm = roster.count(number, WARM)
        given = roster.total(number)
        maximum = len(group.servers) if group.maximum is None else group.maximum
        bounds = [
            (maximum - roster.size(number), "max"),
            (warm + (math.inf if group.quota is None else group.quota - given), "quota"),
            (warm + self._stock(number) - given, "stock"),
            (warm + roster.count(number, OFF), "servers"),
        ]
        most, why = min(bounds, key=lambda bound: bound[0])
        return (count, "") if most >= count else (max(0, int(most)), why)

    def grow(self, number: int, count: int) -> tuple[list[int], str]:
        """Ask for nodes of a group; return the servers that come, and what forbids the rest."""
        allowed, why = self.room(number, count)
        came: list[int] = []
        while len(came) < allowed:
            server = self._warm(number)
            if server is None:
                server = self._take(number)
                if server is None:
                    why = "servers"
                    break
                self._boot(server)
            came.append(server)
        if len(came) < count and why != "max":
            self.failed[number] = self._clock.now
            if why == "stock":
                self._miss(number, count - len(came))
        if came:
            self._simulation.note_event("scale-up", self.groups[number].name, float(len(came)))
            self._refill(number)
            self._simulation.note_capacity()
        return came, why

    def _miss(self, number: int, count: int) -> None:
        self.failed[number] = self._clock.now
        self.spending.missing[number] += count
        self._simulation.note_event("stock-out", self.groups[number].name, float(count))

    def _stock(self, number: int) -> int:
        capacity = self.groups[number].capacity
        return len(self.groups[number].servers) if capacity is None else int(capacity.at(self._clock.now))

    def _take(self, number: int) -> int | None:
        """Take a server that is off and not broken."""
        return self.roster.take(number, lambda server: len(self._switch.wanted_down(server)) == 1)

    def _ask(self, server: int, state: int = BOOTING) -> None:
        """The provider gives a node out."""
        self.roster.set(server, state)
        self.roster.created[server] = self._clock.now
        self._pay(server, told.BOOT)
        self.asked(server)

    def _boot(self, server: int, state: int = BOOTING) -> None:
        group = self.roster.owner.item(server)
        self._ask(server, state)
        self._run(server, self.groups[group].boot)

    def _run(self, server: int, boot: Boot) -> None:
        """Let a node go through phases; their times are drawn at once, in the order in which nodes are asked for."""
        draws = self._draws[self.roster.owner.item(server)]
        seconds = [phase.draw(draws) for phase in boot]
        life = self.roster.lives[server]
        if boot:
            self._clock.after(seconds[0], self._next, server, life, boot, seconds, 0, phase=At.FAILURES)
        else:
            self._clock.after(0.0, self._booted, server, life, phase=At.FAILURES)

    def _next(self, server: int, life: int, boot: Boot, seconds: list[float], index: int) -> None:
        """A phase is over."""
        if self._simulation.over() or self.roster.lives[server] != life:
            return
        self._simulation.note_event("node-boot", f"{self._name(server)}: {boot[index].name}", seconds[index])
        if index + 1 == len(boot):
            self._booted(server, life)
            return
        if boot[index + 1].name == ACCELERATORS and self.roster.state.item(server) == BOOTING:
            self.roster.set(server, STARTING)
        self._clock.after(seconds[index + 1], self._next, server, life, boot, seconds, index + 1, phase=At.FAILURES)

    def _booted(self, server: int, life: int) -> None:
        if self._simulation.over() or self.roster.lives[server] != life:
            return  # nobody waits for this node, or pays for it any longer
        if self.roster.state.item(server) == WARMING:
            self._wait_warm(server)
            return
        if self._show(server):
            self._note("node-up", server)
        self._simulation.note_capacity()
        self.came(server)
        self._simulation.pass_soon()

    def _show(self, server: int) -> bool:
        """Let a node take work; return whether it does, and nobody else wants it down."""
        now = self._clock.now
        self.roster.set(server, READY)
        self.roster.ready[server] = self.roster.idle[server] = now
        up = self._switch.up(server, SUPPLY)
        self._account(server)
        return up

    # -- warm nodes -------------------------------------------------------------------------------------------------

    def _warm(self, number: int) -> int | None:
        """Take the first warm node into service, if there is one."""
        warm, roster = self.groups[number].warm, self.roster
        if warm is None or not roster.count(number, WARM):
            return None
        server = next(each for each in self.groups[number].servers if roster.state.item(each) == WARM)
        roster.set(server, BOOTING)
        roster.created[server] = self._clock.now
        self._pay(server, told.BOOT)
        self._run(server, (Phase("warm start", warm.start),))
        return server

    def _refill(self, number: int, booted: bool = False) -> None:
        """Ask for the warm nodes that are missing."""
        group, roster = self.groups[number], self.roster
        while group.warm is not None and roster.count(number, WARM, WARMING) < group.warm.nodes:
            given = roster.total(number)
            if given >= self._stock(number) or (group.quota is not None and given >= group.quota):
                return
            server = self._take(number)
            if server is None:
                return
            if booted:
                self._ask(server, WARMING)
                self._wait_warm(server)
            else:
                self._boot(server, WARMING)

    def _wait_warm(self, server: int) -> None:
        self.roster.set(server, WARM)
        self._pay(server, told.WARM)
        if self._clock.now > 0:
            self._note("node-warm", server)
        self._simulation.note_capacity()

    # -- going ------------------------------------------------------------------------------------------------------

    def cordon(self, server: int) -> None:
        """Let a node take no more work."""
        self._switch.keep((server,), "a node that drains", SUPPLY)
        self.roster.set(server, DRAINING)
        self._account(server)
        self._simulation.note_event("node-drain", self._name(server), float(len(self.roster.residents[server])))

    def go(self, server: int) -> None:
        """Give a node back on which nothing runs; whoever calls this notes the capacity afterwards."""
        self._switch.release((server,), SUPPLY)
        was_up = self._nodes.up.item(server)
        self._switch.down(server, SUPPLY)
        if was_up:
            self._note("node-down", server)
        self._pay(server, None)
        self.emptied.pop(server, None)
        self._broken.pop(server, None)
        number = self.roster.owner.item(server)
        self.roster.set(server, OFF)
        self._simulation.pulls.forget(server)
        self.went(server)
        self._refill(number)

    def refill(self) -> None:
        """Try again to have all the warm nodes that are missing."""
        for number in range(len(self.groups)):
            self._refill(number)
        self._simulation.note_capacity()

    # -- jobs on nodes ----------------------------------------------------------------------------------------------

    def placed(self, job: Job) -> None:
        """A job has begun to run somewhere."""
        roster, now = self.roster, self._clock.now
        self.changes += 1
        for server, taken in job.placement:
            if roster.owner.item(server) < 0:
                continue
            residents = roster.residents[server]
            if not residents:
                roster.busy += 1
                roster.idle[server] = math.nan
            residents[job] = None
            self.spending.use(server, taken, now)
            self._account(server)

    def lifted(self, job: Job) -> None:
        """A job gives its accelerators back."""
        roster, now = self.roster, self._clock.now
        self.changes += 1
        for server, taken in job.placement:
            residents = roster.residents[server]
            if job not in residents:
                continue
            del residents[job]
            self.spending.use(server, -taken, now)
            if not residents:
                roster.busy -= 1
                roster.idle[server] = now
                if roster.state.item(server) == DRAINING:
                    self.emptied[server] = None
            self._account(server)

    def look(self) -> None:
        """See which nodes others have taken down, or let up again."""
        self.changes += 1
        state, up = self.roster.state, self._nodes.up
        for server in ((state == READY) & ~up).nonzero()[0].tolist():
            if server not in self._broken:
                self._broken[server] = None
                self._account(server)
        for server in [each for each in self._broken if up.item(each) or state.item(each) != READY]:
            del self._broken[server]
            self._account(server)

    # -- accounts ---------------------------------------------------------------------------------------------------

    @property
    def paid(self) -> float:
        """Accelerators that are switched on and paid for."""
        return float(self._paid)

    def _account(self, server: int) -> None:
        """Put a node that has come up on the right account."""
        state = self.roster.state.item(server)
        if state == DRAINING:
            self._pay(server, told.DRAIN)
        elif state == READY:
            if not self._nodes.up.item(server):
                self._pay(server, told.FAILED)
            else:
                self._pay(server, told.BUSY if self.roster.residents[server] else told.IDLE)

    def _pay(self, server: int, state: str | None) -> None:
        before = self.spending.powered(server)
        self.spending.move(server, state, self._clock.now)
        self._paid += (self.spending.powered(server) - before) * self._accelerators[server]

    def _name(self, server: int) -> str:
        return self._nodes.servers[server].name

    def _note(self, event: str, server: int) -> None:
        self._simulation.note_event(event, self._name(server), float(self._accelerators[server]))


def _nobody(server: int) -> None:
    """Nobody wants to know."""
