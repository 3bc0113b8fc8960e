"""The clock: the only way to SimPy, and the owner of its traps.

SimPy takes NaN delays in silence, has no cancel, rounds ``now + (t - now)`` and stops *before* the events of the
horizon. Here times are absolute, checked and exact, and ``run(until=t)`` includes what happens at ``t``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from heapq import heappush
from typing import Any

import simpy
from simpy.core import StopSimulation

from simulator.core.errors import InvariantError


class Phase(IntEnum):
    """Order of what falls on the same instant."""

    ENDS = 0
    FAILURES = 1
    ARRIVALS = 2
    TICKS = 3
    PASS = 4
    """The one scheduling pass of the instant, after all that happened."""
    SOLVE = 5
    """The one network solve of the instant, after all starts and stops."""
    STOP = 6


def _stop() -> None:
    raise StopSimulation(None)


class _Call:
    """What SimPy needs of an event, and a function to call: lighter than a Timeout, and at an absolute time."""

    __slots__ = ("arguments", "callbacks", "function")
    _ok = True

    def __init__(self, callbacks: _Callbacks, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.callbacks = callbacks  # those of the clock: SimPy only iterates over them
        self.function = function
        self.arguments = arguments


_Callbacks = tuple[Callable[[_Call], None]]
_NEVER = float("inf")


class Clock:
    """Simulated time in seconds, starting at 0."""

    def __init__(self) -> None:
        self._environment = simpy.Environment(0.0)
        self._queue: list[tuple[float, int, int, _Call]] = self._environment._queue  # type: ignore[assignment]
        self._numbers = self._environment._eid
        self._callbacks = (self._fire,)
        self._asked = 0
        self.now = 0.0
        """Seconds since the start of the run; an attribute, as everybody asks all the time."""

    def _fire(self, event: _Call) -> None:
        self.now = self._environment._now
        event.function(*event.arguments)

    def at(self, time: float, function: Callable[..., None], *arguments: Any, phase: int = Phase.ENDS) -> None:
        """Call ``function(*arguments)`` at ``time`` (s); what lies in the past or is not a number is a bug of ours."""
        if not self.now <= time < _NEVER:
            raise InvariantError(f"cannot schedule {function} at {time} s: the clock shows {self.now} s")
        heappush(self._queue, (time, phase, next(self._numbers), _Call(self._callbacks, function, arguments)))

    def after(self, delay: float, function: Callable[..., None], *arguments: Any, phase: int = Phase.ENDS) -> None:
        """Call ``function(*arguments)`` in ``delay`` seconds."""
        self.at(self.now + delay, function, *arguments, phase=phase)

    @property
    def ahead(self) -> float:
        """When the next thing happens, as far as is known now (s); infinite when nothing does."""
        return self._queue[0][0] if self._queue else _NEVER

    def happened(self) -> int:
        """Return how many things have happened so far, the one that asks included."""
        self._asked += 1
        return next(self._numbers) + 1 - self._asked - len(self._queue)

    def run(self, until: float = float("inf")) -> None:
        """Run until nothing is left to happen, or through the instant ``until`` (s), which becomes ``now``.

        Raises ``InvariantError`` when ``until`` lies in the past or is not a number.
        """
        if not until >= self.now:
            raise InvariantError(f"cannot run until {until} s: the clock shows {self.now} s")
        if until < _NEVER:
            self.at(until, _stop, phase=Phase.STOP)
        self._environment.run()


class Soon:
    """Calls ``function()`` once in an instant, at ``phase`` of it, however often it is asked for.

    >>> clock = Clock()
    >>> greet = Soon(clock, lambda: print("once, at", clock.now), Phase.PASS)
    >>> clock.at(5.0, greet), clock.at(5.0, greet), clock.run()
    once, at 5.0
    (None, None, None)
    """

    __slots__ = ("_call", "_clock", "_function", "_phase", "_queue", "_waiting")

    def __init__(self, clock: Clock, function: Callable[[], None], phase: int) -> None:
        self._clock, self._queue = clock, clock._queue
        self._function, self._phase = function, int(phase)
        self._call = _Call(clock._callbacks, self._run, ())
        self._waiting = False

    def __call__(self) -> None:
        """Ask for the call."""
        if not self._waiting:
            self._waiting = True
            clock = self._clock
            self._call.callbacks = clock._callbacks  # SimPy took them off when it last fired
            heappush(self._queue, (clock.now, self._phase, next(clock._numbers), self._call))

    def finish(self) -> None:
        """Ask for the call as the last thing that an event does: made at once when nothing else is due now."""
        queue = self._queue
        if not self._waiting and (not queue or queue[0][0] > self._clock.now):
            self._function()
        else:
            self()

    def _run(self) -> None:
        self._waiting = False
        self._function()
