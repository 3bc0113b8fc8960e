"""The replicas of a service as jobs of the cluster: asked for, placed, started, drained, gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import index
from typing import Protocol

from simulator.cluster.topology import Topology
from simulator.core.clock import Clock, Phase, Soon
from simulator.core.errors import PolicyError
from simulator.policies.serving import ServiceObservation
from simulator.runtime.serving.ledger import Ledger
from simulator.runtime.serving.replica import Replica
from simulator.runtime.serving.spec import ReplicaPool, ServiceSpec
from simulator.runtime.slots import Member
from simulator.workload.jobs import ReplicaJob
from simulator.workload.requests import Request

_PATIENCE = 10_000
"""Steps in a row in which nothing moves, after which an autoscaler rests until a request comes."""


class Cluster(Protocol):
    """What a service needs of the cluster around it."""

    topology: Topology
    clock: Clock

    def submit(self, job: ReplicaJob) -> str:
        """Let a job queue; return why it can never run, or nothing."""

    def finish(self, job: ReplicaJob) -> None:
        """End a running job, or take a waiting one out of the queue."""

    def members(self, job: ReplicaJob) -> tuple[Member, ...]:
        """The accelerators of a running job, by rank."""

    def note_event(self, event: str, subject: str, amount: float) -> None:
        """Write a row of the events table."""


class Seat:
    """One replica as a job: the job, and what runs on its accelerators while it has some."""

    def __init__(self, fleet: Fleet, job: ReplicaJob, number: int) -> None:
        self._fleet, self.job, self.number = fleet, job, number
        self.replica: Replica | None = None
        self.draining = False
        self.since = 0.0
        """When it got its accelerators."""

    def began(self) -> None:
        """The job has its accelerators."""
        self._fleet.began(self)

    def halted(self) -> None:
        """It is about to lose them."""
        self._fleet.halted(self)


class Fleet:
    """Alike replicas, as many as an autoscaler wants.

    ``opened()`` is called when one takes requests, and when it turns out that none ever will (``hopeless``);
    ``lost(replica, requests)`` when one is gone with requests on it.
    ``observe`` tells the autoscaler how the service is; ``name`` is what events and jobs call the fleet; ``numbers``
    are those of new replicas, which no other fleet of the service has; with ``elsewhere`` requests leave when their
    prompts are complete.
    """

    def __init__(
        self,
        name: str,
        spec: ServiceSpec,
        pool: ReplicaPool,
        cluster: Cluster,
        ledger: Ledger,
        opened: Callable[[], None],
        lost: Callable[[Replica, list[Request]], None],
        observe: Callable[[Fleet], ServiceObservation],
        numbers: Iterator[int],
        elsewhere: bool = False,
    ) -> None:
        self._elsewhere = elsewhere
        self.name, self._spec, self.pool, self._cluster, self._ledger = name, spec, pool, cluster, ledger
        self._opened, self._lost, self._observe = opened, lost, observe
        self._clock = cluster.clock
        self.seats: dict[int, Seat] = {}
        self.ready: list[Replica] = []
        """Replicas that take requests, by number."""
        self._numbers = numbers
        self._settle = Soon(self._clock, self._let_go, Phase.ENDS)
        self._over = False
        self._ticking = False
        self._idle_steps = 0
        self.progress: Callable[[], object] = lambda: None
        """Something that changes whenever the service gets on."""
        self._seen: object = None
        self.refused = ""
        """Why its replicas can never be placed, once one was refused."""
        self.blocks: dict[int, int] = {}
        """KV blocks of each replica that was placed, by number."""
        self.held = self.busy = 0.0
        """Accelerator-seconds of replicas that are gone: held, and computing."""

    # -- how many -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask the autoscaler for the first time."""
        reset = getattr(self.pool.scaler, "reset", None)
        if callable(reset):
            reset()
        self._scale(self._ask())
        self.watch()

    def watch(self) -> None:
        """Keep the autoscaler's steps going while they can matter."""
        interval = self.pool.scaler.interval
        if interval > 0 and not self._ticking and not self._over:
            self._ticking = True
            self._clock.after(interval, self._tick, phase=Phase.TICKS)

    def _tick(self) -> None:
        self._ticking = False
        if self._over:
            return
        changed = self._scale(self._ask())
        seen = self.progress()
        self._idle_steps = 0 if changed or seen != self._seen else self._idle_steps + 1
        self._seen = seen
        if self._idle_steps < _PATIENCE:
            self.watch()

    def _ask(self) -> int:
        now, name = self._clock.now, type(self.pool.scaler).__name__
        try:
            wanted = self.pool.scaler.step(now, self._observe(self))
        except (Exception, SystemExit) as error:
            raise PolicyError(f"autoscaler {name} at {now:g} s: {type(error).__name__}: {error}") from error
        try:
            count = -1 if isinstance(wanted, bool) else index(wanted)
        except TypeError:
            count = -1
        if count < 0:
            raise PolicyError(f"autoscaler {name} at {now:g} s: step returned {wanted!r}, not a number of replicas")
        return min(max(count, self.pool.minimum), self.pool.maximum)

    @property
    def coming(self) -> int:
        """Replicas that wait for accelerators or are starting."""
        return sum(not seat.draining for seat in self.seats.values()) - len(self.ready)

    @property
    def draining(self) -> int:
        """Replicas that take no more requests, but have some left."""
        return sum(seat.draining for seat in self.seats.values())

    def _scale(self, wanted: int) -> bool:
        """Ask for replicas or let some go, so that there are as many as wanted; return whether anything was done."""
        have = sum(not seat.draining for seat in self.seats.values())
        if wanted < have:
            self._shrink(have - wanted)
        elif self.refused:
            return False
        for _ in range(wanted - have):
            self._add()
            if self.refused:
                self._opened()
                break
        return wanted != have

    def _add(self) -> None:
        spec, pool = self._spec, self.pool
        number = next(self._numbers)
        job = ReplicaJob(
            id=f"{self.name}/{number}", submit=self._clock.now, accelerators=float(pool.accelerators),
            cores=pool.cores, memory=pool.memory, accelerator_types=pool.types, max_servers=pool.max_servers,
            tenant=spec.tenant, priority=spec.priority, partition=pool.partition or spec.partition,
            preemptible=spec.preemptible, workload=spec.name,
        )  # fmt: skip
        seat = self.seats[number] = Seat(self, job, number)
        job.life = seat
        why = self._cluster.submit(job)
        if why:
            del self.seats[number]
            self.refused = why

    def _shrink(self, count: int) -> None:
        """Let go of replicas: those that are not ready first, the youngest of them; then those with least to do."""
        staying = [seat for seat in self.seats.values() if not seat.draining]

        def cost(seat: Seat) -> tuple[bool, int, int]:
            open_ = seat.replica is not None and seat.replica.taking
            return (open_, seat.replica.outstanding if seat.replica is not None else 0, -seat.number)

        for seat in sorted(staying, key=cost)[:count]:
            self._drain(seat)

    def _drain(self, seat: Seat) -> None:
        seat.draining = True
        if seat.replica is not None:
            seat.replica.taking = False
            if seat.replica in self.ready:
                self.ready.remove(seat.replica)
            self._cluster.note_event("replica-drain", seat.job.id, float(seat.replica.outstanding))
        self._settle()

    def _idle(self, replica: Replica) -> None:
        self._settle()

    def _let_go(self) -> None:
        """Let replicas go that are draining and have nothing left to do.

        By itself, as its cause may be a replica's own iteration, or a job that is just being stopped.
        """
        for seat in [each for each in self.seats.values() if each.draining]:
            if seat.replica is None or not seat.replica.outstanding:
                del self.seats[seat.number]
                self._cluster.finish(seat.job)

    def close(self) -> None:
        """The service is over: let all replicas go."""
        self._over = True
        for seat in self.seats.values():
            seat.draining = True
        self._settle()

    # -- their life -----------------------------------------------------------------------------------------------

    def began(self, seat: Seat) -> None:
        """A replica has its accelerators: let it start."""
        server = self._cluster.topology.servers[seat.job.placement[0][0]]
        engine = self.pool.engine(server.accelerator)
        replica = seat.replica = Replica(
            seat.number, self._spec, engine, self.pool.ranks, self._clock, self._ledger, self._elsewhere, self._idle
        )
        self.blocks[seat.number] = engine.blocks * self.pool.ranks
        if self._spec.staleness:
            for rank in replica.ranks:
                rank.pool.remember = True
        seat.since = self._clock.now
        phases = [*self._spec.phases, *([("weights", engine.load)] if engine.load else [])]
        if not any(seconds for _, seconds in phases):
            self._clock.at(self._clock.now, self._open, seat, replica, phase=Phase.FAILURES)
            return
        due = self._clock.now
        for name, seconds in phases:
            due += seconds
            self._clock.at(due, self._started, seat, replica, name, seconds, phase=Phase.FAILURES)
        self._clock.at(due, self._open, seat, replica, phase=Phase.FAILURES)

    def _started(self, seat: Seat, replica: Replica, phase: str, seconds: float) -> None:
        if seat.replica is replica:
            self._cluster.note_event("cold-start", f"{seat.job.id}: {phase}", seconds)

    def _open(self, seat: Seat, replica: Replica) -> None:
        if seat.replica is not replica or seat.draining:
            return
        replica.taking = True
        self.ready.append(replica)
        self.ready.sort(key=lambda each: each.number)
        self._cluster.note_event("replica-ready", seat.job.id, float(len(self.ready)))
        self._opened()

    def halted(self, seat: Seat) -> None:
        """A replica loses its accelerators, because it is let go or because the scheduler stops it."""
        replica, seat.replica = seat.replica, None
        if replica is None:
            return
        if replica in self.ready:
            self.ready.remove(replica)
        requests = replica.stop()
        self.held += (self._clock.now - seat.since) * self.pool.accelerators
        self.busy += replica.busy * self.pool.accelerators
        if requests or replica.outstanding:
            self._lost(replica, requests)

    def seconds(self) -> tuple[float, float]:
        """Accelerator-seconds up to now: held, and computing."""
        held, busy = self.held, self.busy
        for seat in self.seats.values():
            if seat.replica is not None:
                held += (self._clock.now - seat.since) * self.pool.accelerators
                busy += seat.replica.busy_until(self._clock.now) * self.pool.accelerators
        return held, busy

    def stop(self) -> None:
        """The run is over: write down the iterations that have passed, and what requests have of them."""
        for seat in self.seats.values():
            if seat.replica is not None:
                seat.replica.stop()

    def members(self, replica: Replica) -> tuple[Member, ...]:
        """The accelerators of a replica, by rank."""
        return self._cluster.members(self.seats[replica.number].job)

    @property
    def hopeless(self) -> bool:
        """Whether no replica is there, nor will ever be."""
        return bool(self.refused) and not self.seats
