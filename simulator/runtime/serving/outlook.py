"""What a router sees of the replicas: how things are, or how they were when that was last published."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from simulator.core.clock import Clock, Phase
from simulator.policies.serving import ReplicaView
from simulator.runtime.serving.replica import Replica
from simulator.workload.requests import Request


class Published:
    """A replica as it was at ``time`` (s)."""

    __slots__ = ("adapters", "kv", "number", "outstanding", "pending", "queued", "replica", "running", "time")

    def __init__(self, replica: Replica, time: float) -> None:
        self.replica, self.time, self.number = replica, time, replica.number
        self.outstanding, self.queued, self.running = replica.outstanding, replica.queued, replica.running
        self.kv, self.pending = replica.kv, replica.pending
        self.adapters = dict(replica.adapters)

    def prefix(self, request: Request) -> int:
        """Leading units of a request's prompt that were in the prefix cache."""
        return self.replica.prefix_at(request, self.time)

    def adapted(self, adapter: str) -> bool:
        """Whether an adapter was in memory."""
        return not adapter or self.adapters.get(adapter, math.inf) <= self.time


class Outlook:
    """The view of one router. ``ready`` returns the replicas that take requests, by number.

    With ``staleness`` 0 the state is live. Else it is that of the last whole multiple of it, at the end of that
    instant; a replica that is new shows what it was when it became ready.
    """

    def __init__(self, clock: Clock, staleness: float, ready: Callable[[], Sequence[Replica]]) -> None:
        self._clock, self._staleness, self._ready = clock, staleness, ready
        self._published: dict[Replica, Published] = {}
        self._armed = False
        self._last = -1.0
        """When it was published last (s)."""

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return self._clock.now

    @property
    def replicas(self) -> Sequence[ReplicaView]:
        """Replicas that take requests."""
        if not self._staleness:
            return self._ready()
        return [self._seen(replica) for replica in self._ready()]

    def _seen(self, replica: Replica) -> Published:
        found = self._published.get(replica)
        if found is None:
            found = self._published[replica] = Published(replica, self._clock.now)
        return found

    def changed(self) -> None:
        """Something happens to a replica, or it computes from now on: see to it that this is published."""
        if self._staleness and not self._armed:
            self._armed = True
            now, step = self._clock.now, self._staleness
            count = math.floor(now / step)
            while count * step < now or count * step == self._last:
                count += 1
            self._clock.at(count * step, self._publish, phase=Phase.SOLVE)

    def _publish(self) -> None:
        self._armed = False
        now = self._last = self._clock.now
        busy = False
        self._published = {}
        for replica in self._ready():
            self._published[replica] = Published(replica, now)
            for rank in replica.ranks:
                rank.pool.published()
            busy = busy or replica.computing
        if busy:
            self.changed()

    def member(self, chosen: object) -> Replica | None:
        """The replica that a router has named; None if it is none of those that take requests."""
        replica = chosen.replica if isinstance(chosen, Published) else chosen
        return replica if isinstance(replica, Replica) and replica.taking else None
