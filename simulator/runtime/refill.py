"""Max-min fairness kept up to date: after a change, only the streams that it moves are filled again.

A max-min allocation is known by this: every stream has reached its limit, or has a bottleneck, a full link across which
nothing is faster (Bertsekas and Gallager, Data Networks, section 6.5.2). So it is enough to fill a few streams again
into what the others leave, and to look at the links they cross: a stream that they have robbed of its bottleneck, or
that is faster than one of theirs, joins them, until there is no such stream. The result is the one and only max-min
allocation; most changes move a few streams out of hundreds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Generic, Protocol, TypeVar

import numpy as np

from simulator.models.fairshare import FlowClass, fill, fill_arrays

_SLACK = 1e-11
"""Relative: rates and loads that differ by less are equal."""
_ROUNDS = 8
"""Rounds of growing after which all streams are filled at once."""
_FEW = 6
"""Streams that may be filled again before that happens, however few there are in all."""


class Shared(FlowClass, Protocol):
    """A class of flows with the rate and the bottleneck that it has now."""

    rate: float
    held: int

    def __hash__(self) -> int: ...

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ``links`` and ``usage``."""
        ...


S = TypeVar("S", bound=Shared)


@dataclass(slots=True)
class _Part:
    """A stream that is filled again, with those of its links that can be full."""

    links: tuple[int, ...]
    usage: tuple[float, ...]
    count: float
    limit: float


class Refill(Generic[S]):
    """One repair of the rates: ``result`` gives the new rate and bottleneck of each stream that was filled again.

    ``on`` gives the streams of each link with their usage of it, and ``binding`` whether the link can be full at all;
    both, and ``capacity``, go by link index. ``start`` must hold every stream that the change itself can move, and
    ``everyone`` all streams there are.
    """

    def __init__(
        self,
        on: Sequence[Mapping[S, float]],
        capacity: np.ndarray,
        binding: np.ndarray,
        start: Iterable[S],
        everyone: Collection[S],
    ) -> None:
        self._on, self._capacity, self._binding = on, capacity, binding
        # scalar access through a memoryview costs half of what it costs through the array
        self._room, self._binds = capacity.data.__getitem__, binding.data.__getitem__
        self._others: dict[int, float] = {}
        self._parts: dict[S, _Part] = {}
        self.result: dict[S, tuple[float, int]] = {}
        self._include(start)
        most = max(_FEW, len(everyone) // 16)
        for _ in range(_ROUNDS):
            if len(self._parts) > most:
                break
            moved = self._moved(self._fill())
            if not moved:
                return
            self._include(moved)
        self._fill_all(everyone)

    def _take(self, stream: S) -> _Part:
        binds = list(map(self._binds, stream.links))
        links, usage = tuple(compress(stream.links, binds)), tuple(compress(stream.usage, binds))
        part = self._parts[stream] = _Part(links, usage, stream.count, stream.limit)
        return part

    def _include(self, streams: Iterable[S]) -> None:
        """Take ``streams`` among those to fill; count for each of their links what the streams left out put on it."""
        others, fresh = self._others, [(stream, self._take(stream)) for stream in streams]
        for stream, part in fresh:
            load = stream.count * stream.rate
            for link, usage in zip(part.links, part.usage, strict=True):
                if link in others:
                    others[link] = max(0.0, others[link] - usage * load)
        parts = self._parts
        for _, part in fresh:
            for link in part.links:
                if link not in others:
                    there = self._on[link].items()
                    others[link] = sum([usage * o.count * o.rate for o, usage in there if o not in parts])

    def _fill(self) -> dict[int, None]:
        """Fill the streams taken into what the others leave; return the links of those that got something else now."""
        before = self.result
        room = {link: self._room(link) - load for link, load in self._others.items()}
        rates, held = fill(list(self._parts.values()), room)
        self.result = dict(zip(self._parts, zip(rates, held, strict=True), strict=True))
        changed = [self._parts[stream] for stream, found in self.result.items() if before.get(stream) != found]
        return {link: None for part in changed for link in part.links}

    def _moved(self, links: Iterable[int]) -> dict[S, None]:
        """Streams left out that cannot stay as they are beside the new rates on ``links``."""
        moved: dict[S, None] = {}
        for link in links:
            outside: dict[S, float] = {}
            level, fastest, load = math.inf, 0.0, 0.0
            for stream, usage in self._on[link].items():
                found = self.result.get(stream)
                if found is None:
                    outside[stream] = usage
                    continue
                load += usage * stream.count * found[0]
                fastest = max(fastest, found[0])
                if found[1] == link:
                    level = found[0]
            if outside:
                moved.update(self._moved_on(link, outside, level, fastest, load))
        return moved

    def _moved_on(
        self, link: int, outside: Mapping[S, float], level: float, fastest: float, load: float
    ) -> dict[S, None]:
        """Streams ``outside`` above the ``level`` at which the link is full, or that it no longer holds back."""
        moved: dict[S, None] = {}
        held: dict[S, None] = {}
        weight = 0.0
        for stream, usage in outside.items():
            if stream.rate > level * (1 + _SLACK):
                moved[stream] = None
            elif stream.held == link:
                held[stream] = None
                weight += usage * stream.count * stream.rate
                if fastest > stream.rate * (1 + _SLACK):
                    moved[stream] = None
        free = self._room(link) - self._others[link] - load
        return moved | held if free > _SLACK * weight else moved

    def _fill_all(self, everyone: Collection[S]) -> None:
        arrays = [stream.arrays() for stream in everyone]
        links, usage = (np.concatenate([pair[which] for pair in arrays]) for which in (0, 1))
        lengths = np.array([len(stream.links) for stream in everyone], dtype=np.int64)
        binding = self._binding[links]
        before = np.concatenate(([0], np.cumsum(binding)))
        ends = np.cumsum(lengths)
        rates, held = fill_arrays(
            before[ends] - before[ends - lengths],
            links[binding],
            usage[binding],
            np.array([stream.count for stream in everyone], dtype=float),
            np.array([stream.limit for stream in everyone], dtype=float),
            self._capacity,
        )
        self.result = dict(zip(everyone, zip(rates.tolist(), held.tolist(), strict=True), strict=True))
