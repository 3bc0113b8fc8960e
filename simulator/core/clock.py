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
from simpy.events import Event

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


def _fire(event: _Call) -> None:
    event.function(*event.arguments)


def _stop() -> None:
    raise StopSimulation(None)


class _Call(Event):
    """A SimPy event that calls one function; lighter than a Timeout and scheduled at an absolute time."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.callbacks = _CALLBACKS  # type: ignore[assignment]  # shared: SimPy only iterates over it
        self._ok = True
        self._value = None
        self.function = function
        self.arguments = arguments


_CALLBACKS = (_fire,)


class _Environment(simpy.Environment):
    """SimPy's environment with scheduling at absolute times."""

    def schedule_at(self, time: float, phase: int, event: Event) -> None:
        heappush(self._queue, (time, phase, next(self._eid), event))  # type: ignore[misc]


class Clock:
    """Simulated time in seconds, starting at 0."""

    def __init__(self) -> None:
        self._environment = _Environment(0.0)

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return self._environment._now  # the public property costs a second call on the hottest path

    def at(self, time: float, function: Callable[..., None], *arguments: Any, phase: int = Phase.ENDS) -> None:
        """Call ``function(*arguments)`` at ``time`` (s); what lies in the past or is not a number is a bug of ours."""
        if not self._environment._now <= time < float("inf"):
            raise InvariantError(f"cannot schedule {function} at {time} s: the clock shows {self.now} s")
        self._environment.schedule_at(time, phase, _Call(function, arguments))

    def after(self, delay: float, function: Callable[..., None], *arguments: Any, phase: int = Phase.ENDS) -> None:
        """Call ``function(*arguments)`` in ``delay`` seconds."""
        self.at(self.now + delay, function, *arguments, phase=phase)

    def run(self, until: float = float("inf")) -> None:
        """Run until nothing is left to happen, or through the instant ``until`` (s), which becomes ``now``.

        Raises ``InvariantError`` when ``until`` lies in the past or is not a number.
        """
        if not until >= self.now:
            raise InvariantError(f"cannot run until {until} s: the clock shows {self.now} s")
        if until < float("inf"):
            self._environment.schedule_at(until, Phase.STOP, _Call(_stop, ()))
        self._environment.run()


class Soon:
    """Calls ``function()`` once in an instant, at ``phase`` of it, however often it is asked for.

    >>> clock = Clock()
    >>> greet = Soon(clock, lambda: print("once, at", clock.now), Phase.PASS)
    >>> clock.at(5.0, greet), clock.at(5.0, greet), clock.run()
    once, at 5.0
    (None, None, None)
    """

    __slots__ = ("_call", "_environment", "_function", "_phase", "_waiting")

    def __init__(self, clock: Clock, function: Callable[[], None], phase: int) -> None:
        self._environment, self._function, self._phase = clock._environment, function, phase
        self._call = _Call(self._run, ())
        self._waiting = False

    def __call__(self) -> None:
        """Ask for the call."""
        if not self._waiting:
            self._waiting = True
            self._call.callbacks = _CALLBACKS  # type: ignore[assignment]  # SimPy took them off when it last fired
            self._environment.schedule_at(self._environment._now, self._phase, self._call)

    def finish(self) -> None:
        """Ask for the call as the last thing that an event does: made at once when nothing else is due now."""
        queue = self._environment._queue
        if not self._waiting and (not queue or queue[0][0] > self._environment._now):
            self._function()
        else:
            self()

    def _run(self) -> None:
        self._waiting = False
        self._function()
