"""A queue of fluid: work comes and is served at rates that are constant between two calls, first in, first out.

Between two changes all is linear, so nothing is approximated. The work at the head of the line came at ``h(t)``; while
it is served at ``c`` and had come at ``r``, the head moves by ``c / r`` seconds of arrivals a second, and its age
``t - h(t)`` is the wait of what is served at ``t``. With a patience nobody's age passes it: the head moves along with
the clock then, and what cannot be served of it is dropped. This is the deterministic fluid queue of G. F. Newell,
"Applications of Queueing Theory" (1982), ch. 2: waits are horizontal distances of the cumulative curves.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

SERVED, DROPPED, WAITING = "served", "dropped", "waiting"
"""What became of work: it was served, it gave up, or it still waits at the end of the run."""
_SLACK = 1e-12
"""Share of the time shown by the clock by which a crossing may be missed: 64-bit floats tell no more apart."""

Note = Callable[[float, float, float, float, float, str], None]
"""Takes (since, until, amount, first, last, fate) of work that came between two instants: its waits are linear between
``first`` and ``last`` (s)."""


class Line:
    """The queue of one load; ``demand`` and ``capacity`` (work/s) hold from one ``advance`` to the next.

    ``note`` is told of all work, in the order in which it came, once it is known how long it has waited. ``patience``
    (s) is the age at which work that waits is dropped.
    """

    __slots__ = (
        "_free", "_head", "_note", "_patience", "_pieces", "_since", "_time", "area", "arrived", "capacity", "demand",
        "dropped", "emptied", "served",
    )  # fmt: skip

    def __init__(self, note: Note, patience: float = math.inf) -> None:
        self._note, self._patience = note, patience
        self.demand = self.capacity = 0.0
        self.arrived = self.served = self.dropped = 0.0
        """Work so far."""
        self.area = 0.0
        """Integral of the backlog over time."""
        self.emptied = math.nan
        """When the backlog came to its end within the last ``advance``; NaN when it did not."""
        self._time = self._since = self._free = 0.0
        self._pieces: deque[tuple[float, float]] = deque()
        """Arrivals that wait, as (since, rate); each lasts until the next begins, the last one until now."""
        self._head = 0.0
        """When the work at the head of the line came."""

    @property
    def backlog(self) -> float:
        """Work that waits."""
        return self.arrived - self.served - self.dropped if self._pieces else 0.0

    @property
    def wait(self) -> float:
        """Seconds that what comes now will wait if the capacity stays as it is (and nobody gives up)."""
        backlog = self.backlog
        if backlog <= 0:
            return 0.0
        return backlog / self.capacity if self.capacity > 0 else math.inf

    def change(self, demand: float, capacity: float) -> None:
        """Set both rates, from the instant on to which the line was advanced."""
        if demand != self.demand and self._pieces:
            self._piece(demand)
        self.demand, self.capacity = demand, capacity

    def _piece(self, rate: float) -> None:
        """Begin a piece of arrivals now; one that would be empty gives way to it."""
        if self._pieces[-1][0] == self._time:
            self._pieces.pop()
        self._pieces.append((self._time, rate))

    def advance(self, now: float) -> None:
        """Let time pass until ``now`` (s)."""
        self.emptied = math.nan
        if now <= self._time:
            return
        if not self._pieces and self.demand > self.capacity:
            self.settle()
            self._pieces.append((self._time, self.demand))
            self._head = self._time
        came = self.demand * (now - self._time)
        if self._pieces:
            self._drain(now)
            if self._pieces:
                return
            came = self.demand * (now - self._time)
        self.arrived += came
        self.served += came
        self._free += came
        self._time = now

    def settle(self) -> None:
        """Tell of the work that came up to now and did not wait."""
        if self._free > 0:
            self._note(self._since, self._time, self._free, 0.0, 0.0, SERVED)
        self._free, self._since = 0.0, self._time

    def close(self) -> None:
        """The run is over: tell of what did not wait, and of what still does."""
        if not self._pieces:
            self.settle()
            return
        starts = [max(self._head, since) for since, _ in self._pieces] + [self._time]
        for (_, rate), since, until in zip(self._pieces, starts, starts[1:], strict=False):
            if rate > 0 and until > since:
                self._note(since, until, rate * (until - since), self._time - since, self._time - until, WAITING)

    def _drain(self, now: float) -> None:
        """Serve what waits until ``now``, or until nothing does."""
        slack = _SLACK * max(1.0, now)
        while self._pieces:
            rate = self._pieces[0][1]
            last = len(self._pieces) == 1
            if rate <= 0:
                if last:
                    self._empty()
                else:
                    self._next()
                continue
            if self._time >= now:
                return
            self._pass(now, rate, last, slack)

    def _pass(self, now: float, rate: float, last: bool, slack: float) -> None:
        """Serve the first piece until something changes: it ends, its head loses patience, or ``now`` has come."""
        speed = self.capacity / rate
        age = self._time - self._head
        giving_up = speed < 1.0 and age >= self._patience - slack
        pace = 1.0 if giving_up else speed
        if last:
            end = (self._time - self._head) / (pace - 1.0) if pace > 1.0 else math.inf
        else:
            end = (self._pieces[1][0] - self._head) / pace if pace > 0 else math.inf
        crossing = (self._patience - age) / (1.0 - pace) if pace < 1.0 else math.inf
        left = now - self._time
        seconds = min(end, crossing, left)
        over = end <= seconds + slack
        if over or seconds == left:
            until = min(now, self._time + end) if over else now
            seconds = until - self._time
        else:
            until = self._time + seconds
        head = self._head + pace * seconds
        if over:
            head = until if last else self._pieces[1][0]
        self._serve(rate, until, head, speed if giving_up else math.inf)
        if over and last:
            self._empty()
        elif over:
            self._next()

    def _serve(self, rate: float, until: float, head: float, share: float) -> None:
        """Move the clock to ``until`` and the head to ``head``; ``share`` of that is served (above 1: all)."""
        backlog, seconds = self.backlog, until - self._time
        amount = rate * (head - self._head)
        first, last = self._time - self._head, until - head
        self.arrived += self.demand * seconds
        if share < 1.0:
            kept = amount * share
            self.dropped += amount - kept
            if kept > 0:
                self._note(self._head, head, kept, first, last, SERVED)
            self._note(self._head, head, amount - kept, first, last, DROPPED)
            amount = kept
        elif amount > 0:
            self._note(self._head, head, amount, first, last, SERVED)
        self.served += amount
        self._time, self._head = until, head
        self.area += (backlog + self.backlog) / 2 * seconds

    def _next(self) -> None:
        self._pieces.popleft()
        self._head = self._pieces[0][0]

    def _empty(self) -> None:
        """Nothing waits any more."""
        self._pieces.clear()
        self.served = self.arrived - self.dropped
        self.emptied = self._since = self._time
