"""What gangs know of checkpoints that cost something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from simulator.core.errors import InputError
from simulator.workload.jobs import Job

Account = Literal["checkpointing", "hung", "overhead"]
"""Counter of a job that takes the time for which it stands still."""


class Saver(Protocol):
    """Writes checkpoints of jobs, and tells what a stop leaves of their work."""

    def load(self, job: Job) -> float:
        """Return the seconds that pass before a job that comes back can go on, besides its restart."""

    def began(self, job: Job) -> None:
        """A job has begun to move, or moves again after it was held up by others."""

    def halted(self, job: Job) -> None:
        """It is held up by others, or is about to lose its accelerators."""

    def lose(self, job: Job) -> bool:
        """Take from a job that was stopped what no checkpoint holds; return False for one that has none that cost."""

    def forget(self, job: Job) -> None:
        """It is over."""

    def save_now(self, job: Job, done: Callable[[], None]) -> float:
        """Begin a checkpoint at once, ``done()`` when it is written; return the seconds that this takes, or 0."""


class NoSaver:
    """Stands for the part that writes checkpoints in a run that has none."""

    def load(self, job: Job) -> float:
        """Return 0."""
        return 0.0

    def began(self, job: Job) -> None:
        """Refuse."""
        raise InputError(f"job {job.id!r} writes checkpoints that cost something: give the run a Checkpoints part")

    def halted(self, job: Job) -> None:
        """Do nothing."""

    def lose(self, job: Job) -> bool:
        """Return False."""
        return False

    def save_now(self, job: Job, done: Callable[[], None]) -> float:
        """Return 0: nothing is written."""
        return 0.0

    def forget(self, job: Job) -> None:
        """Do nothing."""
