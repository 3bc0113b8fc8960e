"""The network on the clock: who shares which links now, at what rate, and when the next transfer ends."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import heappop, heappush

import numpy as np

from simulator.core.clock import Clock, Phase, Soon
from simulator.core.timer import Deadlines
from simulator.models.fairshare import LIMIT
from simulator.runtime.refill import Refill

_SAME = 1e-12
"""Relative: a rate that changes by less has not changed."""
_ALL = 1 + 1e-10
"""A link that all its streams together can overfill by less than this part is large enough for them."""


class Stream:
    """Alike flows on the fabric: ``count`` flows, each with ``usage`` bytes on each of ``links`` per byte of its own.

    ``rate`` (bytes/s of one flow) is kept by the fabric, which calls ``changed()`` when the stream gets its first rate
    and after each new one; ``limit`` caps it. ``held`` is the link that holds the stream back, or ``LIMIT``.
    """

    __slots__ = ("_arrays", "changed", "count", "held", "limit", "links", "rate", "usage")

    def __init__(
        self,
        links: Sequence[int],
        usage: Sequence[float] = (),
        count: float = 1.0,
        limit: float = math.inf,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.links = tuple(links)
        self.usage = tuple(usage) or (1.0,) * len(self.links)
        self.count, self.limit, self.changed = count, limit, changed
        self.rate = 0.0
        self.held = LIMIT
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ``links`` and ``usage`` as arrays."""
        if self._arrays is None:
            self._arrays = np.array(self.links, dtype=np.int64), np.array(self.usage, dtype=float)
        return self._arrays


class Fabric:
    """Max-min fair sharing of the links by the streams on them, solved once per instant.

    Only the streams that a change moves are filled again (see ``refill``), and none when the change cannot move another
    rate: a stream that leaves links with room to spare, or joins without filling one.
    """

    def __init__(self, clock: Clock, capacity: Iterable[float]) -> None:
        self._soon = Soon(clock, self._settle, Phase.SOLVE)
        self._capacity = np.array([float(value) for value in capacity])
        self.capacity = self._capacity.data  # scalar access through a memoryview costs half of that of an array
        self._on: list[dict[Stream, float]] = [{} for _ in self.capacity]
        self._asked = [0.0] * len(self.capacity)
        self._unlimited = [0] * len(self.capacity)
        self._binding = np.zeros(len(self.capacity), dtype=bool)
        self._binds = self._binding.data
        self._streams: dict[Stream, None] = {}
        self._joined: dict[Stream, None] = {}
        self._touched: dict[int, None] = {}
        self._held_anew: dict[Stream, None] = {}
        """Streams whose own limit has changed."""
        self.solves = 0
        """Solves so far, for those who watch the cost."""

    def join(self, stream: Stream) -> None:
        """Add a stream; its rate is set at the end of this instant."""
        for link, usage in zip(stream.links, stream.usage, strict=True):
            self._on[link][stream] = usage
        self._count(stream, stream.count, 1)
        self._joined[stream] = None
        self._streams[stream] = None
        self._soon()

    def leave(self, stream: Stream) -> None:
        """Take a stream off; the others take over its share at the end of this instant."""
        for link in stream.links:
            del self._on[link][stream]
        self._count(stream, -stream.count, -1)
        if self._joined.pop(stream, stream) is stream:
            self._touched.update(dict.fromkeys(stream.links))
            self._soon()
        del self._streams[stream]
        self._held_anew.pop(stream, None)
        stream.rate = 0.0

    def resize(self, stream: Stream, count: float, limit: float | None = None) -> None:
        """Change the number of flows of a stream that is on the fabric, and the limit of each if one is given."""
        if limit is not None and limit != stream.limit:
            self._count(stream, -stream.count, -1)
            stream.count, stream.limit = count, limit
            self._count(stream, count, 1)
            self._held_anew[stream] = None
        else:
            self._count(stream, count - stream.count, 0)
            stream.count = count
        self._touched.update(dict.fromkeys(stream.links))
        self._soon()

    def set_capacity(self, link: int, capacity: float) -> None:
        """Change the capacity (bytes/s) of a link; 0 takes it down."""
        self._capacity[link] = capacity
        self._bind(link)
        self._touched[link] = None
        self._soon()

    def load(self, link: int) -> float:
        """Bytes/s that all streams together put on a link now."""
        return sum([usage * stream.count * stream.rate for stream, usage in self._on[link].items()])

    def alone(self, stream: Stream) -> float:
        """Rate that one flow of the stream would have with the fabric to itself."""
        shares = (
            self.capacity[link] / (usage * stream.count) for link, usage in zip(stream.links, stream.usage, strict=True)
        )
        return min(shares, default=math.inf) if stream.limit == math.inf else min((stream.limit, *shares))

    def _count(self, stream: Stream, flows: float, streams: int) -> None:
        """Count so many flows more (or less) among those that could fill the links of a stream."""
        if stream.limit == math.inf:
            for link in stream.links:
                self._unlimited[link] += streams
        else:
            for link, usage in zip(stream.links, stream.usage, strict=True):
                self._asked[link] += usage * flows * stream.limit
        for link in stream.links:
            self._bind(link)

    def _bind(self, link: int) -> None:
        """Note whether a link can hold anybody back: not if it can carry all its streams at their limits."""
        if not self._on[link]:
            self._asked[link] = 0.0
        self._binds[link] = bool(self._unlimited[link]) or self._asked[link] > self.capacity[link] * _ALL

    def _settle(self) -> None:
        joined, self._joined = self._joined, {}
        start = dict.fromkeys(stream for stream in joined if not self._take_up(stream))
        links = self._touched | {link: None for stream in start for link in stream.links if self._binds[link]}
        self._touched = {}
        start.update(self._held_anew)
        self._held_anew.clear()
        for link in links:
            start.update(dict.fromkeys(self._affected(link)))
        if not start:
            return
        self.solves += 1
        refill = Refill(self._on, self._capacity, self._binding, start, self._streams)
        moved: list[Stream] = []
        for stream, (rate, held) in refill.result.items():
            stream.held = held
            if abs(rate - stream.rate) > _SAME * stream.rate or stream in joined:
                stream.rate = rate
                moved.append(stream)
        for stream in moved:
            stream.changed()

    def _take_up(self, stream: Stream) -> bool:
        """Let a new stream run at its limit if that fits beside the others; return whether it does."""
        if stream.limit == math.inf and stream.links:
            return False
        wanted = stream.limit * stream.count
        for link, usage in zip(stream.links, stream.usage, strict=True):
            if self._binds[link] and self.load(link) + usage * wanted > self.capacity[link]:
                return False
        stream.rate, stream.held = stream.limit, LIMIT
        stream.changed()
        return True

    def _affected(self, link: int) -> Iterator[Stream]:
        """Streams that a change of ``link`` itself can move: those it held back, and the fast ones if it overflows."""
        there = self._on[link]
        level = math.inf
        if self._binds[link] and self.load(link) > self.capacity[link]:
            level = self.capacity[link] / sum([usage * stream.count for stream, usage in there.items()])
        for stream in there:
            if stream.held == link or stream.rate > level:
                yield stream


