"""Streams that are on the network only part of the time, in the mean: duties, and what they leave of a link."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from simulator.core.clock import Clock, Phase, Soon
from simulator.models.contention import Chances, busy, least_parts, mean, mean_least, seldom_full, shares
from simulator.runtime.fabric import Fabric, Stream

_SAME = 5e-3
"""A duty that changes by less has not changed: what the mean field itself leaves out is more."""
_FREE, _MOST = 4, 16
"""Rounds in one instant in which duties and paces follow each other freely, and after which they stay as they are; in
between they take ever smaller steps, as two answers can each call for the other where a stream is held by either of two
links."""
_LINKS = 4
"""Crowded links of a stream that are looked at together: those with the least means. Others are hardly ever slowest."""
_FULL = 1 + 1e-10
"""Streams that together ask for less than this of a link all fit."""


class PhasedStream:
    """A stream with its duty, the share of the time that it is on.

    ``count`` and ``limit`` are those of the stream while it is on; on the fabric the stream has their means. The limit
    of one that is not always on is what it reaches alone: mean loads alone would not hold it back. A stream that is
    ``kept`` is always on and keeps its own unit (weight 1), so that its bytes can be counted.
    """

    __slots__ = ("count", "duty", "kept", "limit", "own", "places", "step", "stream", "weight")

    def __init__(self, stream: Stream, duty: float, kept: bool) -> None:
        self.stream, self.duty, self.kept = stream, duty, kept
        self.count, self.limit, self.own = stream.count, stream.limit, stream.limit
        self.weight = 1.0
        """How much faster it is while on than an equal stream that is always on."""
        self.step = 1.0
        """What is left of its pace because it goes, at every moment, at that of the slowest of its links."""
        self.places: dict[int, _Place] = {}

    @property
    def pace(self) -> float:
        """Rate of one flow while the stream is on."""
        return self.stream.rate * self.weight * self.step

    def tightest(self) -> tuple[float, float]:
        """Return (weight, step): of the link that allows the least, and by all of them together."""
        if not self.places:
            return 1.0, 1.0
        alike: dict[tuple[PhasedStream, ...], _Place] = {}
        for place in self.places.values():
            before = alike.get(place.company)
            if before is None or place.pace < before.pace:
                alike[place.company] = place
        if len(alike) == 1:
            return next(iter(alike.values())).weight, 1.0
        slowest = sorted(alike.values(), key=_pace)[:_LINKS]
        return slowest[0].weight, mean_least([place.paces() for place in slowest]) / slowest[0].pace

    def part(self, usage: float, capacity: float) -> float:
        """Part of a link that it takes when on alone; n flows that are as fast as they can count as n links' worth."""
        flows = usage * self.count
        if flows * self.limit < capacity:
            return flows * self.limit / capacity
        return max(1.0, flows) if self.limit == math.inf else 1.0


class _Place(NamedTuple):
    """A crowded link to one of its streams: mean pace there, its weight, and the parts it may get times ``scale``.

    ``company`` are all streams there, itself among them.
    """

    pace: float
    weight: float
    parts: Chances
    scale: float
    company: tuple[PhasedStream, ...]

    def paces(self) -> Chances:
        """All paces, and how likely each is."""
        return tuple([(part * self.scale, chance) for part, chance in self.parts])


_pace = attrgetter("pace")
_Looked = tuple[float, list[Chances], list[float], list[float]]
"""What a link carries, and for each stream its parts, their mean, and its weight."""


