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


class Deadlines(Generic[Owner]):
    """A deadline for each of many owners behind one wake-up of the clock.

    ``due(owner)`` is called when an owner's deadline is reached, in the order of deadline, then of setting.
    """

    def __init__(self, clock: Clock, due: Callable[[Owner], None], phase: int = Phase.ENDS) -> None:
        self._clock, self._due, self._phase = clock, due, int(phase)
        self._wanted: dict[Owner, _Item[Owner]] = {}
        """The deadline of each owner, and when it was set."""
        self._pushed: dict[Owner, _Item[Owner]] = {}
        """What stands for it on the heap: the same, or an earlier one that was put off since."""
        self._heap: list[_Item[Owner]] = []
        self._sets = 0
        self._armed = _NEVER

    def set(self, owner: Owner, deadline: float) -> None:
        """Give ``owner`` a deadline (s), or move the one it has; infinity means never.

        Raises ``InvariantError`` for a deadline that lies in the past or is not a number.
        """
        if deadline != deadline:
            raise InvariantError(f"the deadline of {owner!r} is not a number")
        self._sets += 1
        item = self._wanted[owner] = (deadline, self._sets, owner)
        before = self._pushed.get(owner)
        if deadline < (_NEVER if before is None else before[0]):
            self._push(item)
            if deadline < self._armed:
                self._arm(deadline)

    def clear(self, owner: Owner) -> None:
        """Take the deadline of ``owner`` away."""
        self._wanted.pop(owner, None)
        self._pushed.pop(owner, None)

    def _push(self, item: _Item[Owner]) -> None:
        self._pushed[item[2]] = item
        heap, pushed = self._heap, self._pushed
        if len(heap) > 2 * len(pushed) + _SLACK:
            heap[:] = [each for each in heap if pushed.get(each[2]) is each]
            heapify(heap)
        heappush(heap, item)

    def _arm(self, time: float) -> None:
        self._clock.at(time, self._ring, time, phase=self._phase)
        self._armed = time

    def _ring(self, armed: float) -> None:
        if armed != self._armed:
            return
        heap, pushed = self._heap, self._pushed
        while heap:
            item = heap[0]
            owner = item[2]
            if pushed.get(owner) is not item:  # it was cleared, or is due earlier
                heappop(heap)
                continue
            if item[0] > armed:
                break
            heappop(heap)
            del pushed[owner]
            wanted = self._wanted[owner]
            if wanted is item:
                del self._wanted[owner]
                self._due(owner)
            elif wanted[0] < _NEVER:
                self._push(wanted)
        self._armed = _NEVER
        if heap:
            self._arm(heap[0][0])


_Item = tuple[float, int, Owner]
"""Deadline (s), number of the setting, owner: sorted by the first two, which never tie."""
