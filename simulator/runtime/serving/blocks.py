"""The KV cache of one rank: blocks that are free, held, or kept for the next request with the same prefix."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.core.errors import InvariantError
from simulator.workload.requests import Request

_NEVER = math.inf


class _Unit:
    """Some leading blocks of a prompt, known by a hash of all that comes before and of themselves."""

    __slots__ = ("computed", "holders", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.holders = 1
        self.computed = _NEVER


class BlockPool:
    """Counts blocks, and knows which of them hold which prefixes.

    Prefix caching as in vLLM (docs, "Automatic Prefix Caching"): a unit stays when nobody holds it, and goes, oldest
    first, when blocks are needed; of one request the deepest go first. ``block`` is tokens a block; a unit weighs the
    whole blocks in it.
    """

    def __init__(self, blocks: int, block: int, caching: bool) -> None:
        self.total, self.block, self.caching = blocks, block, caching
        self.free = blocks
        self.evictable = 0
        """Blocks of units that nobody holds."""
        self._units: dict[int, _Unit] = {}
        self._old: dict[int, None] = {}
        """Units that nobody holds, the one to go first at the front."""
        self.remember = False
        """Whether routers look at a state that was published some time ago."""
        self._fresh: list[_Unit] = []
        self._gone: dict[int, tuple[float, float]] = {}
        """Units thrown away since the state was last published: when the first of each name was computed, and went."""

    @property
    def available(self) -> int:
        """Blocks that can be had."""
        return self.free + self.evictable

    @property
    def held(self) -> int:
        """Blocks that requests hold."""
        return self.total - self.free - self.evictable

    def take(self, blocks: int, now: float) -> None:
        """Take blocks, throwing units away for them; there must be enough."""
        if blocks > self.free:
            self._evict(blocks - self.free, now)
        self.free -= blocks

    def give(self, blocks: int) -> None:
        """Give blocks back."""
        self.free += blocks

    def _evict(self, blocks: int, now: float) -> None:
        while blocks > 0:
            if not self._old:
                raise InvariantError(f"{blocks} more KV blocks were taken than there are")
            name = next(iter(self._old))
            del self._old[name]
            unit = self._units.pop(name)
            self.evictable -= unit.weight
            self.free += unit.weight
            blocks -= unit.weight
            if self.remember:
                self._gone.setdefault(name, (unit.computed, now))

    # -- prefixes -----------------------------------------------------------------------------------------------

    def hits(self, hashes: Sequence[int]) -> int:
        """Leading units that are there."""
        units = self._units
        count = 0
        for name in hashes:
            if name not in units:
                break
            count += 1
        return count

    def weigh(self, hashes: Sequence[int], count: int) -> tuple[int, int]:
        """Blocks of the first ``count`` units, and how many of these nobody holds."""
        weight = idle = 0
        for name in hashes[:count]:
            unit = self._units[name]
            weight += unit.weight
            if not unit.holders:
                idle += unit.weight
        return weight, idle

    def hold(self, hashes: Sequence[int], count: int) -> list[int]:
        """Hold the first ``count`` units, which are there; return their names."""
        names = list(hashes[:count])
        for name in names:
            unit = self._units[name]
            if not unit.holders:
                del self._old[name]
                self.evictable -= unit.weight
            unit.holders += 1
        return names

    def register(self, name: int, weight: int) -> bool:
        """Make ``weight`` blocks that a request holds into a unit that it holds, unless it is there already."""
        if name in self._units:
            return False
        unit = self._units[name] = _Unit(weight)
        self._fresh.append(unit)
        return True

    def know(self, request: Request, length: int) -> None:
        """Register the units of a prompt that are complete with ``length`` tokens, and were not with those computed."""
        size, units = request.hash_block, request.units
        for index in range(request.computed // size, len(request.hashes)):
            end = min(size * (index + 1), request.input)
            if end > length:
                break
            name = request.hashes[index]
            if end > request.computed and self.register(name, (end - size * index) // self.block):
                units.append(name)

    def leave(self, names: Sequence[int]) -> int:
        """Let go of units; return the blocks in them."""
        weight = 0
        for name in reversed(names):
            unit = self._units[name]
            weight += unit.weight
            unit.holders -= 1
            if not unit.holders:
                self._old[name] = None
                self.evictable += unit.weight
        return weight

    def computed(self, time: float) -> None:
        """The units registered since the last call will be computed at ``time`` (s); no router sees them before."""
        if self._fresh:
            for unit in self._fresh:
                unit.computed = time
            self._fresh.clear()

    def seen(self, hashes: Sequence[int], since: float) -> int:
        """Leading units that were there at ``since`` (s), which is now or when the state was last published."""
        count = 0
        for name in hashes:
            unit = self._units.get(name)
            if unit is not None and unit.computed <= since:
                count += 1
                continue
            was = self._gone.get(name)
            if was is None or not was[0] <= since < was[1]:
                break
            count += 1
        return count

    def published(self) -> None:
        """Routers have been told: what went before needs no remembering."""
        self._gone.clear()
