"""The network on the clock: who shares which links now, at what rate, and when the next transfer ends."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Any

import numpy as np

from simulator.core.clock import Clock, Phase, Soon
from simulator.core.timer import Deadlines
from simulator.models import fairshare_sweep
from simulator.models.fairshare import LIMIT
from simulator.models.fairshare_compiled import compiled, patience
from simulator.models.fairshare_net import Net


class Stream:
    """Alike flows on the fabric: ``count`` flows, each with ``usage`` bytes on each of ``links`` per byte of its own.

    ``rate`` (bytes/s of one flow) is kept by the fabric, which calls ``changed()`` when the stream gets its first rate
    and after each new one; ``limit`` caps it.
    """

    __slots__ = ("_fabric", "_slot", "changed", "count", "limit", "links", "rate", "usage")

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
        self._fabric: Fabric | None = None
        self._slot = -1

    @property
    def held(self) -> int:
        """The link that holds the stream back, or ``LIMIT``."""
        return LIMIT if self._fabric is None else self._fabric.holder(self)


class Fabric:
    """Max-min fair sharing of the links by the streams on them, solved once per instant.

    Only the streams that a change moves are looked at (see ``models.fairshare_sweep``). When much has been looked at,
    the code that does it is compiled, if numba is there and ``SIMULATOR_NUMBA`` is not 0; rates are the same bits.
    """

    def __init__(self, clock: Clock, capacity: Iterable[float]) -> None:
        self._soon = Soon(clock, self._settle, Phase.SOLVE)
        self.capacity = [float(value) for value in capacity]
        """Bytes/s by link; changed by ``set_capacity``."""
        self._net = Net(self.capacity)
        self._streams: list[Stream | None] = []
        self._joined: dict[Stream, None] = {}
        self._loose: dict[Stream, None] = {}
        self._touched: dict[int, None] = {}
        self._code: Any = fairshare_sweep
        self._patience = patience()
        self.solves = 0
        """Solves so far that changed a rate, for those who watch the cost."""
        self.looked = 0
        """Classes on links that were looked at for it so far."""

    def join(self, stream: Stream) -> None:
        """Add a stream; its rate is set at the end of this instant."""
        net = self._net
        slot = net.take(stream.links, stream.usage)
        self._code.attach(net.links, net.flows, net.entries, slot, float(stream.count), float(stream.limit))
        if slot >= len(self._streams):
            self._streams.extend([None] * (slot + 1 - len(self._streams)))
        self._streams[slot] = stream
        stream._fabric, stream._slot = self, slot
        self._joined[stream] = None
        self._soon()

    def leave(self, stream: Stream) -> None:
        """Take a stream off; the others take over its share at the end of this instant."""
        net, slot = self._net, stream._slot
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
        stream.rate = float(self._code.rescale(self._net.flows, stream._slot, factor))

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

    def crowd(self, link: int) -> float:
        """Flows that cross a link now, each counted by its usage of it, over the capacity of the link (s/byte).

        Unlike ``load`` it knows who joined in this very instant, and tells a full link from one that many wait for.
        """
        crossing, capacity = float(self._code.crossing(self._net.links, link)), self.capacity[link]
        return crossing / capacity if capacity > 0 else math.inf

    def alone(self, stream: Stream) -> float:
        """Rate that one flow of the stream would have with the fabric to itself."""
        shares = (
            self.capacity[link] / (usage * stream.count) for link, usage in zip(stream.links, stream.usage, strict=True)
        )
        return min(shares, default=math.inf) if stream.limit == math.inf else min((stream.limit, *shares))

    def holder(self, stream: Stream) -> int:
        """The link that holds a stream of this fabric back, or ``LIMIT``."""
        return int(self._code.holder(self._net.flows, stream._slot))

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
            return
        moved = self._sweep(slots, len(new), touched)
        if moved:
            self.solves += 1
        for stream in moved:
            stream.changed()

    def _take_up(self, stream: Stream) -> bool:
        """Let a new stream run at its limit if that fits beside the others; return whether it does."""
        net = self._net
        if not self._code.take_up(net.links, net.flows, net.entries, stream._slot):
            return False
        stream.rate = stream.limit
        stream.changed()
        return True

    def _sweep(self, slots: list[int], new: int, touched: list[int]) -> list[Stream]:
        """Bring the rates up to date; return the streams that are new or have another rate than before."""
        net = self._net
        lists: Any = (slots, new, touched)
        if net.packed:
            lists = np.array(slots, dtype=np.int64), new, np.array(touched, dtype=np.int64)
        count, looked = self._code.sweep(net.links, net.flows, net.entries, net.nodes, *lists)
        moved = []
        for slot, rate in zip(*net.moved(count), strict=True):
            stream = self._streams[slot]
            assert stream is not None
            stream.rate = rate
            moved.append(stream)
        self.looked += int(looked)
        if self.looked > self._patience:
            self._compile()
        return moved

    def _compile(self) -> None:
        """Go on with compiled code from here, if there is any."""
        self._patience = math.inf
        faster = compiled()
        if faster is not None:
            self._net.pack()
            self._code = faster


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
