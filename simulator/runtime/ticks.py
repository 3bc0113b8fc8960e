"""When the scheduler is asked though nothing happened: at its interval, and at the time it named."""

from __future__ import annotations

import math
from collections.abc import Callable

from simulator.core.clock import Clock, Phase
from simulator.core.timer import Timer
from simulator.runtime.host import Host

_PATIENCE = 100_000
"""Ticks in a row that bring no job forward, after which the policy is not ticked again until something happens."""


class Ticks:
    """Keeps the ticks of a policy going while they can matter.

    ``waiting()`` says whether there is anything to ask about, ``counts()`` how many jobs came and ended, ``work()`` is
    a number that stays the same only while nothing gets on, ``ask()`` asks for a pass in this instant.
    """

    def __init__(
        self,
        clock: Clock,
        policy: Host,
        waiting: Callable[[], bool],
        counts: Callable[[], tuple[int, int]],
        work: Callable[[], tuple[float, ...]],
        ask: Callable[[], None],
    ) -> None:
        self._clock, self._policy = clock, policy
        self._waiting, self._counts, self._work, self._ask = waiting, counts, work, ask
        self._wake = Timer(clock, self._called, Phase.TICKS)
        self._ticking = False
        self._ticks = 0
        self._seen: tuple[float, ...] = ()
        self._given_up: tuple[int, int] | None = None

    def after_pass(self) -> None:
        """Wait for the next tick, and for the time that the policy wants to be asked at."""
        if self._policy.wakes:
            at = self._policy.wake()
            self._wake.set(at if at > self._clock.now else math.inf)
        if self._policy.interval <= 0 or self._ticking or not self._waiting() or self._given_up == self._counts():
            return
        self._given_up = None
        self._ticking = True
        self._clock.after(self._policy.interval, self._tick, phase=Phase.TICKS)

    def _called(self) -> None:
        if self._waiting() and self._patient():
            self._ask()

    def _tick(self) -> None:
        self._ticking = False
        if not self._patient() or not self._waiting():
            return
        if self._policy.on_tick is not None:
            self._policy.on_tick(self._clock.now)
        self._ask()

    def _patient(self) -> bool:
        """Count one more call; False when so many brought nothing that the policy is left alone."""
        self._ticks += 1
        if self._ticks % _PATIENCE == 0:
            before, self._seen = self._seen, self._work()
            if before == self._seen:
                self._given_up = self._counts()
                return False
        return True
