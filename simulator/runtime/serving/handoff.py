"""Requests between the replica that computed their prompt and the one that decodes: room first, then bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from simulator.core.clock import Clock
from simulator.runtime.fleets.fleet import Fleet
from simulator.runtime.serving.rank import Parked
from simulator.runtime.serving.refusals import NOWHERE
from simulator.runtime.serving.replica import Replica
from simulator.runtime.serving.spec import ServiceSpec
from simulator.runtime.serving.wires import Wires
from simulator.workload.requests import Request


class Chooser(Protocol):
    """The fleet that decodes, and its router."""

    fleet: Fleet[Replica]

    def choose(self, request: Request) -> Replica:
        """Ask the router."""


class Handoff:
    """One request on its way; ``reserved`` once its blocks are, ``over`` when nobody waits for it any more."""

    __slots__ = ("over", "parked", "request", "reserved", "source", "target")

    def __init__(self, source: Replica, request: Request, parked: Parked) -> None:
        self.source, self.request, self.parked = source, request, parked
        self.target: Replica | None = None
        self.reserved = self.over = False


class Handoffs:
    """Moves keys and values from replicas that compute prompts to replicas that decode.

    The source holds its blocks until the last byte has arrived; the target reserves room before the first is sent, for
    one request after the other in the order in which they were given to it. So neither runs over, and what has no room
    yet waits where it is. ``landed(source, request, target)`` is called when a request can go on; ``refuse`` takes one
    that no decoding replica has room for at all.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        desk: Chooser,
        sources: Fleet[Replica],
        wires: Wires,
        clock: Clock,
        landed: Callable[[Replica, Request, Replica], None],
        refuse: Callable[[Request, str], None],
    ) -> None:
        self._spec, self._desk, self._sources, self._wires, self._clock = spec, desk, sources, wires, clock
        self._landed, self._refuse = landed, refuse
        self._moving: dict[Request, Handoff] = {}
        self._homeless: dict[Handoff, None] = {}
        self._rooms: dict[Replica, deque[Handoff]] = {}

    def begin(self, source: Replica, request: Request, parked: Parked) -> None:
        """A prompt is complete: find out where its request decodes."""
        handoff = self._moving[request] = Handoff(source, request, parked)
        self._place(handoff)

    def _place(self, handoff: Handoff) -> None:
        request = handoff.request
        if not self._desk.fleet.ready:
            if self._desk.fleet.hopeless:
                self._refuse(request, NOWHERE)
            else:
                self._homeless[handoff] = None
            return
        target = self._desk.choose(request)
        if target.ranks[0].most(request) > target.engine.blocks:
            self._refuse(request, f"more than the {target.engine.blocks:,} KV blocks of a decoding replica")
            return
        handoff.target = target
        target.outstanding += 1
        self._rooms.setdefault(target, deque()).append(handoff)
        self.freed(target)

    def opened(self) -> None:
        """A replica that decodes takes requests, or none ever will."""
        homeless, self._homeless = self._homeless, {}
        for handoff in homeless:
            self._place(handoff)

    def freed(self, replica: Replica) -> None:
        """Blocks of a replica may be free: reserve them for those who wait."""
        room = self._rooms.get(replica)
        while room:
            handoff = room[0]
            if not handoff.over:
                if not replica.reserve(handoff.request):
                    return
                handoff.reserved = True
                self._send(handoff)
            room.popleft()

    def _send(self, handoff: Handoff) -> None:
        assert handoff.target is not None
        source, target = self._sources.members(handoff.source), self._desk.fleet.members(handoff.target)
        size = self._spec.kv_bytes * handoff.request.prompt
        name = (handoff.request.id, self._spec.name)
        self._wires.send(source, target, size, partial(self._arrived, handoff), name)

    def _arrived(self, handoff: Handoff) -> None:
        if handoff.over:
            return
        request, target = handoff.request, handoff.target
        assert target is not None
        handoff.over = True
        del self._moving[request]
        handoff.source.unpark(handoff.parked)
        request.transferred = self._clock.now - request.first_token
        self._landed(handoff.source, request, target)

    def cancel(self, request: Request) -> bool:
        """Forget a request whose client has given up; False if it is not on its way."""
        handoff = self._moving.pop(request, None)
        if handoff is None:
            return False
        handoff.over = True
        request.transferred = self._clock.now - request.first_token
        self._end(handoff)
        return True

    def close(self, now: float) -> None:
        """The run is over: requests that are still on their way have been so until now."""
        for request in self._moving:
            request.transferred = now - request.first_token

    def _end(self, handoff: Handoff) -> None:
        self._homeless.pop(handoff, None)
        if not handoff.source.down:
            handoff.source.unpark(handoff.parked)
        target = handoff.target
        if target is not None:
            if handoff.reserved and not target.down:
                target.unreserve(handoff.request)
            target.left()
            self.freed(target)

    def lost(self, replica: Replica) -> list[Request]:
        """A replica is gone: return the requests that were on their way from it or to it, and forget them."""
        gone = [each for each in self._moving.values() if replica in (each.source, each.target)]
        self._rooms.pop(replica, None)
        for handoff in gone:
            handoff.over = True
        for handoff in gone:
            del self._moving[handoff.request]
            self._end(handoff)
        return [handoff.request for handoff in gone]
