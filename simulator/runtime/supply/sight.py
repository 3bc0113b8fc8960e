"""What the controller of nodes is shown: sums, groups, waiting jobs, nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simulator.cluster.capacity import holds
from simulator.cluster.shares import MILLI
from simulator.policies.nodes.unfit import why_unfit
from simulator.policies.supply import GroupView, Nodes, NodeState, Resident, SupplyObservation, Unplaced
from simulator.runtime.disruption import Disruption
from simulator.runtime.supply.pool import Pool
from simulator.runtime.supply.roster import BOOTING, READY, STARTING
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

_FAILED = int(NodeState.FAILED)
Wish = tuple[object, ...]
"""All that decides where a job fits: what it asks for, and what it bears."""


class Sight:
    """Makes observations. What changes with nodes only is kept until one of them changes."""

    def __init__(self, pool: Pool, simulation: Simulation, disruption: Disruption) -> None:
        self._pool, self._simulation, self._disruption = pool, simulation, disruption
        nodes = self._cells = simulation.nodes
        roster = self._roster = pool.roster
        self._grouped = roster.owner >= 0
        self._always = np.flatnonzero(~self._grouped)
        self._per_node = float(nodes.total[self._grouped].mean())
        self._groups: dict[Wish, tuple[int, ...]] = {}
        self._unfit: dict[Wish, str] = {}
        self._most = ~self._grouped
        for group in pool.groups:
            self._most[list(group.servers[: group.most])] = True
        self._unplaced: dict[Job, tuple[Unplaced, int]] = {}
        """What was said of waiting jobs, and the number of what each of them wishes."""
        self._wishes: dict[Wish, int] = {}
        self._looked: tuple[int, ...] = ()
        self._waits: tuple[Unplaced, ...] = ()
        """Jobs that wait, as of the last change of anything that this depends on."""
        self._fixed: tuple[int, tuple[np.ndarray, ...]] = (-1, ())

    def sums(self) -> SupplyObservation:
        """What every controller is told."""
        nodes, roster, queue = self._cells, self._roster, self._simulation.view.queue
        allocated = nodes.used
        if len(self._always):
            held = nodes.total[self._always] - nodes.free[self._always] - nodes.beside[self._always] / MILLI
            allocated -= float(held.sum())
        return SupplyObservation(
            up=int(np.count_nonzero((roster.state == READY) & nodes.up)),
            booting=roster.coming(),
            busy=roster.busy,
            allocated=allocated,
            queued=float(sum(job.accelerators for job in queue)),
            accelerators_per_node=self._per_node,
            waiting=len(queue),
        )

    def all(self) -> SupplyObservation:
        """What a detailed one is told."""
        told = self.sums()
        return SupplyObservation(
            told.up, told.booting, told.busy, told.allocated, told.queued, told.accelerators_per_node, told.waiting,
            self.groups(), self.pending(), self.nodes(),
        )  # fmt: skip

    # -- groups -----------------------------------------------------------------------------------------------------

    def groups(self) -> tuple[GroupView, ...]:
        """The groups as they are now."""
        state, up = self._roster.state, self._cells.up
        ready = np.bincount(self._roster.owner[(state == READY) & up], minlength=len(self._pool.groups)).tolist()
        return tuple(self._group(number, ready[number]) for number in range(len(self._pool.groups)))

    def _group(self, number: int, ready: int) -> GroupView:
        group, roster, now = self._pool.groups[number], self._roster, self._simulation.clock.now
        server = self._cells.servers[group.servers[0]]
        limits = [len(group.servers), group.maximum, group.quota]
        return GroupView(
            name=group.name,
            minimum=group.minimum,
            maximum=min(limit for limit in limits if limit is not None),
            size=roster.size(number),
            ready=ready,
            booting=roster.count(number, BOOTING, STARTING),
            accelerators=float(server.accelerators),
            cores=float(server.cores),
            memory=float(server.memory),
            accelerator=server.accelerator,
            price=0.0 if group.price is None else group.price.at(now),
            spot=group.spot,
            region=group.region,
            carbon=math.nan if group.carbon is None else group.carbon.at(now),
            boot=group.boot_mean,
            failed=self._pool.failed[number],
        )

    # -- jobs -------------------------------------------------------------------------------------------------------

    def pending(self) -> tuple[Unplaced, ...]:
        """Jobs that wait and fit nowhere now, in the order of the queue; each kind of job is looked at once."""
        simulation = self._simulation
        now = (*simulation.counts(), len(simulation.view.queue), self._pool.changes, self._roster.version)
        if now != self._looked:
            self._looked, self._waits = now, tuple(self._waiting())
        return self._waits

    def _waiting(self) -> list[Unplaced]:
        fits: dict[int, bool] = {}
        known, found = self._unplaced, []
        for job in self._simulation.view.queue:
            entry = known.get(job)
            if entry is None or entry[0].since != job.since or entry[0].accelerators != job.accelerators:
                wished = (*_wish(job, job.accelerators), job.tenant)
                number = self._wishes.setdefault(wished, len(self._wishes))
                entry = known[job] = (self._describe(job), number)
            unplaced, wish = entry
            fit = fits.get(wish)
            if fit is None:
                fit = fits[wish] = self._fits(job)
            if not fit:
                found.append(unplaced)
        if len(known) > 2 * len(self._simulation.view.queue) + 1000:
            waiting = self._simulation.view.queue.members
            self._unplaced = {job: each for job, each in known.items() if job in waiting}
        return found

    def _describe(self, job: Job) -> Unplaced:
        one = job.accelerators <= 1
        return Unplaced(
            id=job.id,
            since=job.since,
            accelerators=job.accelerators,
            cores=job.cores,
            memory=job.memory,
            servers=1 if one else job.max_servers,
            groups=self.suited(job, job.accelerators, one or job.max_servers == 1),
            priority=job.priority,
        )

    def _fits(self, job: Job) -> bool:
        """Whether the nodes that are up have room for a job."""
        nodes = self._cells
        if job.accelerators <= 1 or job.max_servers == 1:
            return bool(nodes.fits_for(job).any())
        if job.accelerators > nodes.free_total:
            return False
        room = np.where(nodes.allowed(job), nodes.free, 0).astype(float)
        for needed, free in ((job.cores, nodes.free_cores), (job.memory, nodes.free_memory)):
            if needed:
                room = np.minimum(room, np.floor(free * (job.accelerators / needed) * (1 + 1e-12)))
        return bool(np.sort(room)[::-1][: job.max_servers or None].sum() >= job.accelerators)

    def suited(self, job: Job, accelerators: float, whole: bool) -> tuple[int, ...]:
        """Return the groups of which an empty node would do for so many accelerators of a job, or for some of them."""
        wish = (*_wish(job, accelerators), whole)
        found = self._groups.get(wish)
        if found is None:
            right, nodes = self._cells.constraints.lasting(job), self._cells
            part = accelerators / job.accelerators if job.accelerators else 1.0
            share = part if whole or accelerators <= 1 else part / accelerators
            room = nodes.total >= (math.ceil(accelerators) if whole else 1 if accelerators else 0)
            room &= (nodes.total_cores >= job.cores * share * (1 - 1e-12)) & (
                nodes.total_memory >= job.memory * share * (1 - 1e-12)
            )
            owners = self._roster.owner[right & room & self._grouped]
            found = self._groups[wish] = tuple(np.unique(owners).tolist())
        return found

    def unfit(self, job: Job) -> str:
        """Say why no group can ever hold a job, in the words of a scheduler's event; empty when that is possible.

        All nodes that may be up at once are taken together, with the servers that are always up.
        """
        wish = _wish(job, job.accelerators)
        known = self._unfit.get(wish)
        if known is None:
            nodes = self._cells
            there = (nodes.total, np.round(nodes.total_cores * MILLI), nodes.total_memory)
            right = nodes.constraints.lasting(job) & self._most
            fits = holds(there, (job.accelerators, job.cores, job.memory), right, job.max_servers)
            known = self._unfit[wish] = "" if fits else self._why(job)
        return known

    def _why(self, job: Job) -> str:
        suited = self._roster.owner[self._cells.constraints.lasting(job) & self._grouped]
        right = tuple(np.unique(suited).tolist())
        said = why_unfit(replace(self._describe(job), groups=right), self.groups())
        if not said:
            said = f"0/{len(self._pool.groups)} node groups can hold it with as many nodes as there may be"
        return said + (f", nor can the {len(self._always)} servers that are always up" if len(self._always) else "")

    # -- nodes ------------------------------------------------------------------------------------------------------

    def nodes(self) -> Nodes:
        """All nodes that are there or coming."""
        roster, cells = self._roster, self._cells
        rows = roster.rows()
        if self._fixed[0] != roster.version:
            columns = (roster.owner, cells.total, cells.total_cores, cells.total_memory, roster.created, roster.ready)
            self._fixed = (roster.version, tuple(column[rows] for column in columns))
        group, accelerators, cores, memory, created, ready = self._fixed[1]
        state = roster.state[rows]
        state[(state == READY) & ~cells.up[rows]] = _FAILED
        return Nodes(
            server=rows, group=group, state=state, accelerators=accelerators, cores=cores, memory=memory,
            free_accelerators=cells.free[rows], free_cores=cells.free_cores[rows], free_memory=cells.free_memory[rows],
            created=created, ready=ready, idle=roster.idle[rows],
            residents=lambda row: self._residents(int(rows[row])),
        )  # fmt: skip

    def _residents(self, server: int) -> Sequence[Resident]:
        return [self._resident(job, server) for job in self._roster.residents[server]]

    def _resident(self, job: Job, server: int) -> Resident:
        taken = math.fsum(part for where, part in job.placement if where == server)
        share = taken / job.accelerators if job.accelerators else 1.0
        why = self._disruption.forbids(job)
        return Resident(
            id=job.id,
            accelerators=taken,
            cores=job.cores * share,
            memory=job.memory * share,
            groups=self.suited(job, taken, True),
            whole=len(job.placement) == 1,
            movable=not why,
            why=why,
            priority=job.priority,
        )


def _wish(job: Job, accelerators: float) -> Wish:
    return (
        accelerators, job.accelerators, job.cores, job.memory, job.max_servers, job.accelerator_types, job.partition,
        job.selector, job.tolerations,
    )  # fmt: skip
