"""What the controller of nodes asks for, carried out within bounds, and written down with its reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.core.errors import PolicyError
from simulator.policies.supply import Grow, Remove, Replace, SupplyAction, Unplaced
from simulator.runtime.supply.drains import Drains
from simulator.runtime.supply.pool import Pool
from simulator.runtime.supply.roster import BOOTING, READY, STARTING

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


@dataclass(eq=False)
class _Swap:
    """Nodes that go when others have come."""

    old: tuple[int, ...]
    action: Replace
    waits: dict[int, None] = field(default_factory=dict)


class Actions:
    """Carries out what a controller called ``kind`` wants; ``cancels``: fewer nodes than are coming cancel some."""

    def __init__(self, pool: Pool, simulation: Simulation, drains: Drains, kind: str, cancels: bool) -> None:
        self._pool, self._simulation, self._drains = pool, simulation, drains
        self._roster, self._kind, self._cancels = pool.roster, kind, cancels
        self._refused: dict[int, tuple[str, str]] = {}
        """What was refused last in each group, so that it is written down once."""
        self._waits: tuple[Unplaced, ...] = ()
        self._helpless: dict[int, str] = {}
        """What keeps each group from helping jobs that wait, -1 for jobs that no group can hold, as last written."""
        self._swaps: dict[int, _Swap] = {}
        """By node that comes for others."""
        pool.came, pool.went = self._came, self._went

    # -- numbers ----------------------------------------------------------------------------------------------------

    def number(self, wanted: int) -> bool:
        """Have so many nodes up or coming over all groups, within their bounds."""
        groups, roster = self._pool.groups, self._roster
        have = sum(roster.size(number) for number in range(len(groups)))
        lowest = sum(group.minimum for group in groups)
        highest = sum(len(group.servers) if group.maximum is None else group.maximum for group in groups)
        bounded = min(max(int(wanted), lowest), highest)
        if bounded > have:
            left = bounded - have
            for number in range(len(groups)):
                left -= len(self._pool.grow(number, left)[0]) if left else 0
        elif bounded < have:
            self._shrink(have - bounded)
        now = sum(roster.size(number) for number in range(len(groups)))
        subject = groups[0].name if len(groups) == 1 else "nodes"
        self._simulation.decisions.scaled(self._kind, subject, have, wanted, now)
        return now != have

    def _shrink(self, count: int) -> None:
        """Take nodes away of which nobody makes use: those that come, if the controller cancels, then idle ones."""
        gone = [*self._youngest(count)] if self._cancels else []
        gone += self._idle(count - len(gone), gone)
        names: dict[int, list[int]] = {}
        for server in gone:
            names.setdefault(self._roster.owner.item(server), []).append(server)
        for number, servers in names.items():
            self._simulation.note_event("scale-down", self._pool.groups[number].name, float(len(servers)))
            for server in servers:
                self._pool.go(server)
        if gone:
            self._simulation.note_capacity()

    def _youngest(self, count: int) -> Iterator[int]:
        """Nodes that are coming, the youngest first, as far as minimums allow."""
        roster = self._roster
        coming = [each for each in roster.rows().tolist() if roster.state.item(each) in (BOOTING, STARTING)]
        coming.sort(key=lambda server: (-roster.created.item(server), -server))
        yield from self._spared(coming, count, {})

    def _idle(self, count: int, before: list[int]) -> list[int]:
        """Ready nodes without jobs: of the last group first, the last node first."""
        roster = self._roster
        found: list[int] = []
        taken: dict[int, int] = {}
        for server in before:
            number = roster.owner.item(server)
            taken[number] = taken.get(number, 0) + 1
        for number in range(len(self._pool.groups) - 1, -1, -1):
            idle = [
                server
                for server in sorted(self._pool.groups[number].servers, reverse=True)
                if roster.state.item(server) == READY and not roster.residents[server]
            ]
            found += self._spared(idle, count - len(found), taken)
        return found

    def _spared(self, servers: list[int], count: int, taken: dict[int, int]) -> Iterator[int]:
        """As many of the servers as their groups can spare, at most ``count``."""
        for server in servers:
            if count <= 0:
                return
            number = self._roster.owner.item(server)
            if self._roster.size(number) - taken.get(number, 0) > self._pool.groups[number].minimum:
                taken[number] = taken.get(number, 0) + 1
                count -= 1
                yield server

    def keep_minimum(self) -> bool:
        """Let groups below their minimum ask for what is missing."""
        changed = False
        for number, group in enumerate(self._pool.groups):
            wanted, have = group.minimum, self._roster.size(number)
            if have < wanted:
                if number in self._refused and not self._pool.room(number, wanted - have)[0]:
                    continue  # it has been told, and nothing has changed
                came = self._grown(number, wanted - have, Grow(number, wanted - have, rule="minimum"), group.name)
                changed = changed or bool(came)
        return changed

    # -- actions ----------------------------------------------------------------------------------------------------

    def do(self, action: SupplyAction) -> bool:
        """Carry out one action; return whether it changed anything."""
        if isinstance(action, Grow):
            self._checked(action.group, action.count)
            return bool(self._grown(action.group, action.count, action, self._kind))
        for server in action.servers:
            if not 0 <= server < len(self._roster.lives) or self._roster.owner.item(server) < 0:
                raise self._illegal(f"server {server!r} is in no node group")
        return self._removed(action) if isinstance(action, Remove) else self._replaced(action)

    def _grown(self, number: int, count: int, action: Grow | Replace, controller: str) -> list[int]:
        have = self._roster.size(number)
        came, why = self._pool.grow(number, count)
        if came:
            self._refused.pop(number, None)
            self._write(action, "grow", number, have, have + count, have + len(came), controller)
        else:
            self._refuse(action, number, have + count, why, controller)
        return came

    def _removed(self, action: Remove) -> bool:
        changed = False
        gone: dict[int, int] = {}
        for server in action.servers:
            number = self._roster.owner.item(server)
            have, state = self._roster.size(number), self._roster.state.item(server)
            if state not in (BOOTING, STARTING, READY):
                continue  # it is going already
            if have <= self._pool.groups[number].minimum:
                self._refuse(action, number, have - 1, "min", self._kind)
                continue
            jobs = len(self._roster.residents[server])
            self._note(action, "remove", server, jobs)
            gone[number] = gone.get(number, 0) + 1
            self._drains.remove(server, action.rule or "remove")
            changed = True
        for number, count in gone.items():
            self._refused.pop(number, None)
            self._simulation.note_event("scale-down", self._pool.groups[number].name, float(count))
        return changed

    def _replaced(self, action: Replace) -> bool:
        self._checked(action.group, action.count)
        number = action.group
        have = self._roster.size(number)
        room, why = self._pool.room(number, action.count)
        if room < action.count:
            self._refuse(action, number, have + action.count, why, self._kind)
            return False
        came, _ = self._pool.grow(number, action.count)
        self._write(action, "replace", number, have, have + action.count, have + len(came), self._kind)
        swap = _Swap(action.servers, action, dict.fromkeys(came))
        for server in came:
            self._swaps[server] = swap
        return True

    def _came(self, server: int) -> None:
        """A node takes work; if it was the last that others wait for, they may go."""
        swap = self._swaps.pop(server, None)
        if swap is None:
            return
        swap.waits.pop(server, None)
        if not swap.waits:
            action = swap.action
            self._removed(Remove(swap.old, rule=action.rule, inputs=action.inputs, runner_up=action.runner_up))

    def _went(self, server: int) -> None:
        """A node is gone; those that it was to replace stay."""
        swap = self._swaps.pop(server, None)
        if swap is not None:
            for other in swap.waits:
                self._swaps.pop(other, None)

    # -- what is written down ---------------------------------------------------------------------------------------

    def _write(
        self, action: SupplyAction, what: str, number: int, have: int, wanted: int, applied: int, controller: str
    ) -> None:
        self._simulation.decisions.add(
            controller, self._pool.groups[number].name, what, action.rule, before=have, wanted=wanted, applied=applied,
            runner_up=action.runner_up or None, inputs=action.inputs,
        )  # fmt: skip

    def _note(self, action: SupplyAction, what: str, server: int, jobs: int) -> None:
        name = self._simulation.nodes.servers[server].name
        have = self._roster.size(self._roster.owner.item(server))
        inputs = {**action.inputs, "jobs": jobs, "group": self._pool.groups[self._roster.owner.item(server)].name}
        self._simulation.decisions.add(
            self._kind, name, what, action.rule, before=have, wanted=have - 1, applied=have - 1,
            runner_up=action.runner_up or None, inputs=inputs,
        )  # fmt: skip

    def _refuse(self, action: SupplyAction, number: int, wanted: int, why: str, controller: str) -> None:
        """Write down that a group does not do what is wanted, once for each reason until it does."""
        key = (type(action).__name__, why)
        if self._refused.get(number) == key:
            return
        self._refused[number] = key
        have = self._roster.size(number)
        self._simulation.decisions.add(
            controller, self._pool.groups[number].name, "refuse", why, before=have, wanted=wanted, applied=have,
            runner_up=action.rule or None, inputs=action.inputs,
        )  # fmt: skip

    def helpless(self, waits: tuple[Unplaced, ...]) -> None:
        """Write down which groups cannot help jobs that wait, once for each group and reason until that changes."""
        if waits is self._waits:
            return
        self._waits = waits
        jobs: dict[int, list[str]] = {}
        for job in waits:
            for number in job.groups or (-1,):
                jobs.setdefault(number, []).append(job.id)
        found: dict[int, str] = {}
        for number, names in jobs.items():
            why = "no group can hold it" if number < 0 else self._pool.room(number, 1)[1]
            if not why or (number >= 0 and self._roster.count(number, BOOTING, STARTING)):
                continue
            found[number] = why
            if self._helpless.get(number) != why and self._refused.get(number, ("", ""))[1] != why:
                have = self._roster.size(number) if number >= 0 else 0
                subject = self._pool.groups[number].name if number >= 0 else names[0]
                self._simulation.decisions.add(
                    self._kind, subject, "refuse", why, before=have, wanted=have + 1, applied=have,
                    inputs={"jobs": len(names), "first": names[0]},
                )  # fmt: skip
        self._helpless = found

    def _checked(self, number: int, count: int) -> None:
        groups = len(self._pool.groups)
        if not 0 <= number < groups or count < 1:
            raise self._illegal(f"{count} nodes of group {number} wanted; groups are 0 to {groups - 1}, counts from 1")

    def _illegal(self, why: str) -> PolicyError:
        return PolicyError(f"autoscaler {self._kind} at {self._simulation.clock.now:g} s: {why}")