class Flow:
    """One transfer under way; ``done()`` is called when its last byte has arrived."""

    __slots__ = ("bytes", "done", "route")

    def __init__(self, route: tuple[int, ...], size: float, done: Callable[[], None]) -> None:
        self.route, self.bytes, self.done = route, size, done


class Bundle:
    """Transfers over the same route: they progress alike, so one counter of bytes serves them all.

    A link that the route crosses twice carries each byte twice.
    """

    __slots__ = ("_heap", "_mark", "_pushes", "_rate", "_served", "route", "stream")

    def __init__(self, route: tuple[int, ...], now: float) -> None:
        crossings = Counter(route)
        self.route = route
        self.stream = Stream(tuple(crossings), tuple(map(float, crossings.values())))
        self._heap: list[tuple[float, int, Flow]] = []
        self._served = 0.0
        self._mark = now
        self._rate = 0.0
        self._pushes = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, flow: Flow, now: float) -> None:
        """Take one more transfer on."""
        self.advance(now)
        self._pushes += 1
        heappush(self._heap, (self._served + flow.bytes, self._pushes, flow))

    def advance(self, now: float) -> None:
        """Count the bytes that each transfer has sent until now, and go on at the stream's present rate."""
        if now > self._mark:
            self._served += self._rate * (now - self._mark)
        self._mark, self._rate = now, self.stream.rate

    def next_end(self) -> float:
        """When the shortest transfer ends at the present rate (s); infinity when it never does."""
        left = self._heap[0][0] - self._served
        if left <= 0:
            return self._mark
        return self._mark + left / self._rate if self._rate > 0 else math.inf

    def take_finished(self, now: float) -> list[Flow]:
        """Remove and return the transfers that end now, the shortest being one of them."""
        self.advance(now)
        self._served = self._heap[0][0]
        finished = []
        while self._heap and self._heap[0][0] <= self._served:
            finished.append(heappop(self._heap)[2])
        return finished


class Transfers:
    """Transfers of finite size on a fabric, bundled by route."""

    def __init__(self, clock: Clock, fabric: Fabric) -> None:
        self._clock, self._fabric = clock, fabric
        self._bundles: dict[tuple[int, ...], Bundle] = {}
        self._ends: Deadlines[Bundle] = Deadlines(clock, self._finish)

    def begin(self, flow: Flow) -> None:
        """Put a transfer on the fabric now; one without bytes or links is done at once."""
        if flow.bytes <= 0 or not flow.route:
            flow.done()
            return
        bundle = self._bundles.get(flow.route)
        if bundle is None:
            bundle = self._bundles[flow.route] = Bundle(flow.route, self._clock.now)
            bundle.add(flow, self._clock.now)
            bundle.stream.changed = partial(self._retime, bundle)
            self._fabric.join(bundle.stream)
        else:
            bundle.add(flow, self._clock.now)
            self._fabric.resize(bundle.stream, len(bundle))
            self._retime(bundle)

    def _retime(self, bundle: Bundle) -> None:
        bundle.advance(self._clock.now)
        self._ends.set(bundle, bundle.next_end())

    def _finish(self, bundle: Bundle) -> None:
        finished = bundle.take_finished(self._clock.now)
        if len(bundle):
            self._fabric.resize(bundle.stream, len(bundle))
            self._retime(bundle)
        else:
            del self._bundles[bundle.route]
            self._fabric.leave(bundle.stream)
        for flow in finished:
            flow.done()
