"""Lineups: the queue of one replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from simulator.workload.requests import Request


class Ranked:
    """A queue in which the lowest rank is next, and who would be last in line is preempted first.

    ``rank`` must not change while a request waits. Ties go by the order in which requests came; who was preempted goes
    ahead of its equals. Every operation takes O(log n), ``victim`` one look at each of those who run.
    """

    def __init__(self, rank: Callable[[Request], Any]) -> None:
        self._rank = rank
        self._tickets: dict[Request, int] = {}
        self._heap: list[tuple[Any, int, Request]] = []
        self._first = self._last = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def __iter__(self) -> Iterator[Request]:
        waiting = ((self._rank(request), ticket, request) for request, ticket in self._tickets.items())
        return (request for _, _, request in sorted(waiting))

    def add(self, request: Request) -> None:
        """Take a request that came, behind its equals."""
        self._last += 1
        self._enter(request, self._last)

    def put_back(self, request: Request) -> None:
        """Take a request that was preempted, ahead of its equals."""
        self._first -= 1
        self._enter(request, self._first)

    def head(self) -> Request:
        """Return who has the lowest rank."""
        heap, tickets = self._heap, self._tickets
        while tickets.get(heap[0][2]) != heap[0][1]:
            heappop(heap)
        return heap[0][2]

    def remove(self, request: Request) -> None:
        """Take a request out."""
        del self._tickets[request]
        if len(self._heap) > 2 * len(self._tickets) + 32:
            self._heap = [entry for entry in self._heap if self._tickets.get(entry[2]) == entry[1]]
            heapify(self._heap)

    def victim(self, running: Sequence[Request]) -> Request:
        """Return who has the highest rank; of equals, who was let in last."""
        last, highest = running[0], self._rank(running[0])
        for request in running:
            rank = self._rank(request)
            if rank >= highest:
                last, highest = request, rank
        return last

    def _enter(self, request: Request, ticket: int) -> None:
        self._tickets[request] = ticket
        heappush(self._heap, (self._rank(request), ticket, request))
