"""The start of a replica, phase by phase: seconds that pass, and bytes that come over the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from simulator.core.clock import Clock, Phase
from simulator.runtime.fleets.spec import Step


class Fetching(Protocol):
    """Who brings bytes from stores to servers."""

    def fetch(
        self,
        servers: Sequence[int],
        store: str,
        size: float,
        done: Callable[[], None],
        limit: float,
        cached: float,
        name: tuple[str, str],
    ) -> None:
        """Bring ``size`` bytes to each of ``servers``, and call ``done()`` when all have them."""


class Start:
    """A replica that is starting; ``cancel`` when it is lost before it is through."""

    __slots__ = ("_clock", "_fetching", "_job", "_note", "_opened", "_over", "_servers", "_steps", "_workload")

    def __init__(
        self,
        clock: Clock,
        fetching: Fetching,
        job: str,
        workload: str,
        servers: Sequence[int],
        steps: Iterable[Step],
        note: Callable[[str, str, float], None],
        opened: Callable[[], None],
    ) -> None:
        self._clock, self._fetching, self._note, self._opened = clock, fetching, note, opened
        self._job, self._workload, self._servers = job, workload, servers
        self._steps = [step for step in steps if step.seconds or step.bytes]
        self._steps.reverse()
        self._over = False
        if self._steps:
            self._next()
        else:
            clock.at(clock.now, self._end, phase=Phase.FAILURES)

    def cancel(self) -> None:
        """Forget it; bytes that are on their way still arrive, and are cached where they are kept."""
        self._over = True

    def _next(self) -> None:
        step, since = self._steps.pop(), self._clock.now
        through = partial(self._through, step, since)
        if not step.bytes:
            self._clock.after(step.seconds, through, phase=Phase.FAILURES)
            return
        come = partial(self._clock.after, step.seconds, through, phase=Phase.FAILURES) if step.seconds else through
        name = (f"{self._job}: {step.name}", self._workload)
        self._fetching.fetch(self._servers, step.store, step.bytes, come, step.limit, step.cached, name)

    def _through(self, step: Step, since: float) -> None:
        if self._over:
            return
        self._note("cold-start", f"{self._job}: {step.name}", self._clock.now - since if step.bytes else step.seconds)
        if self._steps:
            self._next()
        else:
            self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._opened()
