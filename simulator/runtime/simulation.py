"""Wires everything together, asks the policies, checks what they ask for, and records what happens."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase, Soon
from simulator.core.errors import InputError, PolicyError, SimulatorError
from simulator.core.rng import stream
from simulator.metrics.recorder import Record, Recorder
from simulator.policies.api import Action, Placer, Preempt, Reject, Scheduler, Start
from simulator.runtime.accounting import Costs, Meter
from simulator.runtime.batch import Gangs
from simulator.runtime.elasticity import NodePool
from simulator.runtime.fabric import Fabric
from simulator.runtime.transfers import TransferLife
from simulator.runtime.view import View
from simulator.workload.jobs import BatchJob, Job, Placement, State, TrainingJob, Transfer

Progress = Callable[[float, int], None]
"""Called now and then with the simulated time (s) and the jobs that have ended."""

_PACK_EVERY = 2048
"""Ended jobs after which the recorded rows are packed and progress is reported."""
_IDLE_TICKS = 1000
"""Ticks in a row without any action, running job or arrival, after which a policy is not ticked again."""


class Simulation:
    """One run: a cluster, its work, its policies.

    Times in seconds. ``jobs`` must come sorted by ``submit`` and are changed as they live: pass fresh ones to each run.
    ``capacity_events`` are (time, link index, bytes/s). ``until`` ends the run (through that instant); without it the
    run ends when all work is done. Job measures leave out jobs submitted before ``warmup``. ``contention`` off lets
    traffic take its time without sharing links. ``restart`` seconds are lost at each resumption after a preemption.
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
        capacity_events: Sequence[tuple[float, int, float]] = (),
        contention: bool = True,
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
        self._progress = progress
        self.recorder = Recorder()
        self.nodes = Allocator(topology.servers)
        self.fabric = Fabric(self.clock, topology.capacity)
        self.gangs = Gangs(self.clock, topology, self.nodes, self.fabric if contention else None, restart)
        self.gangs.ended = self._ended
        self.pass_soon = Soon(self.clock, self.schedule_pass, Phase.PASS)
        self.view = View(self.clock, topology, self.nodes, placer)
        self._flows = TransferLife(self.clock, self.fabric, topology, self.recorder.flows, transfers)
        self._links = sorted(capacity_events, key=lambda event: event[0])
        self._jobs = iter(jobs)
        self._next: Job | None = None
        self._sequence = 0
        self._finished = 0
        self._requeued: list[Job] = []
        self._ticking = False
        self._idle_ticks = 0
        self._name = getattr(scheduler, "name", type(scheduler).__name__)
        self._on_submit: Callable[[Job], None] | None = getattr(scheduler, "on_submit", None)
        self._on_finish: Callable[[Job], None] | None = getattr(scheduler, "on_finish", None)
        self._on_tick: Callable[[float], None] | None = getattr(scheduler, "on_tick", None)
        self._interval: float = getattr(scheduler, "interval", 0.0) or 0.0
        self.meter = Meter(topology.accelerators, costs)
        self._rejected: dict[str, int] = {}
        self.pool = pool
        if pool is not None:
            pool.attach(self)
        self._series = self.recorder.series.add
        self._state: tuple[float, ...] = ()
        self._state_since = -1.0
        self._last_event = 0.0
        self._event_row = self.recorder.events.add

    def run(self) -> Record:
        """Run to the end and return what was recorded."""
        reset = getattr(self.scheduler, "reset", None)
        if reset is not None:
            reset(stream(self._seed, "scheduler", self._replication))
        for time, link, capacity in self._links:
            self._check_link(time, link, capacity)
            self.clock.at(time, self._set_capacity, link, capacity, phase=Phase.FAILURES)
        self._flows.begin()
        self._draw()
        self._note_series()
        with _fewer_collections():
            self.clock.run(self.until)
        return self._close()

    # -- arrivals -----------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Fetch the next job of the trace and wait for its time."""
        self._next = next(self._jobs, None)
        if self._next is not None and self._next.submit <= self.until:
            if self._next.submit < self.clock.now:
                raise InputError(
                    f"job {self._next.id!r} is submitted at {self._next.submit:g} s, before its predecessor at "
                    f"{self.clock.now:g} s: sort the jobs by submit"
                )
            self.clock.at(self._next.submit, self._arrive, phase=Phase.ARRIVALS)

    def _arrive(self) -> None:
        now = self.clock.now
        job = self._next
        while job is not None and job.submit == now:
            self._submit(job, now)
            job = self._next = next(self._jobs, None)
        if job is not None and job.submit <= self.until:
            if job.submit < now:
                self._next = job
                raise InputError(
                    f"job {job.id!r} is submitted at {job.submit:g} s, before its predecessor at {now:g} s: "
                    "sort the jobs by submit"
                )
            self.clock.at(job.submit, self._arrive, phase=Phase.ARRIVALS)
        self.pass_soon()

    def _submit(self, job: Job, now: float) -> None:
        job.sequence = self._sequence
        self._sequence += 1
        job.since = now
        if job.estimate < 0:
            job.estimate = _expected(job)
        self.note_event("submit", job.id, job.accelerators)
        if not self._can_ever_fit(job):
            self._turn_away(job, "larger than the cluster")
            return
        job.state = State.QUEUED
        self.view.queue.add(job)
        if self._on_submit is not None:
            self._on_submit(job)

    def _can_ever_fit(self, job: Job) -> bool:
        nodes = self.nodes
        if nodes.plain and not job.accelerator_types:
            return job.accelerators <= self.topology.accelerators
        return nodes.could_hold(job.accelerators, job.cores, job.memory, job.accelerator_types)

    # -- the scheduling pass ------------------------------------------------------------------------------------

    def schedule_pass(self) -> None:
        """Ask the scheduler once for this instant, and apply what it wants."""
        view = self.view
        if view.queue.members:
            view.queue.tidy()
            view.running.tidy()
            acted = False
            for action in self._ask():
                self._apply(action)
                acted = True
            if self._requeued:
                self._requeue()
            if self._interval:
                self._idle_ticks = 0 if acted else self._idle_ticks
                self._wait_for_tick()
        self._note_series()
        if self.pool is not None:
            self.pool.watch()

    def _ask(self) -> Iterator[Action]:
        """Yield the policy's actions; what goes wrong inside the policy is reported as the policy's."""
        try:
            yield from self.scheduler.schedule(self.view) or ()
        except (SimulatorError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise PolicyError(f"policy {self._name} at {self.clock.now:g} s: {type(error).__name__}: {error}") from error

    def _apply(self, action: Action) -> None:
        kind = type(action)
        if kind not in (Start, Preempt, Reject) or not isinstance(action.job, Job):
            raise PolicyError(
                f"policy {self._name} at {self.clock.now:g} s: {action!r} is not an action; "
                "yield Start(job), Preempt(job) or Reject(job)"
            )
        if isinstance(action, Start):
            self._start(action.job, action.placement)
        elif isinstance(action, Preempt):
            self._preempt(action.job)
        else:
            self._expect(action.job, State.QUEUED, "Reject")
            self.view.queue.remove(action.job)
            self._turn_away(action.job, action.reason or "turned away by the policy")

    def _start(self, job: Job, placement: Placement | None) -> None:
        self._expect(job, State.QUEUED, "Start")
        if placement is None:
            placement = self.view.place(job)
            if placement is None:
                free = self.view.free
                if job.accelerators > max(free, 1):
                    self._illegal("Start", job, f"it wants {job.accelerators:g} accelerators, {free:g} are free")
                return
        elif sum(taken for _, taken in placement) != job.accelerators:
            given = sum(taken for _, taken in placement)
            self._illegal("Start", job, f"placed on {given:g} accelerators, it wants {job.accelerators:g}")
        try:
            self.gangs.start(job, placement)
        except (ValueError, IndexError) as error:
            self._illegal("Start", job, str(error))
        self.view.queue.remove(job)
        self.view.running.add(job)
        self.note_event("start", job.id, job.accelerators)

    def _preempt(self, job: Job) -> None:
        self._expect(job, State.RUNNING, "Preempt")
        self.gangs.stop(job)
        self.view.running.remove(job)
        self._requeued.append(job)
        self.note_event("preempt", job.id, job.accelerators)

    def _requeue(self) -> None:
        for job in self._requeued:
            self.view.queue.add(job)
            if self._on_submit is not None:
                self._on_submit(job)
        self._requeued.clear()

    def _expect(self, job: Job, state: State, action: str) -> None:
        if job.state is not state or (state is State.QUEUED and job not in self.view.queue.members):
            self._illegal(action, job, f"the job is {job.state.name.lower()}, not {state.name.lower()}")

    def _illegal(self, action: str, job: Job, why: str) -> None:
        raise PolicyError(f"policy {self._name} at {self.clock.now:g} s: illegal {action} of job {job.id!r}: {why}")

    # -- ticks --------------------------------------------------------------------------------------------------

    def _wait_for_tick(self) -> None:
        if self._interval > 0 and not self._ticking and len(self.view.queue):
            if not len(self.view.running) and self._next is None and self._idle_ticks >= _IDLE_TICKS:
                return
            self._ticking = True
            self.clock.after(self._interval, self._tick, phase=Phase.TICKS)

    def _tick(self) -> None:
        self._ticking = False
        self._idle_ticks += 1
        if self._on_tick is not None:
            self._on_tick(self.clock.now)
        self.pass_soon()

    # -- ends ---------------------------------------------------------------------------------------------------

    def _ended(self, job: Job) -> None:
        self.view.running.remove(job)
        self.note_event("end", job.id, job.accelerators)
        self._record(job)
        if self._on_finish is not None:
            self._on_finish(job)
        if self.view.queue.members or self.pool is not None:
            self.pass_soon()
        else:
            self._note_series()

    def _turn_away(self, job: Job, reason: str) -> None:
        job.state = State.REJECTED
        self.note_event("reject", job.id, job.accelerators)
        self._rejected[reason] = self._rejected.get(reason, 0) + 1
        self._record(job)

    def _record(self, job: Job) -> None:
        """Write the row of a job that has come to its end, whichever."""
        share = self.gangs.network_share(job)
        completed = job.state is State.COMPLETED
        busy = job.ran - job.overhead
        compute = min(busy, job.done * (1.0 - share)) if share else busy
        jct = job.end - job.submit if completed else math.nan
        row = (
            job.id,
            job.workload,
            job.tenant,
            job.row,
            job.submit,
            job.start,
            job.end,
            job.waited,
            jct,
            jct / job.work if completed and job.work > 0 else math.nan,
            job.accelerators,
            len(job.placement),
            job.state.name,
            job.preemptions,
            job.work if job.start == job.start else math.nan,
            compute,
            busy - compute,
            job.overhead,
        )
        self.recorder.jobs.add(row)
        self.gangs.forget(job)
        self._finished += 1
        if self._finished % _PACK_EVERY == 0:
            self.recorder.pack()
            if self._progress is not None:
                self._progress(self.clock.now, self._finished)

    def _close(self) -> Record:
        """Settle what is unfinished and hand over the record."""
        now = self._end()
        for job in (*self.view.running, *self.view.queue):
            if job.state is State.RUNNING:
                self.gangs.settle(job)
            else:
                job.waited += now - job.since
            job.state = State.UNFINISHED
            self._record(job)
        self._flows.close()
        self._note_series()
        self._flush_series()
        self._note_left_over()
        facts = self._facts | {"end": now, "warmup": self.warmup, "accelerators": self.topology.accelerators}
        facts |= {"topology": self.topology.name, "scheduler": self._name, "notes": self._notes}
        facts |= self.meter.facts(now)
        return Record(self.recorder.tables(), facts)

    def _end(self) -> float:
        """When the run was over: its horizon, or else the last thing that happened in it."""
        if self.until < math.inf or len(self.view.running):
            return self.clock.now
        return max(self._last_event, self._flows.last_end)

    def _note_left_over(self) -> None:
        for reason, count in self._rejected.items():
            self._notes.append(f"{count} jobs were rejected: {reason}.")
        waiting, running = len(self.view.queue), len(self.view.running)
        if waiting or running:
            self._notes.append(f"{running} jobs were still running and {waiting} still waiting at the end of the run.")

    def note_event(self, event: str, subject: str, amount: float) -> None:
        """Write a row of the events table."""
        self._last_event = now = self.clock.now
        self._event_row((now, event, subject, amount))

    # -- the rest -----------------------------------------------------------------------------------------------

    def _note_series(self) -> None:
        view, nodes = self.view, self.nodes
        capacity = nodes.capacity
        provisioned = capacity if self.pool is None else self.pool.provisioned
        state = (len(view.queue.members), len(view.running.members), nodes.used, capacity, provisioned)
        if state != self._state:
            now = self.clock.now
            if now > self._state_since:
                self._flush_series()
                self._state_since = now
            self.meter.advance(now, state[2], provisioned)
            self._state = state

    def _flush_series(self) -> None:
        """Write the state that held until now: what changes within an instant leaves one row."""
        if self._state:
            self._series((self._state_since, *self._state))

    def work_left(self) -> bool:
        """Whether anything is running, waiting or still to arrive."""
        return bool(self.view.running.members or self.view.queue.members or self._next is not None)

    def _check_link(self, time: float, link: int, capacity: float) -> None:
        count = len(self.fabric.capacity)
        if not 0 <= link < count:
            raise InputError(f"capacity event at {time:g} s: there is no link {link}; links are 0 to {count - 1}")
        if not (0 <= time < math.inf and 0 <= capacity < math.inf):
            raise InputError(f"capacity event ({time!r} s, link {link}, {capacity!r} B/s): numbers must be finite and >= 0")

    def _set_capacity(self, link: int, capacity: float) -> None:
        self.note_event("capacity", str(link), capacity)
        self.fabric.set_capacity(link, capacity)


def _expected(job: Job) -> float:
    """What the scheduler is told when no estimate came with the job: what it takes alone, without the network."""
    if isinstance(job, TrainingJob):
        return job.iterations * job.compute
    assert isinstance(job, BatchJob)
    return job.duration


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Let the cycle collector run less often: the engine makes many objects and few cycles."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
