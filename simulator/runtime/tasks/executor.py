"""What runs on an executor's cores: a few tasks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simulator.core.clock import Clock


class Task(NamedTuple):
    """A task by its stage and its number there."""

    stage: int
    number: int


class Executor:
    """One executor with so many ``slots``."""

    __slots__ = ("_clock", "_since", "busy", "number", "running", "slots", "taking")

    def __init__(self, clock: Clock, number: int, slots: int) -> None:
        self._clock, self.number, self.slots = clock, number, slots
        self.taking = False
        self.running: dict[Task, None] = {}
        self.busy = self._since = 0.0
        """Seconds of work as of the last change, a slot counting for its share of the executor."""

    @property
    def free(self) -> int:
        """Slots without a task, while it takes any."""
        return self.slots - len(self.running) if self.taking else 0

    @property
    def outstanding(self) -> float:
        """Tasks that it runs."""
        return float(len(self.running))

    def busy_until(self, now: float) -> float:
        """Seconds of work until ``now``."""
        return self.busy + len(self.running) * (now - self._since) / self.slots

    def _count(self) -> None:
        now = self._clock.now
        self.busy, self._since = self.busy_until(now), now

    def begin(self, task: Task) -> None:
        """Run a task."""
        self._count()
        self.running[task] = None

    def end(self, task: Task) -> None:
        """A task is through."""
        self._count()
        del self.running[task]

    def stop(self) -> Sequence[Task]:
        """It loses its place: return the tasks that it ran."""
        self._count()
        left = list(self.running)
        self.running.clear()
        self.taking = False
        return left
