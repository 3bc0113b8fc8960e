"""Schedulers around schedulers: pass on what the engine says, and show the inner one a view of another kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from typing import Any, TypeVar

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.policies.api import ClusterView, JobSet, Scheduler, schedulers
from simulator.policies.order import FromFunction
from simulator.policies.parts import make_part
from simulator.workload.jobs import Job, Placement

T = TypeVar("T")
_PARTS = ("order", "backfill", "preempt")


def made_inner(scheduler: Any) -> Scheduler:
    """Make the scheduler inside another: a name, a mapping with ``kind`` and parameters or with ``order``,
    ``backfill`` and ``preempt``, or what ``compare`` takes.

    Raises ``InputError`` whose text begins with ``scheduler``.
    """
    if isinstance(scheduler, Mapping) and "kind" not in scheduler and any(part in scheduler for part in _PARTS):
        scheduler = {"kind": "composed", **scheduler}
    return named("scheduler", lambda: make_part(schedulers, scheduler, "schedule", FromFunction, "(view) -> actions"))


def named(parameter: str, make: Callable[[], T]) -> T:
    """Make a part; what is wrong with it is said with the parameter that it stands in."""
    try:
        return make()
    except InputError as error:
        text = str(error)
        raise InputError(
            text if text.startswith((f"{parameter} ", f"{parameter}:")) else f"{parameter}: {text}"
        ) from error


class Wrapper:
    """A scheduler around another: hooks, ticks and wakes go to the inner one."""

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner

    @property
    def interval(self) -> float:
        """Seconds between the ticks that the inner one wants."""
        return float(getattr(self.inner, "interval", 0.0) or 0.0)

    @property
    def always(self) -> bool:
        """Whether the inner one wants to be asked though nobody waits."""
        return bool(getattr(self.inner, "always", False))

    @property
    def wake(self) -> float:
        """When the inner one wants to be asked next."""
        return float(getattr(self.inner, "wake", math.inf))

    def reset(self, rng: np.random.Generator) -> None:
        """Say that a run begins."""
        self._pass_on("reset", rng)

    def on_submit(self, job: Job) -> None:
        """A job waits."""
        self._pass_on("on_submit", job)

    def on_finish(self, job: Job) -> None:
        """A job has ended."""
        self._pass_on("on_finish", job)

    def on_tick(self, now: float) -> None:
        """Time has passed."""
        self._pass_on("on_tick", now)

    def notes(self) -> list[str]:
        """What a reader of the results must know."""
        tell = getattr(self.inner, "notes", None)
        return list(tell()) if callable(tell) else []

    def _pass_on(self, hook: str, argument: Any) -> None:
        method: Callable[[Any], None] | None = getattr(self.inner, hook, None)
        if method is not None:
            method(argument)


class Shown:
    """A view that passes everything on; subclasses show a part of it differently."""

    def __init__(self, view: ClusterView) -> None:
        self.view = view

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return self.view.now

    @property
    def queue(self) -> JobSet:
        """Jobs that wait."""
        return self.view.queue

    @property
    def running(self) -> JobSet:
        """Jobs that run."""
        return self.view.running

    @property
    def free(self) -> float:
        """Accelerators that are free."""
        return self.view.free

    @property
    def gangs_only(self) -> bool:
        """Whether every job so far asked for whole accelerators."""
        return self.view.gangs_only

    @property
    def nodes(self) -> Allocator:
        """What is free, by server."""
        return self.view.nodes

    @property
    def topology(self) -> Topology:
        """Servers, switches and links."""
        return self.view.topology

    def estimate(self, job: Job) -> float:
        """Seconds of running in all."""
        return self.view.estimate(job)

    def remaining(self, job: Job) -> float:
        """Seconds of running from now on."""
        return self.view.remaining(job)

    def attained(self, job: Job) -> float:
        """Seconds of running so far."""
        return self.view.attained(job)

    def fraction(self, job: Job) -> float:
        """Share of the work that is done."""
        return self.view.fraction(job)

    def place(self, job: Job, accelerators: float | None = None) -> Placement | None:
        """Where the placement policy would put the job."""
        return self.view.place(job, accelerators)


class Parted:
    """Those jobs of a set that are in groups which are open, group by group: closed ones are never looped over.

    ``group`` is the function that parts the jobs (see ``JobSet.split``), ``is_open`` says of a group whether its jobs
    are shown; it is asked again for each job, so a loop sees at once what has closed.
    """

    def __init__(self, jobs: JobSet, group: Callable[[Job], Any], is_open: Callable[[Any], bool]) -> None:
        self._jobs, self._group, self._is_open = jobs, group, is_open

    def __iter__(self) -> Iterator[Job]:
        return self._merged([iter(jobs) for _, jobs in self._open()], _sequence)

    def __len__(self) -> int:
        return sum(len(jobs) for _, jobs in self._open())

    @property
    def accelerators(self) -> float:
        """Accelerators that the jobs ask for."""
        return sum(jobs.accelerators for _, jobs in self._open())

    def by(self, key: Callable[[Job], Any], backwards: bool = False) -> Iterator[Job]:
        """Loop in the order of ``key``."""
        loops = [jobs.by(key, backwards) for _, jobs in self._open()]
        return self._merged(loops, lambda job: (key(job), job.sequence), backwards)

    def split(self, group: Callable[[Job], Any]) -> Mapping[Any, JobSet]:
        """Return the jobs by another function, each group without those that are closed."""
        return {name: Parted(jobs, self._group, self._is_open) for name, jobs in self._jobs.split(group).items()}

    def again(self, job: Job | None = None) -> None:
        """Say that a key has changed."""
        self._jobs.again(job)

    def fitting(
        self,
        key: Callable[[Job], Any],
        limit: Callable[[float], float],
        after: Job | None = None,
        length: Callable[[Job], float] | None = None,
    ) -> Iterator[Job]:
        """Loop in the order of ``key`` over jobs that fit."""
        loops: list[Iterator[Job]] = [jobs.fitting(key, limit, None, length) for _, jobs in self._open()]
        found = self._merged(loops, lambda job: (key(job), job.sequence))
        if after is None:
            return found
        behind = (key(after), after.sequence)
        return (job for job in found if (key(job), job.sequence) > behind)

    def _open(self) -> list[tuple[Any, JobSet]]:
        return [(name, jobs) for name, jobs in self._jobs.split(self._group).items() if jobs and self._is_open(name)]

    def _merged(self, loops: list[Iterator[Job]], key: Callable[[Job], Any], backwards: bool = False) -> Iterator[Job]:
        merged = loops[0] if len(loops) == 1 else merge(*loops, key=key, reverse=backwards)
        return (job for job in merged if self._is_open(self._group(job)))


def _sequence(job: Job) -> int:
    return job.sequence