class Crowd:
    """Puts streams on a fabric with their duties, by the rule of ``models.contention``.

    A link on which all that want it at once fit is left alone. Elsewhere the fabric is given the mean capacity of the
    link and the mean number of flows of each stream; with duties of 1 this is the fabric itself.
    """

    def __init__(self, clock: Clock, fabric: Fabric) -> None:
        self._clock, self._soon = clock, Soon(clock, self._refresh, Phase.SOLVE)
        self._fabric = fabric
        self._round, self._instant = 0, -1.0
        self._capacity = [float(value) for value in fabric.capacity]
        self._on: list[dict[PhasedStream, float]] = [{} for _ in self._capacity]
        self._phased = 0
        self._peak = [0.0] * len(self._capacity)
        """Bytes/s that all with a limit would put on each link at once."""
        self._free = [0] * len(self._capacity)
        """Streams without a limit on each link."""
        self._crowded: dict[int, None] = {}
        self._dirty: dict[int, None] = {}
        self._looked: dict[tuple[tuple[float, float], ...], _Looked] = {}
        """Streams of links that were looked at in this round: links with equal ones are alike."""

    def join(self, stream: Stream, duty: float | None = None) -> PhasedStream:
        """Add a stream that comes and goes, or one that is always there (no ``duty``)."""
        member = PhasedStream(stream, 1.0 if duty is None else duty, duty is None)
        for link, usage in zip(stream.links, stream.usage, strict=True):
            self._on[link][member] = usage
        self._phased += not member.kept
        self._count(member, 1)
        self._bound(member)
        self._mark(stream.links)
        stream.count, stream.limit = member.count * member.duty, member.limit
        self._fabric.join(stream)
        return member

    def leave(self, member: PhasedStream) -> None:
        """Take a stream off."""
        links = member.stream.links
        self._mark(links)
        self._count(member, -1)
        for link in links:
            del self._on[link][member]
            if not self._on[link]:
                self._peak[link] = 0.0
        self._phased -= not member.kept
        self._fabric.leave(member.stream)

    def resize(self, member: PhasedStream, count: float) -> None:
        """Change the number of flows of a stream."""
        self._count(member, -1)
        member.count = count
        self._count(member, 1)
        self._mark(member.stream.links)
        self._weigh(member)

    def set_duty(self, member: PhasedStream, duty: float) -> None:
        """Change the share of the time that a stream is on."""
        step = (duty - member.duty) * self._stride()
        if abs(step) > _SAME:
            member.duty += step
            self._bound(member)
            self._mark(member.stream.links)
            self._weigh(member)

    def set_capacity(self, link: int, capacity: float) -> None:
        """Change the capacity (bytes/s) of a link; 0 takes it down."""
        self._capacity[link] = capacity
        self._crowded.pop(link, None)
        for member in self._on[link]:
            self._bound(member)
        if self._phased:
            self._dirty[link] = None
            self._soon()
        self._fabric.set_capacity(link, capacity)
        for member in self._on[link]:
            self._weigh(member)

    def _bound(self, member: PhasedStream) -> None:
        """Hold a stream that comes and goes to what its links carry with nobody else on them."""
        limit = member.own
        if member.duty < 1:
            stream, capacity = member.stream, self._capacity
            alone = [capacity[link] / usage for link, usage in zip(stream.links, stream.usage, strict=True)]
            limit = min(limit, min(alone, default=math.inf) / member.count)
        if limit != member.limit:
            self._count(member, -1)
            member.limit = limit
            self._count(member, 1)

    def _count(self, member: PhasedStream, sign: int) -> None:
        """Count a stream among those that could fill its links, or no more."""
        stream = member.stream
        if member.limit == math.inf:
            for link in stream.links:
                self._free[link] += sign
            return
        wanted = sign * member.count * member.limit
        for link, usage in zip(stream.links, stream.usage, strict=True):
            self._peak[link] += usage * wanted

    def _mark(self, links: Iterable[int]) -> None:
        """Look at these links again, once all that happens at this instant has happened."""
        dirty = list(filter(self._could_crowd, links)) if self._phased else []
        if dirty:
            self._dirty.update(dict.fromkeys(dirty))
            self._soon()

    def _could_crowd(self, link: int) -> bool:
        if link in self._crowded:
            return True
        full = self._free[link] or self._peak[link] > self._capacity[link] * _FULL
        return bool(full) and len(self._on[link]) > 1

    def _stride(self) -> float:
        """Share of a change of duty that is made in this round of the instant."""
        if self._instant != self._clock.now or self._round <= _FREE:
            return 1.0
        return 1.0 / (self._round - _FREE + 1) if self._round <= _MOST else 0.0

    def _refresh(self) -> None:
        self._round = self._round + 1 if self._instant == self._clock.now else 1
        self._instant = self._clock.now
        dirty, self._dirty = self._dirty, {}
        self._looked.clear()
        touched: dict[PhasedStream, None] = {}
        for link in dirty:
            touched.update(dict.fromkeys(self._look(link)))
        for member in touched:
            self._weigh(member)

    def _look(self, link: int) -> list[PhasedStream]:
        """Tell the fabric the mean capacity of a link, and return the streams to which it matters."""
        there, capacity = self._on[link], self._capacity[link]
        if capacity <= 0:
            return self._uncrowd(link)
        members = [member for member in there if member.limit > 0]
        streams = [(member.duty, member.part(there[member], capacity)) for member in members]
        asked = sum([part for _, part in streams])
        if asked <= _FULL or all(duty >= 1 for duty, _ in streams) or seldom_full(streams):
            return self._uncrowd(link)
        self._crowded[link] = None
        key = tuple(streams)
        if key not in self._looked:
            self._looked[key] = _look(streams)
        carried, parts, means, weights = self._looked[key]
        self._fabric.set_capacity(link, capacity * carried)
        company = tuple(members)
        kept = next((weight for member, weight in zip(members, weights, strict=True) if member.kept), 1.0)
        for member, some, fair, weight in zip(members, parts, means, weights, strict=True):
            if not member.kept:
                scale = capacity / (there[member] * member.count)
                member.places[link] = _Place(fair * scale, weight / kept, some, scale, company)
        return members

    def _uncrowd(self, link: int) -> list[PhasedStream]:
        if link in self._crowded:
            del self._crowded[link]
            self._fabric.set_capacity(link, self._capacity[link])
        return [member for member in self._on[link] if member.places.pop(link, None)]

    def _weigh(self, member: PhasedStream) -> None:
        """Give the fabric the mean of a stream: its weight is that of the link that allows it least."""
        (weight, step), stream = member.tightest(), member.stream
        if weight != member.weight:  # its pace, and the load that it is, stay until the fabric has solved
            self._fabric.rescale(stream, member.weight / weight)
        member.weight = weight
        count, limit = member.count * member.duty * weight, member.limit / weight
        if count != stream.count or limit != stream.limit:
            self._fabric.resize(stream, count, limit)
        if abs(step - member.step) > _SAME:
            member.step = step
            if stream.rate > 0 and stream.changed is not None:
                stream.changed()


def _look(streams: Sequence[tuple[float, float]]) -> _Looked:
    parts = shares(streams)
    means = [mean(some) for some in parts]
    weights = [fair / least for fair, least in zip(means, least_parts(streams), strict=True)]
    return busy(streams), parts, means, weights
