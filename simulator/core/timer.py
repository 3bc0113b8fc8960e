"""Deadlines that move: re-arming is a store, and the clock holds one wake-up for all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from simulator.core.clock import Clock, Phase
from simulator.core.errors import InvariantError

Owner = TypeVar("Owner", bound=Hashable)
_NEVER = float("inf")
_SLACK = 64
"""Outdated pushes that a heap may hold beyond two for each owner, before they are thrown out."""


class Timer:
    """One deadline that can be moved at will; calls ``function()`` when it is reached.

    A later deadline is only stored (the wake-up in place checks and re-arms); an earlier one costs one event.
    """

    __slots__ = ("_armed", "_clock", "_deadline", "_function", "_phase")

    def __init__(self, clock: Clock, function: Callable[[], None], phase: int = Phase.ENDS) -> None:
        self._clock, self._function, self._phase = clock, function, phase
        self._deadline = self._armed = _NEVER

    def set(self, deadline: float) -> None:
        """Move the deadline to ``deadline`` (s); infinity takes it away.

        Raises ``InvariantError`` for a deadline that lies in the past or is not a number.
        """
        if deadline != deadline:
            raise InvariantError("a deadline is not a number")
        self._deadline = deadline
        if deadline < self._armed:
            self._clock.at(deadline, self._wake, deadline, phase=self._phase)
            self._armed = deadline

    def _wake(self, armed: float) -> None:
        if armed != self._armed:
            return
        self._armed = _NEVER
        if self._deadline > armed:
            self.set(self._deadline)
        else:
            self._deadline = _NEVER
            self._function()


class _Entry(Generic[Owner]):
    """The deadline of one owner, when it was set, and which push on the heap stands for it."""

    __slots__ = ("deadline", "order", "owner", "push", "pushed")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.deadline = self.pushed = _NEVER
        self.order = self.push = 0


class Deadlines(Generic[Owner]):
    """A deadline for each of many owners behind one wake-up of the clock.

    ``due(owner)`` is called when an owner's deadline is reached, in the order of deadline, then of setting.
    """

    def __init__(self, clock: Clock, due: Callable[[Owner], None], phase: int = Phase.ENDS) -> None:
        self._clock, self._due, self._phase = clock, due, phase
        self._entries: dict[Owner, _Entry[Owner]] = {}
        self._heap: list[tuple[float, int, _Entry[Owner]]] = []
        self._sets = 0
        self._armed = _NEVER

    def set(self, owner: Owner, deadline: float) -> None:
        """Give ``owner`` a deadline (s), or move the one it has; infinity means never.

        Raises ``InvariantError`` for a deadline that lies in the past or is not a number.
        """
        if deadline != deadline:
            raise InvariantError(f"the deadline of {owner!r} is not a number")
        entry = self._entries.get(owner)
        if entry is None:
            entry = self._entries[owner] = _Entry(owner)
        self._sets += 1
        entry.deadline, entry.order = deadline, self._sets
        if deadline < entry.pushed:
            self._push(entry)
            if deadline < self._armed:
                self._arm(deadline)

    def clear(self, owner: Owner) -> None:
        """Take the deadline of ``owner`` away."""
        entry = self._entries.pop(owner, None)
        if entry is not None:
            entry.push = 0

    def _push(self, entry: _Entry[Owner]) -> None:
        entry.push, entry.pushed = entry.order, entry.deadline
        heap = self._heap
        if len(heap) > 2 * len(self._entries) + _SLACK:
            heap[:] = [item for item in heap if item[1] == item[2].push]
            heapify(heap)
        heappush(heap, (entry.deadline, entry.order, entry))

    def _arm(self, time: float) -> None:
        self._clock.at(time, self._ring, time, phase=self._phase)
        self._armed = time

    def _ring(self, armed: float) -> None:
        if armed != self._armed:
            return
        heap = self._heap
        while heap and heap[0][0] <= armed:
            _, push, entry = heappop(heap)
            if push == entry.push:
                self._reach(entry, armed)
        self._armed = _NEVER
        if heap:
            self._arm(heap[0][0])

    def _reach(self, entry: _Entry[Owner], now: float) -> None:
        if entry.deadline <= now and entry.order == entry.push:
            del self._entries[entry.owner]
            self._due(entry.owner)
        elif entry.deadline < _NEVER:
            self._push(entry)
        else:
            entry.push, entry.pushed = 0, _NEVER
