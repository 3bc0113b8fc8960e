"""What schedulers with quotas have in common: a line for each tenant, an account of who runs, and when to look again.

A pass looks at the first job of each shape of the tenants that something has changed for: a shape that its quota holds
back waits until somebody of the same tree of cohorts gives quota back, one that finds no room until servers change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.policies.api import Action, ClusterView, Hold, Preempt, Reject, Start
from simulator.policies.quota.lines import Key, Line, Shape, by_priority, shape_of
from simulator.policies.quota.preemption import Claim
from simulator.policies.quota.reading import oversubscription, strangers
from simulator.policies.quota.records import (
    ACCELERATORS,
    ANY,
    CORES,
    MEMORY,
    STRICT,
    Amounts,
    ClusterQueue,
    Cohort,
    choice,
)
from simulator.policies.quota.tree import QuotaTree
from simulator.policies.room import place_on, room_without
from simulator.workload.jobs import Job

QUOTA, ROOM = "quota", "room"
LARGE, STRANGE = "larger than the quota of its tenant", "its tenant has no quota"
UNKNOWN = ("best-effort", "reject", "error")
OVERSIZED = ("reject", "hold")


class QuotaAdmission(ABC):
    """Starts jobs that their tenant's quota admits and that have a place, whole gangs only.

    ``unknown`` says what becomes of jobs of tenants without a quota: they run on what nobody with a quota wants, and
    are stopped for those who do (``best-effort``), are turned away (``reject``), or end the run (``error``).
    ``oversized`` says what becomes of jobs that their tenant's quota could never admit: ``reject`` or ``hold``.
    """

    def __init__(
        self,
        queues: Sequence[ClusterQueue],
        cohorts: Sequence[Cohort] = (),
        unknown: str = "best-effort",
        oversized: str = "reject",
        order: Key = by_priority,
    ) -> None:
        self.unknown = choice("unknown", unknown, UNKNOWN)
        self.oversized = choice("oversized", oversized, OVERSIZED)
        self.queues, self.cohorts = tuple(queues), tuple(cohorts)
        self.tree = QuotaTree(self.queues, self.cohorts)
        self._order = order
        self._stops = any(not queue.preemption.none for queue in self.queues)
        self._clear()

    def _clear(self) -> None:
        self.tree.clear()
        self._lines = {queue.name: Line(queue.name, self._order) for queue in self.queues}
        self._others = Line("", self._order)
        self._running: dict[Job, Claim] = {}
        self._admitted: dict[str, dict[Job, Claim]] = {queue.name: {} for queue in self.queues}
        self._guests: dict[Job, None] = {}
        self._aside: list[tuple[Job, str]] = []
        """Jobs to turn away, or to leave waiting for good, and why."""
        self._open: dict[str, None] = {}
        """Lines with jobs that have not been looked at since something changed."""
        self._shut: dict[str, dict[str, None]] = {QUOTA: {}, ROOM: {}}
        """Lines with shapes that are blocked, by reason."""
        self._requests: dict[Shape, list[Amounts]] = {}
        """What jobs of a queue and shape ask of each flavour."""
        self._told: dict[Job, None] = {}
        """Jobs of which it has been said that their quota holds them back."""
        self._given_back: dict[str, None] = {}
        self._servers: tuple[bytes, ...] = (b"", b"")
        self._came: dict[str, int] = {}
        """Jobs that came, by tenant."""
        self._notes: list[str] = []
        self._asked = False

    # -- hooks --------------------------------------------------------------------------------------------------

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the run before."""
        self._clear()

    def on_submit(self, job: Job) -> None:
        """Put a job into the line of its tenant."""
        self._release(job)
        if not job.preemptions:
            self._came[job.tenant] = self._came.get(job.tenant, 0) + 1
        line = self._lines.get(job.tenant)
        if line is not None:
            if not self._could_ever(line.name, job):
                self._aside.append((job, LARGE))
            else:
                line.push(job)
                self._open[line.name] = None
        elif self.unknown == "error":
            whose = f"of tenant {job.tenant!r}, which has" if job.tenant else "of no tenant, and that has"
            raise InputError(f"unknown: job {job.id!r} is {whose} no quota. {did_you_mean(job.tenant, self._lines)}")
        elif self.unknown == "reject":
            self._aside.append((job, STRANGE))
        else:
            self._others.push(job)

    def on_finish(self, job: Job) -> None:
        """Give back the quota of a job that has ended."""
        self._release(job)

    def notes(self) -> list[str]:
        """What a reader of the results must know."""
        return [*self._notes, *strangers(self._came, list(self._lines), self.unknown == "best-effort")]

    # -- the pass -----------------------------------------------------------------------------------------------

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Start what quota and room allow, head of each tenant first; then what has no quota."""
        if not self._asked:
            self._asked = True
            self._notes = oversubscription(self.queues, self.cohorts, float(view.nodes.capacity))
        for job, why in self._aside:
            yield Hold(job, why) if why == LARGE and self.oversized == "hold" else Reject(job, why)
        self._aside.clear()
        self._look_again(view)
        while heads := self._heads(view):
            for claim in self._turns(heads):
                yield from self._consider(view, claim)
        yield from self._host_guests(view)
        for name in self._shut[QUOTA]:
            for job in self._lines[name].untold(QUOTA):
                self._told[job] = None
                yield Hold(job, QUOTA)
        self._servers = _state(view)

    @abstractmethod
    def _turns(self, heads: dict[str, Claim]) -> Iterable[Claim]:
        """The heads in the order in which they are considered; the dictionary may be emptied."""

    def _targets(self, view: ClusterView, claim: Claim) -> list[Claim]:
        """Jobs to stop so that a claim gets its quota; none where that is not done."""
        return []

    def _look_again(self, view: ClusterView) -> None:
        """Give what was held back a new chance where what was in its way has changed."""
        if _state(view) != self._servers:
            self._unblock(ROOM, list(self._shut[ROOM]))
            self._others.blocked.clear()
        if self._given_back:
            names = [name for name in self._shut[QUOTA] if self.tree.root(name).name in self._given_back]
            self._unblock(QUOTA, names)
            self._given_back.clear()

    def _unblock(self, why: str, names: Iterable[str]) -> None:
        for name in names:
            self._lines[name].unblock(why)
            del self._shut[why][name]
            self._open[name] = None

    def _heads(self, view: ClusterView) -> dict[str, Claim]:
        heads: dict[str, Claim] = {}
        nobody_goes = not (self._stops or self._guests)
        free = view.free
        if free <= 0 and nobody_goes and view.gangs_only:
            return heads
        for name in list(self._open):
            line, strict = self._lines[name], self.tree.records[name].strategy == STRICT
            job = line.head(strict)
            while job is not None and nobody_goes and job.accelerators > free and job.accelerators >= 1:
                line.block(job, ROOM)
                self._shut[ROOM][name] = None
                job = line.head(strict)
            if job is None:
                del self._open[name]
            else:
                heads[name] = self._likely(name, job)
        return heads

    def _consider(self, view: ClusterView, claim: Claim) -> Iterator[Action]:
        """Start a head, stop others for it, or write down why it waits."""
        job = claim.job
        choices = self._choices(claim.queue, job)
        within = [each for each in choices if self.tree.fits(each.queue, each.request)]
        for each in within:
            placement = place_on(view, job, _flavour(each))
            if placement is not None:
                yield Start(job, placement)
                self._count(view, each)
                return
        for each in within:
            guests = self._in_the_way(view, each, [])
            if guests:
                yield from self._stop_and_start(view, each, [], guests)
                return
        for each in choices if self._stops and not within else ():
            targets = self._targets(view, each)
            if targets:
                guests = self._in_the_way(view, each, [target.job for target in targets])
                yield from self._stop_and_start(view, each, targets, guests)
                return
        self._block(claim, ROOM if within else QUOTA)
        if within and self._told.pop(job, True) is None:
            self._lines[claim.queue].untell(job)
            yield Hold(job, "")

    def _block(self, claim: Claim, why: str) -> None:
        self._lines[claim.queue].block(claim.job, why)
        self._shut[why][claim.queue] = None

    def _stop_and_start(
        self, view: ClusterView, claim: Claim, targets: list[Claim], guests: Iterable[Job]
    ) -> Iterator[Action]:
        for target in targets:
            self._release(target.job)
            yield Preempt(target.job)
        for guest in guests:
            self._release(guest)
            yield Preempt(guest)
        placement = place_on(view, claim.job, _flavour(claim))
        if placement is None:
            self._block(claim, ROOM)
            return
        yield Start(claim.job, placement)
        self._count(view, claim)

    def _in_the_way(self, view: ClusterView, claim: Claim, leaving: Sequence[Job]) -> list[Job]:
        """Guests to stop so that a claim finds room, the latest first; none where that is no help or not needed."""
        if not self._guests or self._room(view, claim, leaving):
            return []
        going: list[Job] = []
        for guest in reversed([guest for guest in self._guests if guest.preemptible]):
            going.append(guest)
            if self._room(view, claim, [*leaving, *going]):
                return going
        return []

    def _room(self, view: ClusterView, claim: Claim, leaving: Iterable[Job]) -> bool:
        return room_without(claim.job, view.nodes, leaving)

    def _place_after(self, view: ClusterView, claim: Claim, leaving: Iterable[Job]) -> bool:
        """Whether there is room once these, and if need be all guests, have gone."""
        guests = (guest for guest in self._guests if guest.preemptible)
        return self._room(view, claim, [*leaving, *guests])

    def _host_guests(self, view: ClusterView) -> Iterator[Action]:
        """Let jobs without a quota have what is left."""
        while (job := self._others.head()) is not None:
            placement = view.place(job)
            if placement is None:
                self._others.block(job, ROOM)
                if view.free <= 0 and view.gangs_only:
                    return
                continue
            yield Start(job, placement)
            self._others.take(job)
            self._guests[job] = None

    # -- the account --------------------------------------------------------------------------------------------

    def _count(self, view: ClusterView, claim: Claim) -> None:
        claim = Claim(claim.job, claim.queue, claim.request, view.now)
        self._lines[claim.queue].take(claim.job)
        self._told.pop(claim.job, None)
        self.tree.add(claim.queue, claim.request)
        self._running[claim.job] = self._admitted[claim.queue][claim.job] = claim
        if self._stops and self.tree.would_borrow(claim.queue, dict.fromkeys(claim.request, 0.0)):
            self._given_back[self.tree.root(claim.queue).name] = None  # others may stop it to get their quota back

    def _release(self, job: Job) -> None:
        self._guests.pop(job, None)
        claim = self._running.pop(job, None)
        if claim is not None:
            del self._admitted[claim.queue][job]
            self.tree.remove(claim.queue, claim.request)
            self._given_back[self.tree.root(claim.queue).name] = None

    def _could_ever(self, queue: str, job: Job) -> bool:
        return any(self.tree.could_fit(queue, each.request) for each in self._choices(queue, job))

    def _likely(self, queue: str, job: Job) -> Claim:
        """The claim on the flavour that the job would get: the first that it fits into now."""
        choices = self._choices(queue, job)
        return next((each for each in choices if self.tree.fits(queue, each.request)), choices[0])

    def _choices(self, queue: str, job: Job) -> list[Claim]:
        """Claims on each flavour that will do for the job, in the order in which they are tried.

        A flavour is asked for those resources that the queue has a quota of.
        """
        shape = (queue, *shape_of(job))
        requests = self._requests.get(shape)
        if requests is None:
            record = self.tree.records[queue]
            asked = {ACCELERATORS: job.accelerators, CORES: job.cores, MEMORY: job.memory}
            requests = self._requests[shape] = [
                {(flavour, name): amount for name, amount in asked.items() if (flavour, name) in record.quotas}
                for flavour in record.flavours
                if flavour == ANY or not job.accelerator_types or flavour in job.accelerator_types
            ]
        return [Claim(job, queue, request) for request in requests]


def _flavour(claim: Claim) -> str:
    return next((flavour for flavour, _ in claim.request), ANY)


def _state(view: ClusterView) -> tuple[bytes, ...]:
    """What servers have free and for whom; it changes whenever anything comes or goes."""
    nodes: Any = view.nodes
    return nodes.free.tobytes() + nodes.up.tobytes(), nodes.largest_share.tobytes(), nodes.reserved.tobytes()
