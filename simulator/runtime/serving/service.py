"""A service on the clock: requests come, are sent to replicas, come back, and end in exactly one way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np

from simulator.core.clock import Phase, Soon
from simulator.core.errors import InputError
from simulator.core.timer import Deadlines
from simulator.runtime.fleets.area import Area
from simulator.runtime.fleets.fleet import Fleet
from simulator.runtime.fleets.monitor import Gauges
from simulator.runtime.fleets.seat import Cluster
from simulator.runtime.serving.adapters import Adapters
from simulator.runtime.serving.desk import Desk
from simulator.runtime.serving.fleet import fleet
from simulator.runtime.serving.handoff import Handoffs
from simulator.runtime.serving.log import ServingLog
from simulator.runtime.serving.outlook import Outlook
from simulator.runtime.serving.rank import Parked
from simulator.runtime.serving.refusals import FULL, LOST, NOWHERE, PARENT, nonsense, unfit
from simulator.runtime.serving.replica import Replica
from simulator.runtime.serving.spec import ReplicaPool, ServiceSpec, Slo
from simulator.runtime.serving.stretch import Stretch
from simulator.runtime.serving.wires import Wires
from simulator.workload.requests import Request, RequestState

_FINISHED, _ROUTED = RequestState.FINISHED, RequestState.ROUTED
_NO_BOUNDS = Slo()
_ARRIVALS = int(Phase.ARRIVALS)
_MOST_DOUBLINGS = 60
"""Of the seconds until a request is sent again: longer than the age of the world, and still a number."""


class Service:
    """Runs the requests of one service.

    ``until`` is the end of the run (s). Every request ends as FINISHED, REJECTED (with its reason), TIMEOUT, or
    UNFINISHED at the end; its row is written then.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        cluster: Cluster,
        wires: Wires,
        log: ServingLog,
        until: float,
        rng: Callable[[str], np.random.Generator],
    ) -> None:
        self.spec, self._cluster, self._log, self._until = spec, cluster, log, until
        self._clock = cluster.clock
        self._rng = rng
        self._numbers = count()
        self._open = Area(self._clock)
        """Requests that came and have not ended."""
        self._blocks: dict[int, int] = {}
        """KV blocks of each replica that was placed, by number."""
        main = self._fleet(spec.name, spec.replicas)
        self._decode = Desk(main, spec.router, Outlook(self._clock, spec.staleness, lambda: main.ready))
        self._entry = self._decode
        self._handoffs: Handoffs | None = None
        if spec.prefill is not None:
            first = self._fleet(f"{spec.name}/prefill", spec.prefill, elsewhere=True)
            router = spec.prefill_router or spec.router
            self._entry = Desk(first, router, Outlook(self._clock, spec.staleness, lambda: first.ready))
            self._handoffs = Handoffs(spec, self._decode, first, wires, self._clock, self._landed, self._too_long)
        self._adapters = Adapters(self._clock, spec.adapters, spec.adapter_load)
        self._desks = [self._entry] if self._entry is self._decode else [self._entry, self._decode]
        self._arrivals: Iterator[Request] = iter(())
        self._next: Request | None = None
        self._waiting: dict[Request, None] = {}
        """Requests for which there is no replica yet."""
        self._wake = Soon(self._clock, self._awake, Phase.FAILURES)
        self._away: dict[Request, None] = {}
        """Requests that will be sent again after a while."""
        self._home: dict[Request, Replica] = {}
        self._coming: dict[Request, None] = {}
        """Requests that have been let go by the one that they wait for, and whose time has not come."""
        self._total = len(spec.requests)
        self.came = self.ended = 0
        self.last_end = 0.0
        self._deadlines: Deadlines[Request] | None = None
        if min(spec.timeout, spec.first_token_timeout) < math.inf:
            self._deadlines = Deadlines(self._clock, self._out_of_time)

    def _fleet(self, name: str, pool: ReplicaPool, elsewhere: bool = False) -> Fleet[Replica]:
        made = fleet(
            name, self.spec, pool, self._cluster, self, self._gauges, self._numbers, self._blocks,
            opened=self._opened, lost=self._lost, elsewhere=elsewhere,
        )  # fmt: skip
        made.progress = lambda: (self.came, self.ended)
        return made

    def begin(self) -> None:
        """Ask for the first replicas, and wait for the first request."""
        for number, desk in enumerate(self._desks):
            desk.reset(self._rng(f"router:{self.spec.name}" + (":decode" if number else "")))
            desk.fleet.begin()
        self._arrivals = iter(self.spec.requests)
        self._expect(next(self._arrivals, None))
        if not self._total:
            self._close_fleets()

    @property
    def busy(self) -> bool:
        """Whether requests are yet to come, or may yet end."""
        if self.ended == self._total:
            return False
        to_come = self._next is not None or self._coming or self._away
        return bool(to_come) or not all(desk.fleet.given_up for desk in self._desks)

    # -- arrivals -------------------------------------------------------------------------------------------------

    def _expect(self, request: Request | None) -> None:
        self._next = request
        if request is None or request.arrival > self._until:
            return
        if not self._clock.now <= request.arrival < math.inf:
            before = f", before its predecessor at {self._clock.now:g} s" if 0 <= request.arrival < math.inf else ""
            raise InputError(
                f"request {request.id!r} of service {self.spec.name!r} arrives at {request.arrival!r} s{before}: "
                "requests come in order of arrival, at finite times from 0 s on"
            )
        self._clock.at(request.arrival, self._arrive, phase=_ARRIVALS)

    def _arrive(self) -> None:
        now = self._clock.now
        request = self._next
        while request is not None and request.arrival == now:
            self._come(request)
            request = next(self._arrivals, None)
        self._expect(request)

    def _come(self, request: Request) -> None:
        self.came += 1
        self._open.move(1)
        self._coming.pop(request, None)
        spec = self.spec
        for desk in self._desks:
            desk.fleet.watch()
        why = nonsense(request, spec)
        if why:
            self._reject(request, why)
            return
        if self._deadlines is not None:
            self._deadlines.set(request, request.arrival + min(spec.timeout, spec.first_token_timeout))
        self._send(request)

    def _send(self, request: Request) -> None:
        """Send a request to a replica, or let it wait until there is one."""
        self._away.pop(request, None)
        desk = self._entry
        if self._hopeless:
            self._reject(request, NOWHERE)
            return
        if not desk.fleet.ready:
            self._waiting[request] = None
            return
        replica = desk.choose(request)
        why = unfit(request, replica, self.spec.block, prompt_only=self._handoffs is not None)
        if why:
            self._reject(request, why)
            return
        request.attempts += 1
        request.replica = replica.number
        if replica.queued >= self.spec.queue_limit and not (self.spec.queue_limit == 0 and replica.open):
            self._again(request, FULL)
            return
        request.state = _ROUTED
        replica.outstanding += 1
        self._home[request] = replica
        if request.adapter:
            self._adapters.add(request, replica)
        else:
            replica.add(request)

    # -- what replicas tell ---------------------------------------------------------------------------------------

    def prompted(self, replica: Replica, request: Request, parked: Parked) -> None:
        """A prompt is complete; its keys and values go to where the request will decode."""
        assert self._handoffs is not None
        self._handoffs.begin(replica, request, parked)

    def _landed(self, source: Replica, request: Request, target: Replica) -> None:
        """A request's keys and values have arrived."""
        self._home[request] = target
        request.replica = target.number
        source.left()
        target.land(request)

    def _too_long(self, request: Request, reason: str) -> None:
        """A request that no decoding replica has room for."""
        assert self._handoffs is not None
        self._handoffs.cancel(request)
        self._leave(request)
        self._reject(request, reason)

    def through(self, replica: Replica, request: Request) -> None:
        """A request has all its tokens."""
        request.state = _FINISHED
        self._leave(request)
        self._end(request)
        for follower in self.spec.requests.followers(request):
            if not 0 <= follower.delay < math.inf:
                raise InputError(
                    f"request {follower.id!r} of service {self.spec.name!r} is sent {follower.delay!r} s after "
                    f"{request.id!r}: it must be a finite number, 0 or more"
                )
            follower.arrival = max(self._clock.now + follower.delay, follower.arrival)
            if follower.arrival <= self._until:
                self._coming[follower] = None
                self._clock.at(follower.arrival, self._come, follower, phase=_ARRIVALS)

    def noted(self, event: str, request: Request) -> None:
        """A request was preempted, or goes on."""
        self._cluster.note_event(event, f"{self.spec.name}: {request.id}", float(request.generated))

    def begun(self, replica: Replica) -> None:
        """A replica computes."""
        for desk in self._desks:
            desk.outlook.changed()

    def iterations(self, replica: Replica, stretch: Stretch) -> None:
        """Iterations have passed on a replica."""
        self._log.iterations(self.spec.name, replica.number, stretch)

    def freed(self, replica: Replica) -> None:
        """Blocks may be free that were not."""
        if self._handoffs is not None:
            self._handoffs.freed(replica)

    def _opened(self) -> None:
        """A replica takes requests, or none ever will: see to what waits, once all that open now have opened."""
        self._wake()

    def _awake(self) -> None:
        if self._entry.fleet.ready or self._hopeless:
            waiting, self._waiting = self._waiting, {}
            for request in waiting:
                self._send(request)
        if self._handoffs is not None:
            self._handoffs.opened()

    def _lost(self, replica: Replica, requests: Sequence[Request]) -> None:
        """A replica is gone: its requests are sent again, or rejected."""
        if self._handoffs is not None:
            requests = [*requests, *self._handoffs.lost(replica)]
        there = dict.fromkeys(requests) | {each: None for each, home in self._home.items() if home is replica}
        for request in there:
            self._leave(request)
            request.recomputed += request.computed
            request.computed = request.blocks = 0
            request.units = []
            self._again(request, LOST)

    def _leave(self, request: Request) -> None:
        """A request is no longer on its replica."""
        replica = self._home.pop(request)
        self._adapters.forget(request)
        self.begun(replica)
        for rank in replica.ranks:
            rank.forget(request)
        replica.left()

    # -- ends -----------------------------------------------------------------------------------------------------

    def _again(self, request: Request, reason: str) -> None:
        """Send a request again after a while, if it may."""
        if request.attempts > self.spec.retries:
            self._reject(request, reason)
            return
        request.state = RequestState.PENDING
        request.generated = 0
        request.start = request.first_token = request.stopped = math.nan
        request.stalled = request.transferred = 0.0
        self._away[request] = None
        delay = self.spec.backoff * 2.0 ** min(request.attempts - 1, _MOST_DOUBLINGS)
        self._clock.after(delay, self._resend, request, phase=_ARRIVALS)

    def _resend(self, request: Request) -> None:
        if request in self._away:
            self._send(request)

    def _reject(self, request: Request, reason: str) -> None:
        request.state, request.reason = RequestState.REJECTED, reason
        self._end(request)
        self._abandon(request)

    def _out_of_time(self, request: Request) -> None:
        """A client gives up, unless it has its first token and waits for the rest."""
        spec, now = self.spec, self._clock.now
        if request.first_token == request.first_token and request.arrival + spec.timeout > now:
            assert self._deadlines is not None
            if spec.timeout < math.inf:
                self._deadlines.set(request, request.arrival + spec.timeout)
            return
        request.state = RequestState.TIMEOUT
        self._waiting.pop(request, None)
        self._away.pop(request, None)
        replica = self._home.get(request)
        if replica is not None:
            handed = self._handoffs is not None and self._handoffs.cancel(request)
            if not handed and not self._adapters.forget(request):
                replica.give_up(request)
                self.freed(replica)
            self._leave(request)
        self._end(request)
        self._abandon(request)

    def _abandon(self, request: Request) -> None:
        """Reject those who wait for a request that will not be finished, and those who wait for them."""
        lost = [request]
        for each in lost:  # which grows meanwhile
            for follower in self.spec.requests.followers(each):
                follower.arrival = self._clock.now
                follower.state, follower.reason = RequestState.REJECTED, PARENT
                self.came += 1
                self._open.move(1)
                self._end(follower)
                lost.append(follower)

    def _end(self, request: Request) -> None:
        now = request.end = self.last_end = self._clock.now
        if self._deadlines is not None:
            self._deadlines.clear(request)
        self._write(request, now)
        self.ended += 1
        self._open.move(-1)
        for desk in self._desks:
            desk.ended(request)
        if self.ended == self._total:
            self._close_fleets()

    def _write(self, request: Request, now: float) -> None:
        slos = self.spec.slos
        slo = slos.get(request.category) or slos.get("") or _NO_BOUNDS
        self._log.request(request, self.spec.name, slo, now)

    def _close_fleets(self) -> None:
        for desk in self._desks:
            desk.fleet.close()

    def _gauges(self, fleet: Fleet[Replica]) -> Gauges:
        """What is true of the requests now, as far as one fleet goes."""
        ready = fleet.ready
        return Gauges(
            len(self._home) + len(self._waiting) + len(self._away),
            sum([replica.queued for replica in ready]) + len(self._waiting),
            sum([replica.running for replica in ready]),
            sum([replica.kv for replica in ready]) / len(ready) if ready else 0.0,
            self.came,
            self._open.until_now(),
        )

    @property
    def _hopeless(self) -> bool:
        return any(desk.fleet.hopeless for desk in self._desks)

    @property
    def fleets(self) -> list[Fleet[Replica]]:
        """Its replicas: those that requests come to, and those that decode where these are others."""
        return [desk.fleet for desk in self._desks]

    def close(self, now: float) -> dict[str, Any]:
        """Write the rows of what has not ended; return the facts of the service."""
        each = [(desk.fleet.spec.accelerators, *desk.fleet.seconds()) for desk in self._desks]
        held, busy = (sum(size * part[i] for size, *part in each) for i in range(2))
        for desk in self._desks:
            desk.fleet.stop()
        if self._handoffs is not None:
            self._handoffs.close(now)
        left = [*self._home, *self._waiting, *self._away, *self._coming]
        for request in left:
            request.state = RequestState.UNFINISHED
            self._write(request, max(now, request.arrival))
        pool = self.spec.replicas
        blocks = self._blocks
        return {
            "accelerators": pool.accelerators, "block": self.spec.block,
            "blocks": [blocks.get(number, 0) for number in range(1 + max(blocks, default=-1))],
            "classes": {name: asdict(slo) for name, slo in self.spec.slos.items()},
            "accelerator_seconds": held, "busy_accelerator_seconds": busy, "requests": self._total,
            "advance": self.spec.advance, "came": self.came, "ended": self.ended,
        }  # fmt: skip
