"""Jobs by the accelerators they ask for, each size in the order of a key: who is next of those that would fit."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heapreplace
from typing import Any

from simulator.workload.jobs import Job

Entry = tuple[Any, int, float, float, Job]
"""Key, sequence, number of the entry, length (s), job: sorted by the first three, which never tie."""

_LARGEST = 128
"""Entries of a block beyond which it is split."""
_NEVER = float("-inf")


class Shelf:
    """Entries in order, in blocks that know the shortest length inside, so that a search skips whole blocks.

    An entry that is gone stays until a search finds its block without a match, or the block grows too long.
    """

    __slots__ = ("_blocks", "_firsts", "_live", "_shortest")

    def __init__(self, live: dict[Job, Entry]) -> None:
        self._live = live
        self._blocks: list[list[Entry]] = []
        self._firsts: list[Entry] = []
        self._shortest: list[float] = []

    def add(self, entry: Entry) -> None:
        """Sort an entry in: O(log n), and a block to move."""
        if not self._blocks:
            self._blocks, self._firsts, self._shortest = [[entry]], [entry], [entry[3]]
            return
        at = max(0, bisect_right(self._firsts, entry) - 1)
        block = self._blocks[at]
        insort(block, entry)
        self._firsts[at] = block[0]
        if entry[3] < self._shortest[at]:
            self._shortest[at] = entry[3]
        if len(block) > _LARGEST:
            self._tidy(at)

    def after(self, position: tuple[Any, ...] | None, longest: float) -> Entry | None:
        """Return the first entry after ``position`` (None: from the start) that is at most ``longest`` seconds long."""
        live, blocks, at, start = self._live, self._blocks, 0, 0
        if position is not None and blocks and self._firsts[0] <= position:
            at = bisect_right(self._firsts, position) - 1
            start = bisect_right(blocks[at], position)
        elif blocks:
            first = blocks[0][0]
            if first[3] <= longest and live.get(first[4]) is first:
                return first  # mostly nothing else is asked for
        while at < len(blocks):
            if self._shortest[at] <= longest:
                block = blocks[at]
                if start == 0 and live.get(block[0][4]) is not block[0] and not self._behead(at):
                    continue
                for index in range(start, len(block)):
                    entry = block[index]
                    if entry[3] <= longest and live.get(entry[4]) is entry:
                        return entry
                if start == 0 and not self._tidy(at):
                    continue
            at, start = at + 1, 0
        return None

    def _behead(self, at: int) -> int:
        """Throw out what is gone from the head of a block; return how many entries are left."""
        live, block, gone = self._live, self._blocks[at], 0
        while gone < len(block) and live.get(block[gone][4]) is not block[gone]:
            gone += 1
        if gone == len(block):
            del self._blocks[at], self._firsts[at], self._shortest[at]
            return 0
        del block[:gone]
        self._firsts[at] = block[0]
        return len(block)

    def _tidy(self, at: int) -> int:
        """Throw out of a block what is gone, and split it if it is long; return how many blocks are left of it."""
        live = self._live
        block = [entry for entry in self._blocks[at] if live.get(entry[4]) is entry]
        half = len(block) // 2 + 1
        parts = [block[:half], block[half:]] if len(block) > _LARGEST // 2 else [block] if block else []
        self._blocks[at : at + 1] = parts
        self._firsts[at : at + 1] = [part[0] for part in parts]
        self._shortest[at : at + 1] = [min(entry[3] for entry in part) for part in parts]
        return len(parts)


class Shelves:
    """One shelf for each number of accelerators that is asked for."""

    __slots__ = ("_added", "_key", "_length", "_shelves", "entry", "fresh")

    def __init__(self, key: Callable[[Job], Any], length: Callable[[Job], float] | None, jobs: dict[Job, None]) -> None:
        self._key, self._length = key, length
        self._added = 0
        self._shelves: dict[float, Shelf] = {}
        self.entry: dict[Job, Entry] = {}
        """The entry that stands for each job that has been sorted in."""
        self.fresh: dict[Job, None] = dict.fromkeys(jobs)
        """Jobs that are yet to be sorted in."""

    def refresh(self) -> None:
        """Sort in what came."""
        for job in self.fresh:
            self._added += 1
            length = 0.0 if self._length is None else self._length(job)
            entry = self.entry[job] = (self._key(job), job.sequence, self._added, length, job)
            size = job.accelerators
            shelf = self._shelves.get(size)
            if shelf is None:
                shelf = self._shelves[size] = Shelf(self.entry)
            shelf.add(entry)
        self.fresh.clear()

    def loop(self, limit: Callable[[float], float], after: Job | None) -> Iterator[Job]:
        """Loop in order over the jobs after ``after`` whose length is at most ``limit(accelerators)``."""
        live = self.entry
        position = None if after is None else (self._key(after), after.sequence, float("inf"))
        heads: list[tuple[Entry, float, Shelf]] = []
        for size, shelf in self._shelves.items():
            longest = limit(size)
            entry = None if longest == _NEVER else shelf.after(position, longest)
            if entry is not None:
                heads.append((entry, size, shelf))
        heapify(heads)
        while heads:
            entry, size, shelf = heads[0]
            longest = limit(size)
            if entry[3] <= longest and live.get(entry[4]) is entry:
                yield entry[4]
                longest = limit(size)
            following = None if longest == _NEVER else shelf.after(entry, longest)
            if following is None:
                heappop(heads)
            else:
                heapreplace(heads, (following, size, shelf))
