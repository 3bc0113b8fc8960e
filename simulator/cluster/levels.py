"""Servers by how many of their accelerators are free, for a best fit without a look at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Any

MOST_LEVELS = 64
"""Accelerators of a server up to which levels pay."""


class Levels:
    """One heap of server numbers for each count of free accelerators; what has moved on is dropped when it surfaces.

    ``free`` and ``up`` are views of live arrays. A server is in the heap of a level at most once, so that all heaps
    together never hold more than servers x levels.
    """

    def __init__(self, free: Any, up: Any, most: int) -> None:
        self._free, self._up = free, up
        servers = len(free)
        self._heaps: list[list[int]] = [[] for _ in range(most + 1)]
        self._there = [bytearray(servers) for _ in range(most + 1)]
        for server in range(servers):
            level = free[server]
            self._heaps[level].append(server)
            self._there[level][server] = 1
        for heap in self._heaps:
            heapify(heap)

    def moved(self, server: int) -> None:
        """Note that a server has another number of free accelerators, or is up again."""
        level = self._free[server]
        there = self._there[level]
        if not there[server]:
            there[server] = 1
            heappush(self._heaps[level], server)

    def tightest(self, wanted: int) -> int:
        """First of the servers that are up, have ``wanted`` free and fewest beyond; -1 when there is none."""
        free, up = self._free, self._up
        for level in range(wanted, len(self._heaps)):
            heap = self._heaps[level]
            while heap:
                server = heap[0]
                if free[server] == level and up[server]:
                    return server
                heappop(heap)
                self._there[level][server] = 0
        return -1


def worth_it(totals: Sequence[int]) -> bool:
    """Whether servers of so many accelerators are many and small enough for levels to be faster than arrays."""
    return len(totals) > 1 and max(totals, default=0) <= MOST_LEVELS
