"""A fleet on the clock: replicas that are asked for, placed, started, drained, evicted, gone."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import index
from typing import Any, Generic

from simulator.core.clock import Phase, Soon
from simulator.core.errors import PolicyError
from simulator.policies.serving import PodReading
from simulator.runtime.fleets.monitor import Gauges, Monitor
from simulator.runtime.fleets.seat import Cluster, Seat, W
from simulator.runtime.fleets.spec import FleetSpec, Step
from simulator.runtime.fleets.startup import Start
from simulator.runtime.slots import Member
from simulator.workload.jobs import ReplicaJob

_PATIENCE = 10_000
"""Steps in a row in which nothing moves, after which an autoscaler rests until work comes."""


class Fleet(Generic[W]):
    """Alike replicas, as many as an autoscaler wants.

    ``make(seat)`` returns what runs on the accelerators that a replica has got, and ``steps(worker)`` what its start
    takes besides those of the spec. ``opened()`` is called when one takes work, and when it turns out that none ever
    will (``hopeless``); ``lost(worker, work)`` when one is gone with work on it. ``read()`` tells what is true of the
    work now, ``pod(worker)`` of that of one replica. ``numbers`` are those of new replicas, which no other fleet of the
    same workload has.
    """

    def __init__(
        self,
        spec: FleetSpec,
        cluster: Cluster,
        make: Callable[[Seat[W]], W],
        read: Callable[[], Gauges],
        numbers: Iterator[int],
        *,
        opened: Callable[[], None] = lambda: None,
        lost: Callable[[W, Sequence[Any]], None] = lambda worker, work: None,
        steps: Callable[[W], tuple[Step, ...]] = lambda worker: (),
        pod: Callable[[W], Mapping[str, float]] = lambda worker: {},
    ) -> None:
        self.spec, self.name, self._cluster = spec, spec.name, cluster
        self._make, self._opened, self._lost, self._steps, self._pod = make, opened, lost, steps, pod
        self._clock, self._numbers = cluster.clock, numbers
        scaler = self.scaler = spec.scaler
        self._monitor = Monitor(
            self._clock, spec.monitoring, self, read, getattr(scaler, "windows", ()), getattr(scaler, "per_pod", False)
        )
        self.seats: dict[int, Seat[W]] = {}
        self.ready: list[W] = []
        """Replicas that take work, by number."""
        self._settle = Soon(self._clock, self._let_go, Phase.ENDS)
        self._over = False
        self._ticking = False
        self._idle_steps = 0
        self.progress: Callable[[], object] = lambda: None
        """Something that changes whenever the work gets on."""
        self._seen: object = None
        self.refused = ""
        """Why its replicas can never be placed, once one was refused."""
        self.held = self.busy = 0.0
        """Replica-seconds of replicas that are gone: held, and working."""
        self.wanted = 0
        """Replicas that it shall have."""

    # -- how many -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask for the first replicas."""
        for method, arguments in (("reset", ()), ("bounds", (self.spec.minimum, self.spec.maximum))):
            hook = getattr(self.scaler, method, None)
            if callable(hook):
                hook(*arguments)
        self._scale(self._ask() if self.spec.initial is None else self.spec.initial)
        self.watch()

    def watch(self) -> None:
        """Keep the autoscaler's steps going while they can matter."""
        interval = self.scaler.interval
        if interval > 0 and not self._ticking and not self._over:
            self._ticking = True
            self._clock.after(interval, self._tick, phase=Phase.TICKS)
            self._monitor.watch(lambda: self._ticking and not self._over)

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
        now, scaler = self._clock.now, self.scaler
        try:
            wanted = scaler.step(now, self._monitor.observe())
        except (Exception, SystemExit) as error:
            raise PolicyError(f"{self._who} at {now:g} s: {type(error).__name__}: {error}") from error
        try:
            count = -1 if isinstance(wanted, bool) else index(wanted)
        except TypeError:
            count = -1
        if count < 0:
            raise PolicyError(f"{self._who} at {now:g} s: step returned {wanted!r}, not a number of replicas")
        allowed = min(max(count, self.spec.minimum), self.spec.maximum)
        self._cluster.decisions.scaled(self.kind, self.name, self.wanted, wanted, allowed)
        return allowed

    @property
    def kind(self) -> str:
        """What the autoscaler is called."""
        return str(getattr(self.scaler, "kind", "") or type(self.scaler).__name__)

    @property
    def _who(self) -> str:
        return f"autoscaler {type(self.scaler).__name__}"

    @property
    def count(self) -> int:
        """Replicas that take work."""
        return len(self.ready)

    @property
    def coming(self) -> int:
        """Replicas that wait for accelerators or are starting."""
        return sum([not seat.draining for seat in self.seats.values()]) - len(self.ready)

    @property
    def draining(self) -> int:
        """Replicas that take no more work, but have some left."""
        return sum([seat.draining for seat in self.seats.values()])

    def pods(self) -> list[PodReading]:
        """Each replica by itself."""
        return [self._reading(seat) for seat in self.seats.values()]

    def _reading(self, seat: Seat[W]) -> PodReading:
        worker, now = seat.worker, self._clock.now
        if worker is None:
            return PodReading(ready=False, phase="pending", deleted=seat.draining, started=seat.job.submit)
        since, before = seat.read
        busy = worker.busy_until(now)
        share = (busy - before) / (now - since) if now > since else 0.0
        seat.read = (now, busy)
        values = {**self._pod(worker), "busy": share} if worker.taking else {}
        return PodReading(values, worker.taking, seat.since, seat.ready_since, now, now - since, deleted=seat.draining)

    def _scale(self, wanted: int) -> bool:
        """Ask for replicas or let some go, so that there are as many as wanted; return whether anything was done."""
        self.wanted = wanted
        have = len(self.ready) + self.coming
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
        spec = self.spec
        number = next(self._numbers)
        job = ReplicaJob(
            id=f"{self.name}/{number}", submit=self._clock.now, accelerators=float(spec.accelerators),
            cores=spec.cores, memory=spec.memory, accelerator_types=spec.types, max_servers=spec.max_servers,
            tenant=spec.tenant, priority=spec.priority, partition=spec.partition, preemptible=spec.preemptible,
            workload=spec.workload,
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

        def cost(seat: Seat[W]) -> tuple[bool, float, int]:
            open_ = seat.worker is not None and seat.worker.taking
            return (open_, seat.worker.outstanding if seat.worker is not None else 0, -seat.number)

        for seat in sorted(staying, key=cost)[:count]:
            self._drain(seat)

    def _drain(self, seat: Seat[W]) -> None:
        seat.draining = True
        if seat.worker is not None:
            self._close(seat, seat.worker)
            self._cluster.note_event("replica-drain", seat.job.id, float(seat.worker.outstanding))
        self._settle()

    def _close(self, seat: Seat[W], worker: W) -> None:
        """Send no more work to a replica."""
        if worker.taking or worker in self.ready:
            worker.taking, seat.ready_since = False, self._clock.now
            self.ready.remove(worker)

    def idle(self) -> None:
        """Some work has ended: see whether a replica that is draining may go."""
        self._settle()

    def _let_go(self) -> None:
        """Let replicas go that are draining and have nothing left to do.

        By itself, as its cause may be a replica's own work, or a job that is just being stopped.
        """
        for seat in [each for each in self.seats.values() if each.draining]:
            if seat.worker is None or not seat.worker.outstanding:
                del self.seats[seat.number]
                self._cluster.finish(seat.job)

    def close(self) -> None:
        """The work is over: let all replicas go."""
        self._over = True
        for seat in self.seats.values():
            seat.draining = True
        self._settle()

    # -- eviction -------------------------------------------------------------------------------------------------

    def may_leave(self, seat: Seat[W]) -> str:
        """Say why a replica may not be evicted now; empty when it may."""
        most, missing = self.spec.most_missing(self.wanted), self.wanted - len(self.ready)
        ready = seat.worker is not None and seat.worker.taking
        if most is None or seat.draining or self._over or missing + ready <= most:
            return ""
        return f"the disruption budget of {self.name} allows {most} replicas to be missing, {missing} are"

    def leave(self, seat: Seat[W], grace: float) -> None:
        """Evict a replica: another is asked for at once, and it has ``grace`` seconds for what it is doing."""
        if seat.draining:
            return
        self._drain(seat)
        if not (self._over or self.refused):
            self._add()
        self._clock.after(min(grace, self.spec.grace), self._expel, seat, phase=Phase.ENDS)

    def _expel(self, seat: Seat[W]) -> None:
        """The grace is over."""
        if self.seats.get(seat.number) is seat:
            del self.seats[seat.number]
            self._cluster.finish(seat.job)

    # -- their life -----------------------------------------------------------------------------------------------

    def began(self, seat: Seat[W]) -> None:
        """A replica has its accelerators: let it start."""
        worker = seat.worker = self._make(seat)
        seat.since, seat.read = self._clock.now, (self._clock.now, 0.0)
        seat.start = Start(
            self._clock, self._cluster.pulls, seat.job.id, self.spec.workload,
            [server for server, _ in seat.job.placement], (*self.spec.steps, *self._steps(worker)),
            self._cluster.note_event, lambda: self._open(seat, worker),
        )  # fmt: skip

    def _open(self, seat: Seat[W], worker: W) -> None:
        if seat.worker is not worker or seat.draining:
            return
        worker.taking, seat.ready_since = True, self._clock.now
        insort(self.ready, worker, key=lambda each: each.number)
        self._cluster.note_event("replica-ready", seat.job.id, float(len(self.ready)))
        self._opened()

    def halted(self, seat: Seat[W]) -> None:
        """A replica loses its accelerators, because it is let go or because somebody stops it."""
        worker, seat.worker = seat.worker, None
        if worker is None:
            return
        if seat.start is not None:
            seat.start.cancel()
        if worker in self.ready:
            self.ready.remove(worker)
        seat.ready_since = self._clock.now
        work = worker.stop()
        self.held += self._clock.now - seat.since
        self.busy += worker.busy
        if work or worker.outstanding:
            self._lost(worker, work)
        if seat.draining and seat.number in self.seats:
            self._settle()  # it has nothing left to do, and must not wait for a place again

    def seconds(self) -> tuple[float, float]:
        """Replica-seconds up to now: held, and working."""
        held, busy, now = self.held, self.busy, self._clock.now
        for seat in self.seats.values():
            if seat.worker is not None:
                held += now - seat.since
                busy += seat.worker.busy_until(now)
        return held, busy

    def stop(self) -> None:
        """The run is over: let replicas write down what they have done."""
        for seat in self.seats.values():
            if seat.worker is not None:
                seat.worker.stop()

    def members(self, worker: W) -> tuple[Member, ...]:
        """The accelerators of a replica, by rank."""
        return self._cluster.members(self.seats[worker.number].job)

    @property
    def given_up(self) -> bool:
        """Whether no replica is there, and none will be unless more work comes."""
        return not self.seats and not self._ticking

    @property
    def hopeless(self) -> bool:
        """Whether no replica is there, nor will ever be."""
        return bool(self.refused) and not self.seats
