"""The network on the clock: who shares which links now, at what rate, and when the next stream has sent its bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from simulator.core.clock import Clock, Phase, Soon
from simulator.core.timer import Timer
from simulator.models.fairshare import LIMIT
from simulator.models.fairshare.kernel import compiled, patience, plain
from simulator.models.fairshare.net import Net

_NOBODY = 1e-9
"""Flows: fewer are what rounding leaves of none."""


class Stream:
    """Alike flows on the fabric: ``count`` flows, each with ``usage`` bytes on each of ``links`` per byte of its own.

    ``rate`` (bytes/s of one flow) is kept by the fabric, which calls ``changed()`` when the stream gets its first rate
    and after each new one; ``limit`` caps it. With ``changed`` None nobody is told, and ``rate`` is not kept; the
    fabric counts the bytes, and calls ``reached()`` when they have come to what ``Fabric.aim`` was told.
    """

    __slots__ = ("_fabric", "_slot", "changed", "count", "limit", "links", "rate", "reached", "usage")

    def __init__(
        self,
        links: Sequence[int],
        usage: Sequence[float] = (),
        count: float = 1.0,
        limit: float = math.inf,
        changed: Callable[[], None] | None = lambda: None,
        reached: Callable[[], None] = lambda: None,
    ) -> None:
        self.links = tuple(links)
        self.usage = tuple(usage) or (1.0,) * len(self.links)
        self.count, self.limit = count, limit
        self.changed, self.reached = changed, reached
        self.rate = 0.0
        self._fabric: Fabric | None = None
        self._slot = -1

    @property
    def held(self) -> int:
        """The link that holds the stream back, or ``LIMIT``."""
        return LIMIT if self._fabric is None else self._fabric.holder(self)


class Fabric:
    """Max-min fair sharing of the links by the streams on them, solved once per instant.

    Only the streams that a change moves are looked at (see ``models.fairshare.sweep``). When much has been looked at,
    the code that does it is compiled, if numba is there and ``SIMULATOR_NUMBA`` is not 0; rates are the same bits.
    """

    def __init__(self, clock: Clock, capacity: Iterable[float]) -> None:
        self._clock = clock
        self._soon = Soon(clock, self._settle, Phase.SOLVE)
        self._timer = Timer(clock, self._reach)
        self._timed = 0
        self.capacity = [float(value) for value in capacity]
        """Bytes/s by link; changed by ``set_capacity``."""
        self._net = Net(self.capacity)
        self._streams: list[Stream | None] = []
        self._joined: dict[Stream, None] = {}
        self._loose: dict[Stream, None] = {}
        self._touched: dict[int, None] = {}
        self._code: Any = plain()
        self._expected: dict[int, float] = {}
        self._patience = patience()
        self.solves = 0
        """Solves so far that changed a rate, for those who watch the cost."""
        self.looked = 0
        """Classes on links that were looked at for it so far."""

    def join(self, stream: Stream) -> None:
        """Add a stream; its rate is set at the end of this instant."""
        net = self._net
        slot = net.take(stream.links, stream.usage)
        told, now = stream.changed is not None, self._clock.now
        self._code.attach(net.links, net.flows, net.entries, slot, float(stream.count), float(stream.limit), told, now)
        if slot >= len(self._streams):
            self._streams.extend([None] * (slot + 1 - len(self._streams)))
        self._streams[slot] = stream
        stream._fabric, stream._slot = self, slot
        self._joined[stream] = None
        self._soon()

    def leave(self, stream: Stream) -> None:
        """Take a stream off; the others take over its share at the end of this instant."""
        net, slot = self._net, stream._slot
        self.aim(stream, math.inf)
        self._code.detach(net.links, net.flows, net.entries, slot)
        net.give_back(slot)
        self._loose.pop(stream, None)
        if self._joined.pop(stream, stream) is stream:
            self._touch(stream)
        self._streams[slot] = None
        stream._fabric, stream._slot = None, -1
        stream.rate = 0.0

    def resize(self, stream: Stream, count: float, limit: float | None = None) -> None:
        """Change the number of flows of a stream that is on the fabric, and the limit of each if one is given."""
        if limit is not None and limit != stream.limit:
            stream.limit = limit
            if stream not in self._joined:
                self._loose[stream] = None
        stream.count = count
        net = self._net
        self._code.weigh(net.links, net.flows, net.entries, stream._slot, float(count), float(stream.limit))
        self._touch(stream)

    def rescale(self, stream: Stream, factor: float) -> None:
        """Count the rate of a stream in another unit, ``factor`` of which make one of the old.

        Whoever does so changes ``count`` and ``limit`` by ``resize`` to match; a stream that ends up with the same rate
        in the new unit is not told of a change.
        """
        stream.rate = float(self._code.rescale(self._net.flows, stream._slot, float(factor), self._clock.now))

    def set_capacity(self, link: int, capacity: float) -> None:
        """Change the capacity (bytes/s) of a link; 0 takes it down."""
        self.capacity[link] = capacity
        self._code.resize(self._net.links, link, float(capacity))
        self._touched[link] = None
        self._soon()

    def load(self, link: int) -> float:
        """Bytes/s that all streams together put on a link now."""
        net = self._net
        return float(self._code.load(net.links, net.flows, net.entries, link))

    def crowd(self, link: int, more: float = 0.0) -> float:
        """Flows that cross a link, and ``more``, each counted by its usage of it, over the link's capacity (s/byte).

        Unlike ``load`` it knows who joined in this very instant or is expected, and tells a full link from one that
        many wait for.
        """
        crossing = float(self._code.crossing(self._net.links, link)) + self._expected.get(link, 0.0) + more
        capacity = self.capacity[link]
        return crossing / capacity if capacity > 0 else math.inf

    def expect(self, links: Sequence[int], usage: Sequence[float], flows: float) -> None:
        """Count so many flows more (or less) in the ``crowd`` of links, whose first bytes are still on their way."""
        for link, crossings in zip(links, usage, strict=True):
            number = self._expected.pop(link, 0.0) + crossings * flows
            if abs(number) > _NOBODY:
                self._expected[link] = number

    def alone(self, stream: Stream) -> float:
        """Rate that one flow of the stream would have with the fabric to itself."""
        shares = (
            self.capacity[link] / (usage * stream.count) for link, usage in zip(stream.links, stream.usage, strict=True)
        )
        return min(shares, default=math.inf) if stream.limit == math.inf else min((stream.limit, *shares))

    def holder(self, stream: Stream) -> int:
        """The link that holds a stream of this fabric back, or ``LIMIT``."""
        return int(self._code.holder(self._net.flows, stream._slot))

    def sent(self, stream: Stream) -> float:
        """Bytes that one flow of the stream has sent since the stream joined."""
        return float(self._code.advance(self._net.flows, stream._slot, self._clock.now))

    def aim(self, stream: Stream, goal: float) -> None:
        """Call ``stream.reached()`` once, when ``sent`` comes to ``goal`` (bytes); infinity calls it off."""
        net = self._net
        self._timed = int(self._code.aim(net.flows, net.goals, stream._slot, float(goal), self._clock.now, self._timed))
        self._watch()

    def _watch(self) -> None:
        """Wait for the next goal."""
        self._timer.set(float(self._code.next_goal(self._net.goals, self._timed)))

    def _reach(self) -> None:
        net, now, there = self._net, self._clock.now, []
        while True:
            slot, self._timed = self._code.reached(net.flows, net.goals, now, self._timed)
            if slot < 0:
                break
            there.append(self._streams[slot])
        self._watch()
        for stream in there:
            assert stream is not None
            stream.reached()

    def _touch(self, stream: Stream) -> None:
        self._touched.update(dict.fromkeys(stream.links))
        self._soon()

    def _settle(self) -> None:
        joined, self._joined = self._joined, {}
        loose, self._loose = self._loose, {}
        new = [stream._slot for stream in joined if not self._take_up(stream)]
        slots = new + [stream._slot for stream in loose]
        touched, self._touched = list(self._touched), {}
        if not slots and not touched:
            self._watch()
            return
        for stream in self._sweep(slots, len(new), touched):
            assert stream.changed is not None
            stream.changed()

    def _take_up(self, stream: Stream) -> bool:
        """Let a new stream run at its limit if that fits beside the others; return whether it does."""
        net = self._net
        fits, self._timed = self._code.take_up(net.links, net.flows, net.entries, net.goals, stream._slot, self._timed)
        if not fits:
            return False
        stream.rate = stream.limit
        if stream.changed is not None:
            stream.changed()
        return True

    def _sweep(self, slots: list[int], new: int, touched: list[int]) -> list[Stream]:
        """Bring the rates up to date; return the streams to be told: those new, or with another rate than before."""
        net = self._net
        lists: Any = (slots, new, touched)
        if net.packed:
            lists = np.array(slots, dtype=np.int64), new, np.array(touched, dtype=np.int64)
        changed, told, looked, self._timed = self._code.sweep(
            net.links, net.flows, net.entries, net.nodes, net.goals, *lists, self._clock.now, self._timed
        )
        self.solves += changed > 0
        self.looked += looked
        self._watch()
        streams = []
        for slot, rate in zip(*net.moved(told), strict=True):
            stream = self._streams[slot]
            assert stream is not None
            stream.rate = rate
            streams.append(stream)
        if self.looked > self._patience:
            self._compile()
        return streams

    def _compile(self) -> None:
        """Go on with compiled code from here, if there is any."""
        self._patience = math.inf
        faster = compiled()
        if faster is not None:
            self._net.pack()
            self._code = faster
