"""Deadlines that move: re-arming is a store, and the clock holds one wake-up for all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from typing import Generic, TypeVar

from simulator.core.clock import Clock, Phase

Owner = TypeVar("Owner", bound=Hashable)
_NEVER = float("inf")


class Timer:
    """One deadline that can be moved at will; calls ``function()`` when it is reached.

    A later deadline is only stored (the wake-up in place checks and re-arms); an earlier one costs one event.
    """

    __slots__ = ("_armed", "_clock", "_deadline", "_function", "_phase")

    def __init__(self, clock: Clock, function: Callable[[], None], phase: int = Phase.ENDS) -> None:
        self._clock, self._function, self._phase = clock, function, phase
        self._deadline = self._armed = _NEVER

    def set(self, deadline: float) -> None:
        """Move the deadline to ``deadline`` (s); infinity takes it away."""
        self._deadline = deadline
        if deadline < self._armed:
            self._armed = deadline
            self._clock.at(deadline, self._wake, deadline, phase=self._phase)

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
    """The deadline of one owner, and which push on the heap stands for it."""

    __slots__ = ("deadline", "owner", "push", "pushed")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.deadline = self.pushed = _NEVER
        self.push = 0


class Deadlines(Generic[Owner]):
    """A deadline for each of many owners behind one wake-up of the clock.

    ``due(owner)`` is called when an owner's deadline is reached, in the order of deadline, then of setting.
    """

    def __init__(self, clock: Clock, due: Callable[[Owner], None], phase: int = Phase.ENDS) -> None:
        self._clock, self._due, self._phase = clock, due, phase
        self._entries: dict[Owner, _Entry[Owner]] = {}
        self._heap: list[tuple[float, int, _Entry[Owner]]] = []
        self._pushes = 0
        self._armed = _NEVER

    def set(self, owner: Owner, deadline: float) -> None:
        """Give ``owner`` a deadline (s), or move the one it has; infinity means never."""
        entry = self._entries.get(owner)
        if entry is None:
            entry = self._entries[owner] = _Entry(owner)
        entry.deadline = deadline
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
        self._pushes += 1
        entry.push, entry.pushed = self._pushes, entry.deadline
        heappush(self._heap, (entry.deadline, self._pushes, entry))

    def _arm(self, time: float) -> None:
        self._armed = time
        self._clock.at(time, self._ring, time, phase=self._phase)

    def _ring(self, armed: float) -> None:
        if armed != self._armed:
            return
        heap = self._heap
        while heap and heap[0][0] <= armed:
            _, push, entry = heappop(heap)
            if push != entry.push:
                continue
            if entry.deadline <= armed:
                del self._entries[entry.owner]
                self._due(entry.owner)
            elif entry.deadline < _NEVER:
                self._push(entry)
            else:
                entry.push, entry.pushed = 0, _NEVER
        self._armed = _NEVER
        if heap:
            self._arm(heap[0][0])
