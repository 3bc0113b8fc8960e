"""Wires everything together, asks the policies, checks what they ask for, and records what happens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NoReturn

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase, Soon
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.metrics.recorder import Record
from simulator.policies.api import Action, Placer, Preempt, Reject, Scheduler, Start
from simulator.runtime.accounting import Costs, Meter
from simulator.runtime.checks import checked, expected, fault, in_thousandths
from simulator.runtime.collector import fewer_collections
from simulator.runtime.crowd import Crowd
from simulator.runtime.elasticity import NodePool
from simulator.runtime.gangs import Gangs
from simulator.runtime.host import Host
from simulator.runtime.journal import Journal, Progress
from simulator.runtime.linklog import LinkLog, fabric
from simulator.runtime.links import CapacityEvent, LinkEvent, Links
from simulator.runtime.motions import MOTIONS
from simulator.runtime.patterns import PlacedPatterns
from simulator.runtime.progress import progress
from simulator.runtime.router import Router
from simulator.runtime.slots import Slots
from simulator.runtime.transfers import TransferLife
from simulator.runtime.view import View
from simulator.workload.jobs import Job, Placement, State, Transfer

_PATIENCE = 100_000
"""Ticks in a row that bring no job forward, after which the policy is not ticked again until something happens."""


_TOO_LARGE = "larger than the cluster"
_NO_SERVER = "no server could ever hold it (accelerator type, cores, memory, or servers it may span)"


class Simulation:
    """One run: a cluster, its work, its policies.

    Times in seconds. ``jobs`` must come sorted by ``submit`` and are changed as they live: pass fresh ones to each run.
    ``until`` ends the run (through that instant); without it the run ends when all work is done. Job measures leave out
    jobs submitted before ``warmup``. ``restart`` seconds are lost at each resumption after a preemption.

    ``capacity_events`` are (time, link index, bytes/s), ``link_events`` (time, link index, whether it is up), and
    routing takes ``reroute`` seconds to notice the latter. ``contention`` off lets traffic take its time without
    sharing links; ``fidelity`` (one of ``motions.MOTIONS``) is how jobs share them. ``routing`` and its ``flows`` are
    those of ``Router``, ``collectives`` the algorithm of all-reduces; ``record_links`` is for ``LinkLog``.
    """

    def __init__(
        self,
        *,
        topology: Topology,
        scheduler: Scheduler,
        placer: Placer,
        jobs: Iterable[Job] = (),
        transfers: Sequence[Transfer] = (),
        pool: NodePool | None = None,
        capacity_events: Sequence[CapacityEvent] = (),
        link_events: Sequence[LinkEvent] = (),
        reroute: float = 0.0,
        contention: bool = True,
        fidelity: str = "fluid",
        routing: str = "ecmp",
        flows: int = 1,
        collectives: str = "auto",
        record_links: bool = False,
        record_interval: float = 0.0,
        restart: float = 0.0,
        until: float = math.inf,
        warmup: float = 0.0,
        seed: int = 0,
        replication: int = 0,
        costs: Costs | None = None,
        notes: Sequence[str] = (),
        set_aside: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.clock = Clock()
        self.topology, self.scheduler = topology, scheduler
        self.until, self.warmup = until, warmup
        self._facts: dict[str, object] = {"seed": seed, "replication": replication, "set_aside": dict(set_aside or {})}
        self._seed, self._replication = seed, replication
        self._notes = list(notes)
        self.journal = Journal(self.clock, progress)
        self._last_event = 0.0
        self._event = self.journal.event
        self.nodes = Allocator(topology.servers)
        self.linklog = LinkLog(self.clock, topology, record_interval) if record_links else None
        self.fabric = fabric(self.clock, topology.capacity, self.linklog)
        self.crowd = Crowd(self.clock, self.fabric)
        self.router = Router(topology, routing, flows, self.fabric.crowd)
        self.links = Links(self.clock, self.crowd, self.router, reroute, self._note_link)
        quiet = not (transfers or capacity_events or link_events or record_links)
        motion = partial(MOTIONS[fidelity if contention else "alone"], self.clock, self.fabric, self.crowd, quiet)
        slots = Slots(topology)
        self._patterns = patterns = PlacedPatterns(topology, self.router, slots, collectives)
        self.gangs = Gangs(self.clock, self.nodes, patterns, motion, restart, slots)
        self.router.watch(Soon(self.clock, self.gangs.reroute, Phase.FAILURES))
        self.gangs.ended = self._ended
        self.pass_soon = Soon(self.clock, self.schedule_pass, Phase.PASS)
        self.view = View(self.clock, topology, self.nodes, placer)
        table = self.journal.recorder.flows
        self._flows = TransferLife(self.clock, self.fabric, self.crowd, self.router, table, transfers)
        self._changes = (capacity_events, link_events)
        self._jobs = iter(jobs)
        self._next: Job | None = None
        self._sequence = 0
        self._requeued: list[Job] = []
        self._unplaced = 0
        self._ticking = False
        self._ticks = 0
        self._seen: tuple[float, ...] = ()
        self._given_up: tuple[int, int] | None = None
        self._policy = Host(scheduler, self.clock)
        self.meter = Meter(topology.accelerators, costs)
        self._rejected: dict[str, int] = {}
        self.pool = pool
        self._largest: float = topology.accelerators
        if pool is not None:
            pool.attach(self)
            self._largest = pool.largest

    def run(self) -> Record:
        """Run to the end and return what was recorded."""
        self._policy.reset(stream(self._seed, "scheduler", self._replication))
        self.links.plan(*self._changes)
        self._flows.begin()
        self._expect_next(next(self._jobs, None))
        self.note_capacity()
        with fewer_collections():
            self.clock.run(self.until)
        return self._close()

    # -- arrivals -----------------------------------------------------------------------------------------------

    def _expect_next(self, job: Job | None) -> None:
        """Wait for the time of the next job of the trace."""
        self._next = job
        if job is None or job.submit > self.until:
            return
        if not self.clock.now <= job.submit < math.inf:
            raise InputError(self._mistimed(job))
        self.clock.at(job.submit, self._arrive, phase=Phase.ARRIVALS)

    def _mistimed(self, job: Job) -> str:
        if not 0 <= job.submit < math.inf:
            return f"job {job.id!r}: submit is {job.submit!r} s; it must be a finite number, 0 or more"
        return (
            f"job {job.id!r} is submitted at {job.submit:g} s, before its predecessor at {self.clock.now:g} s: "
            "sort the jobs by submit"
        )

    def _arrive(self) -> None:
        now = self._last_event = self.clock.now
        job = self._next
        while job is not None and job.submit == now:
            self._submit(job, now)
            job = next(self._jobs, None)
        self._expect_next(job)
        self.pass_soon.finish()

    def _submit(self, job: Job, now: float) -> None:
        if job.estimate < 0:
            job.estimate = expected(job)
        wrong = fault(job)
        if wrong:
            raise InputError(f"job {job.id!r}: {wrong}")
        job.sequence = self._sequence
        self._sequence += 1
        job.since = now
        if job.accelerators < 1:
            job.accelerators = in_thousandths(job.accelerators)
            self.view.gangs_only = False
        self._event((now, "submit", job.id, job.accelerators))
        if not self._can_ever_fit(job):
            self._turn_away(job, _TOO_LARGE if job.accelerators > self._largest else _NO_SERVER)
            return
        job.state = State.QUEUED
        self.view.queue.add(job)
        if self._policy.on_submit is not None:
            self._policy.on_submit(job)

    def _can_ever_fit(self, job: Job) -> bool:
        if not (job.cores or job.memory or job.accelerator_types or job.max_servers):
            return job.accelerators <= self._largest
        return self.nodes.could_hold(job.accelerators, job.cores, job.memory, job.accelerator_types, job.max_servers)

    # -- the scheduling pass ------------------------------------------------------------------------------------

    def schedule_pass(self) -> None:
        """Ask the scheduler once for this instant, and apply what it wants."""
        view = self.view
        if view.queue.members:
            self._unplaced = 0
            for action in self._policy.ask(view):
                self._apply(action)
            if self._requeued:
                self._requeue()
            if self._policy.interval > 0:
                self._wait_for_tick()
        if self.pool is not None:
            self.pool.watch()

    def _apply(self, action: Action) -> None:
        if type(action) not in (Start, Preempt, Reject) or not isinstance(action.job, Job):
            raise self._policy.error(f"{action!r} is not an action; yield Start(job), Preempt(job) or Reject(job)")
        if type(action) is Start:
            self._start(action.job, action.placement)
        elif type(action) is Preempt:
            self._preempt(action.job)
        elif type(action) is Reject:
            self._reject(action.job, action.reason)

    def _start(self, job: Job, placement: Placement | None) -> None:
        queue = self.view.queue
        if job not in queue.members:
            self._illegal("Start", job, self._absence(job, "queued"))
        if placement is None:
            placement = self.view.place(job)
            if placement is None:
                self._stay(job)
                return
        try:
            self.gangs.start(job, checked(job, placement, self.nodes))
        except ValueError as error:
            self._illegal("Start", job, str(error))
        queue.remove(job)
        self.view.running.add(job)
        self._event((job.since, "start", job.id, job.accelerators))

    def _stay(self, job: Job) -> None:
        """Leave a job in the queue that has no place now; a policy that did not count, or does not stop, is told."""
        free = self.nodes.capacity - self.nodes.used
        if job.accelerators > free:
            self._illegal("Start", job, f"it wants {job.accelerators:g} accelerators, {free:g} are free")
        self._unplaced += 1
        if self._unplaced > 1000 + 10 * len(self.view.queue):
            self._illegal("Start", job, f"{self._unplaced} starts in one pass of jobs that cannot be placed now")

    def _preempt(self, job: Job) -> None:
        if job not in self.view.running.members:
            self._illegal("Preempt", job, self._absence(job, "running"))
        self.gangs.stop(job)
        self.view.running.remove(job)
        self._requeued.append(job)
        self.note_event("preempt", job.id, job.accelerators)

    def _requeue(self) -> None:
        for job in self._requeued:
            self.view.queue.add(job)
            if self._policy.on_submit is not None:
                self._policy.on_submit(job)
        self._requeued.clear()

    def _reject(self, job: Job, reason: str) -> None:
        if job not in self.view.queue.members:
            self._illegal("Reject", job, self._absence(job, "queued"))
        self.view.queue.remove(job)
        job.waited += self.clock.now - job.since
        self._turn_away(job, reason or "turned away by the policy")

    def _absence(self, job: Job, wanted: str) -> str:
        """Say why a job is not where an action wants it."""
        if job in self._requeued:
            return "it was preempted in this pass and can start from the next one on"
        if job in self.view.queue or job in self.view.running or job.state not in (State.QUEUED, State.RUNNING):
            return f"the job is {job.state.name.lower()}, not {wanted}"
        return "it is no job of this run, perhaps a copy of one: give the very object that the view shows"

    def _illegal(self, action: str, job: Job, why: str) -> NoReturn:
        raise self._policy.error(f"illegal {action} of job {job.id!r}: {why}")

    # -- ticks --------------------------------------------------------------------------------------------------

    def _wait_for_tick(self) -> None:
        if not self._ticking and self.view.queue.members and self._given_up != self.counts():
            self._given_up = None
            self._ticking = True
            self.clock.after(self._policy.interval, self._tick, phase=Phase.TICKS)

    def _tick(self) -> None:
        self._ticking = False
        self._ticks += 1
        if self._ticks % _PATIENCE == 0:
            before, self._seen = self._seen, self.work_so_far()
            if before == self._seen:
                self._given_up = self.counts()
                return
        if not self.view.queue.members:
            return
        if self._policy.on_tick is not None:
            self._policy.on_tick(self.clock.now)
        self.pass_soon()

    # -- ends ---------------------------------------------------------------------------------------------------

    def _ended(self, job: Job) -> None:
        self.view.running.remove(job)
        self._last_event = job.end
        self._event((job.end, "end", job.id, job.accelerators))
        self.journal.job(job, self.gangs.forget(job))
        if self._policy.on_finish is not None:
            self._policy.on_finish(job)
        if self.view.queue.members or self.pool is not None:
            self.pass_soon()

    def _turn_away(self, job: Job, reason: str) -> None:
        job.state = State.REJECTED
        self.note_event("reject", job.id, job.accelerators)
        self._rejected[reason] = self._rejected.get(reason, 0) + 1
        self.journal.job(job, self.gangs.forget(job))

    def _close(self) -> Record:
        """Settle what is unfinished and hand over the record."""
        stopped = self.until < math.inf or len(self.view.running) > 0
        now = self.clock.now if stopped else max(self._last_event, self._flows.last_end)
        for job in (*self.view.running, *self.view.queue):
            if job.state is State.RUNNING:
                self.gangs.settle(job)
            else:
                job.waited += now - job.since
            job.state = State.UNFINISHED
            self.journal.job(job, self.gangs.forget(job))
        self._flows.close()
        stuck = self._flows.notes() if self.until == math.inf else []
        self._notes += stuck
        self._note_left_over()
        self._notes += self.links.remarks(math.inf if stuck else now, self._patterns.used | self._flows.used)
        tables = self.journal.tables()
        if self.linklog is not None:
            tables["links"] = self.linklog.table(now)
            self._notes += self.linklog.notes
        self.meter.follow(*(tables["series"][name] for name in ("time", "allocated", "provisioned")))
        facts = self._facts | {"end": now, "warmup": self.warmup, "accelerators": self.topology.accelerators}
        facts |= {"topology": self.topology.name, "scheduler": self._policy.name, "notes": self._notes}
        facts |= self.meter.facts(now)
        return Record(tables, facts)

    def _note_left_over(self) -> None:
        for reason, count in self._rejected.items():
            self._notes.append(f"{count:,} rejected: {reason}.")
        waiting, running = len(self.view.queue), len(self.view.running)
        if waiting or running:
            self._notes.append(f"{running} jobs were still running and {waiting} still waiting at the end of the run.")

    # -- the rest -----------------------------------------------------------------------------------------------

    def note_event(self, event: str, subject: str, amount: float) -> None:
        """Write a row of the events table."""
        self._last_event = now = self.clock.now
        self._event((now, event, subject, amount))

    def note_capacity(self) -> None:
        """Write down how many accelerators are up, and how many are paid for, from now on."""
        capacity = float(self.nodes.capacity)
        self.journal.level(capacity, capacity if self.pool is None else self.pool.provisioned)

    def over(self) -> bool:
        """Whether the run ends here: no work is left, and no horizon is set."""
        return self.until == math.inf and not self.work_left()

    def work_left(self) -> bool:
        """Whether anything is running, waiting or still to arrive."""
        return bool(self.view.running.members or self.view.queue.members or self._next is not None)

    def to_come(self) -> bool:
        """Whether more jobs arrive."""
        return self._next is not None

    def counts(self) -> tuple[int, int]:
        """Jobs that came so far, and jobs that have come to their end."""
        return (self._sequence, self.journal.ended)

    def work_so_far(self) -> tuple[float, ...]:
        """``counts``, and a number that stays the same only while no job gets on."""
        now = self.clock.now
        work = sum(progress(job, now) for job in (*self.view.queue, *self.view.running))
        return (*self.counts(), work)

    def _note_link(self, event: str, subject: str, amount: float) -> None:
        self._event((self.clock.now, event, subject, amount))  # alone, it does not prolong the run
        if self.linklog is not None:
            self.linklog.set_capacity(int(subject), amount)
