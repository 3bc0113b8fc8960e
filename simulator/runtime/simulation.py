"""Wires everything together, asks the policies, checks what they ask for, and records what happens."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase, Soon
from simulator.core.rng import stream
from simulator.metrics.recorder import Record
from simulator.policies.api import Interference, Placer, Scheduler
from simulator.runtime.accounting import Costs, Meter
from simulator.runtime.actions import Actions
from simulator.runtime.admission import Admission
from simulator.runtime.availability import Availability
from simulator.runtime.collector import fewer_collections
from simulator.runtime.decisions import Decisions
from simulator.runtime.eligibility import Eligibility
from simulator.runtime.gangs import Gangs
from simulator.runtime.host import Host
from simulator.runtime.journal import Journal, Progress
from simulator.runtime.links import CapacityEvent, LinkEvent
from simulator.runtime.motions import MOTIONS
from simulator.runtime.neighbours import Neighbours
from simulator.runtime.network import Network
from simulator.runtime.parts import Part
from simulator.runtime.patterns import PlacedPatterns
from simulator.runtime.placements import Placements
from simulator.runtime.progress import progress
from simulator.runtime.pulls import Pulls, Store
from simulator.runtime.reasons import Reasons
from simulator.runtime.remarks import left_over
from simulator.runtime.serving.services import Services
from simulator.runtime.serving.spec import ServiceSpec
from simulator.runtime.shares import Shares
from simulator.runtime.slots import Member, Slots
from simulator.runtime.supply.supply import Supply
from simulator.runtime.ticks import Ticks
from simulator.runtime.vain import Vain
from simulator.runtime.view import View
from simulator.runtime.windows import Booking, Maintenance, Windows
from simulator.workload.jobs import Job, ReplicaJob, State, Transfer

_COMPLETED = State.COMPLETED


class Simulation:
    """One run: a cluster, its work, its policies.

    Times in seconds. ``jobs`` must come sorted by ``submit`` and are changed as they live: pass fresh ones to each run.
    ``until`` ends the run (through that instant); without it the run ends when all work is done. Job measures leave out
    jobs submitted before ``warmup``. ``restart`` seconds are lost at each resumption after a preemption.

    ``capacity_events`` are (time, link index, bytes/s), ``link_events`` (time, link index, whether it is up), and
    routing takes ``reroute`` seconds to notice the latter. ``contention`` off lets traffic take its time without
    sharing links; ``fidelity`` (one of ``motions.MOTIONS``) is how jobs share them. ``routing`` and its ``flows`` are
    those of ``Router``, ``collectives`` the algorithm of all-reduces; ``record_links`` is for ``LinkLog``.

    ``maintenance`` and ``bookings`` are windows in which servers are down or kept for a tenant; ``interference`` says
    how jobs on one accelerator slow each other. Jobs that can never run are turned away; those of the workloads in
    ``kept`` are held to the end. ``services`` put their replicas into the queue like jobs. ``explain`` writes down why
    each job was placed where it is.
    """

    def __init__(
        self,
        *,
        topology: Topology,
        scheduler: Scheduler,
        placer: Placer,
        jobs: Iterable[Job] = (),
        transfers: Sequence[Transfer] = (),
        pool: Supply | None = None,
        parts: Sequence[Part] = (),
        stores: Mapping[str, Store] | None = None,
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
        maintenance: Sequence[Maintenance] = (),
        bookings: Sequence[Booking] = (),
        interference: Interference | None = None,
        kept: Collection[str] = (),
        services: Sequence[ServiceSpec] = (),
        restart: float = 0.0,
        until: float = math.inf,
        warmup: float = 0.0,
        seed: int = 0,
        replication: int = 0,
        costs: Costs | None = None,
        notes: Sequence[str] = (),
        set_aside: Mapping[str, int] | None = None,
        progress: Progress | None = None,
        explain: bool = False,
    ) -> None:
        self.clock = Clock()
        self.topology, self.scheduler, self.until, self.warmup = topology, scheduler, until, warmup
        self._facts: dict[str, object] = {"seed": seed, "replication": replication, "set_aside": dict(set_aside or {})}
        self._seed, self._replication, self._notes = seed, replication, list(notes)
        self.journal = Journal(self.clock, progress)
        self._last_event, self._event = 0.0, self.journal.event
        self.nodes, self.contention, self.decisions = Allocator(topology.servers), contention, Decisions(self.clock)
        net = self.network = Network(
            self.clock, topology, self.journal.recorder.flows, transfers, (capacity_events, link_events),
            self._event_now,
            interval=record_interval if record_links else None, routing=routing, flows=flows, reroute=reroute,
        )  # fmt: skip
        how = MOTIONS[fidelity if contention else "alone"]
        motion = partial(how, self.clock, net.fabric, net.crowd, net.quiet and not (services or parts or pool))
        slots = self._slots = Slots(topology)
        self._patterns = patterns = PlacedPatterns(topology, net.router, slots, collectives)
        beside = None if interference is None else Neighbours(interference)
        self.gangs = Gangs(self.clock, self.nodes, patterns, motion, restart, slots, beside)
        net.router.watch(Soon(self.clock, self.gangs.reroute, Phase.FAILURES))
        self.gangs.ended = self._ended
        self.pass_soon = Soon(self.clock, self.schedule_pass, Phase.PASS)
        self.view = View(self.clock, topology, self.nodes, placer)
        self._reasons = Reasons(self.clock)
        self.view.failed = self._reasons.failed
        self._shares = Shares(self.nodes)
        self._policy = Host(scheduler, self.clock)
        self._actions = Actions(
            self.clock, self.view, self.gangs, self.nodes, self.journal, self._reasons, self._shares, self._policy,
            self._turn_away,
        )  # fmt: skip
        self._eligible = Eligibility(self.nodes, topology.accelerators)
        self._admission = Admission(
            self.clock, iter(jobs), until, self.journal, self._eligible, self._actions.queue, self._turn_away,
            self._arrived, self.pass_soon,
        )  # fmt: skip
        self._ticks = Ticks(self.clock, self._policy, self._asked, self.counts, self.work_so_far, self.pass_soon)
        self._admission.kept, self._planned, self._placer = kept, (maintenance, bookings), placer
        self.meter, self._rejected = Meter(topology.accelerators, costs), Counter[str]()
        if explain:
            self._actions.explained = Placements(self.decisions, self.nodes, placer, self._policy.name)
        self._equip(stores or {})
        self._join(services, pool, parts)

    def _equip(self, stores: Mapping[str, Store]) -> None:
        """Put into the cluster what all that lives in it shares."""
        self.availability = Availability(self.nodes)
        self._windows = Windows(
            self.clock, len(self.nodes), self.availability, self.view.running, self._actions.stop, self._note_server
        )
        table, alone = self.journal.recorder.flows, not self.contention
        self.vain = Vain(self)
        self.pulls = Pulls(self.clock, self.topology, self.network, table, stores, alone)

    def _join(self, services: Sequence[ServiceSpec], pool: Supply | None, parts: Sequence[Part]) -> None:
        """Put what lives beside the jobs into the cluster."""
        self._parts = tuple(parts)
        self._services = Services(services, self, self.contention)
        self.pool = pool
        if pool is not None:
            pool.attach(self)
            self._eligible.largest, self._eligible.unfit = pool.largest, pool.unfit
        for part in self._parts:
            part.attach(self)

    def run(self) -> Record:
        """Run to the end and return what was recorded."""
        self._policy.reset(self.stream("scheduler"))
        self._introduce_placer()
        self._windows.plan(*self._planned)
        self.network.begin()
        self._admission.begin()
        self._services.begin()
        for part in self._parts:
            part.begin()
        self.note_capacity()
        with fewer_collections():
            self.clock.run(self.until)
        return self._close()

    def _introduce_placer(self) -> None:
        """Find what the placement policy has beside ``place``, and begin a run with it."""
        reset = getattr(self._placer, "reset", None)
        if callable(reset):
            reset(self.stream("placement"))
        self.gangs.device = getattr(self._placer, "device", None)
        self._actions.came = getattr(self._placer, "on_submit", None)
        self._actions.placed = getattr(self._placer, "on_start", None)
        self._actions.lifted = getattr(self._placer, "on_end", None)
        if self.pool is not None:
            self._actions.placed, self._actions.lifted = self.pool.chain(self._actions.placed, self._actions.lifted)

    # -- arrivals -----------------------------------------------------------------------------------------------

    def _arrived(self) -> None:
        self._last_event = self.clock.now
        self.pass_soon.finish()

    # -- the scheduling pass ------------------------------------------------------------------------------------

    def schedule_pass(self) -> None:
        """Ask the scheduler once for this instant, and carry out what it wants."""
        if self._asked():
            self._actions.carry_out()
            self._ticks.after_pass()
        if self.pool is not None:
            self.pool.watch()
        for part in self._parts:
            part.passed()

    def _asked(self) -> bool:
        """Whether there is anything to ask the scheduler about."""
        view = self.view
        return bool(view.queue.members or (self._policy.always and view.running.members) or self._shares.changed)

    # -- ends ---------------------------------------------------------------------------------------------------

    def _ended(self, job: Job) -> None:
        view = self.view
        view.running.remove(job)
        self._last_event = job.end
        held = job.held_last
        if self._actions.lifted is not None:
            self._actions.lifted(job)
        if self._shares.given:
            self._shares.forget(job)
        self._event((job.end, "end" if job.state is _COMPLETED else "timeout", job.id, held))
        self.journal.job(job, self.gangs.forget(job))
        self._admission.ended(job)
        if self._policy.on_finish is not None:
            self._policy.on_finish(job)
        if view.queue.members or self._policy.always or self.pool is not None:
            self.pass_soon()

    def _turn_away(self, job: Job, reason: str) -> None:
        job.state = State.REJECTED
        self.note_event("reject", job.id, job.accelerators)
        self._rejected[reason] += 1
        self.journal.job(job, self.gangs.forget(job))
        self._admission.ended(job)

    def _close(self) -> Record:
        """Settle what is unfinished and hand over the record."""
        view = self.view
        stopped = self.until < math.inf or len(view.running) > 0
        ends = [self._last_event, self.network.transfers.last_end, self._services.last_end]
        now = self.clock.now if stopped else max(*ends, *[part.last_end() for part in self._parts])
        self._reasons.close(now)
        served = self._services.close(now)
        queued, running = (sum(job.life is None for job in jobs) for jobs in (view.queue, view.running))
        left = left_over(self._rejected, queued, running, len(self._admission.held))
        left += [] if self.pool is None else self.pool.notes()
        for job in (*view.running, *view.queue):
            if job.state is State.RUNNING:
                self.gangs.settle(job)
            else:
                job.waited += now - job.since
            self._leave_unfinished(job)
        for job in self._admission.close(now):
            self._leave_unfinished(job)
        for part in self._parts:
            self._facts |= part.close(now)
        remarks, links = self.network.close(
            now, self.until, self._patterns.used | self._services.used | self.pulls.used
        )
        self._notes += [*left, *self._services.notes(), *self._eligible.notes(), *self._policy.notes()]
        self._notes += [*remarks, *[note for part in self._parts for note in part.notes()]]
        tables = self.journal.tables() | self._services.tables() | links
        for part in self._parts:
            tables |= part.tables()
        if len(self.decisions):
            tables["decisions"] = self.decisions.arrays()
        self.meter.follow(*(tables["series"][name] for name in ("time", "allocated", "provisioned")))
        facts = self._facts | {"end": now, "warmup": self.warmup, "accelerators": self.topology.accelerators}
        facts |= {"topology": self.topology.name, "scheduler": self._policy.name, "notes": self._notes}
        facts |= {"holds": dict(self._reasons.holds), "stranded": self._reasons.stranded}
        rented = None if self.pool is None else self.pool.close(now)
        idle = self._services.idle_seconds + sum(part.idle_seconds() for part in self._parts)
        facts |= self.meter.facts(now, idle, rented) | served
        view.close()
        return Record(tables, facts)

    def _leave_unfinished(self, job: Job) -> None:
        job.state = State.UNFINISHED
        self.journal.job(job, self.gangs.forget(job))

    # -- services -----------------------------------------------------------------------------------------------

    def submit(self, job: ReplicaJob) -> str:
        """Let a job queue that nobody announced; return why it can never run, or nothing."""
        why = self._admission.submit(job)
        self.pass_soon()
        return why

    def finish(self, job: ReplicaJob) -> None:
        """End a running job, or take one that waits out of the queue."""
        if job.state is State.RUNNING:
            self.gangs.finish(job)
        elif self._actions.withdraw(job):
            job.state = State.REJECTED
            self.note_event("reject", job.id, job.accelerators)
            self.journal.job(job, None)
            self._admission.ended(job)
            if self._policy.on_finish is not None:
                self._policy.on_finish(job)

    def members(self, job: ReplicaJob) -> tuple[Member, ...]:
        """The accelerators of a running job, by rank."""
        return self._slots.members(job)

    def stop(self, job: Job) -> None:
        """Stop a running job, whoever wants that; it waits again at once."""
        self._actions.stop(job)
        self._actions.requeue()
        self.pass_soon()

    # -- the rest -----------------------------------------------------------------------------------------------

    def stream(self, name: str) -> np.random.Generator:
        """The random numbers of this run that go by a name."""
        return stream(self._seed, name, self._replication)

    def note_event(self, event: str, subject: str, amount: float) -> None:
        """Write a row of the events table."""
        self._last_event = now = self.clock.now
        self._event((now, event, subject, amount))

    def note_capacity(self) -> None:
        """Write down how many accelerators are up, and how many are paid for, from now on."""
        capacity = float(self.nodes.capacity)
        paid = float(self.topology.accelerators) if self.pool is None else self.pool.provisioned
        self.journal.level(capacity, paid)

    def over(self) -> bool:
        """Whether the run ends here: no work is left, and no horizon is set."""
        return self.until == math.inf and not self.work_left()

    def work_left(self) -> bool:
        """Whether anything is running, waiting or still to arrive."""
        view = self.view
        if view.running.members or view.queue.members or self._admission.more or self._admission.held:
            return True
        return self._services.busy() or any(part.busy() for part in self._parts)

    def idle(self) -> bool:
        """Whether a scheduling pass now would ask nobody."""
        return not self._asked()

    def to_come(self) -> bool:
        """Whether more jobs arrive."""
        return self._admission.more

    def counts(self) -> tuple[int, int]:
        """Jobs that came so far, and jobs that have come to their end."""
        return (self._admission.count, self.journal.ended)

    def work_so_far(self) -> tuple[float, ...]:
        """``counts``, and a number that stays the same only while no job gets on."""
        now = self.clock.now
        work = sum(progress(job, now) for job in (*self.view.queue, *self.view.running))
        return (*self.counts(), work)

    def _note_server(self, event: str, server: int) -> None:
        """A server went down or came up by plan; alone, that does not prolong the run, nor is it paid for after it."""
        self._actions.requeue()
        if self.over():
            return
        self._event((self.clock.now, event, self.nodes.servers[server].name, float(self.nodes.total[server])))
        self.note_capacity()
        self._shares.recount()
        self.pass_soon()

    def _event_now(self, event: str, subject: str, amount: float) -> None:
        self._event((self.clock.now, event, subject, amount))  # alone, it does not prolong the run
