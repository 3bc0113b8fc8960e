"""Runs that get nowhere: failures and interruptions come faster than any job can save its work."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from simulator.core.errors import InputError, Problem
from simulator.core.units import format_quantity
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

PATIENCE = 10_000
"""Failures and interruptions in a row without any job getting further than ever before, after which a run without
horizon is given up."""


_BUSY = 10
"""Failures that the interruption of a node with jobs on it counts for; ours."""
_SELDOM = 10
"""Failures for each that stops a job, beyond which jobs are taken to wait for servers rather than to fail; ours."""


class Vain:
    """Counts failures and interruptions since somebody got on, and ends a run in which nobody does."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.spares = 0
        """Servers that are kept back."""
        self._interruptions = self._all = 0
        self._losses: Counter[Job] = Counter()
        self._count = 0
        self._stops = 0
        self._since = 0.0
        self._seen: tuple[float, ...] = (-1, -1)
        self._best = -1.0
        self._furthest: dict[Job, float] = {}

    def stopped(self, job: Job) -> None:
        """A failure or an interruption has stopped a job, whose counters say what is left of its work."""
        self._losses[job] += 1
        self._stops += 1
        if job.done > self._furthest.get(job, 0.0) * (1 + 1e-9):
            self._furthest[job] = job.done
            self._count = 0

    def interrupted(self, busy: bool) -> None:
        """A provider takes a node back; raise ``InputError`` when that was once too often.

        One with jobs on it counts ``_BUSY`` times: it hits what runs, and takes the time of a notice and of a boot.
        """
        self._count_one(_BUSY if busy else 1)
        self._interruptions += 1

    def failed(self) -> None:
        """Something has failed, or would have had it been up; raise ``InputError`` when that was once too often."""
        self._count_one(1)

    def _count_one(self, weight: int) -> None:
        simulation = self._simulation
        if simulation.until < float("inf") or not (simulation.view.running.members or simulation.view.queue.members):
            return
        if not self._count:
            self._since, self._stops, self._all, self._interruptions = simulation.clock.now, 0, 0, 0
        self._count += weight
        self._all += 1
        if self._count < PATIENCE:
            return
        self._count = 0
        seen = simulation.work_so_far()
        if seen[:2] != self._seen[:2] or seen[2] > self._best * (1 + 1e-9):
            self._seen, self._best = seen, max(seen[2], self._best if seen[:2] == self._seen[:2] else -1.0)
            return
        raise InputError(Problem(self._told(), hint=_HINT))

    def _told(self) -> str:
        """Say whom the failures keep from getting on, and why."""
        view, now = self._simulation.view, self._simulation.clock.now
        jobs = [*view.running, *view.queue]
        mean = (now - self._since) / self._all
        what = "interruptions of nodes" if self._interruptions * 2 >= self._all else "failures"
        start = f"{self._all:,} {what} in a row, one every {_time(mean)} in the mean, and no job has got any further"
        worst = max(jobs, key=self._losses.__getitem__)
        if self._stops * _SELDOM < self._all:
            worst = jobs[0]
            nodes, spares = self._simulation.nodes, self.spares
            kept = f", with {spares} server{'s' * (spares > 1)} kept back as spares" if spares else ""
            return (
                f"{start}: {len(jobs)} wait, the first, {worst.id!r}, for {worst.accelerators:g} accelerators, and "
                f"{nodes.capacity:g} of {float(nodes.total.sum()):g} are up{kept}"
            )
        between = worst.ran / self._losses[worst]
        return (
            f"{start}: job {worst.id!r} is stopped after {_time(between)} of running in the mean, and {_needs(worst)} "
            f"({self._losses[worst]:,} times by {_time(now)})"
        )


_HINT = "checkpoint more often, take fewer accelerators or a longer mtbf, or give the run an end: run: {until: 30 d}"


def _needs(job: Job) -> str:
    """Say how long a job must run to keep anything."""
    saving = job.saving
    if saving is not None and not isinstance(saving.every, str):
        cost = f" and {_time(saving.write)} to write one" if saving.write else ""
        return f"needs {_time(saving.every)} between checkpoints{cost}"
    if saving is not None:
        return f"has never been up long enough to write a checkpoint ({saving.every})"
    if 0 < job.checkpoint < float("inf"):
        return f"needs {_time(job.checkpoint)} between checkpoints"
    if job.checkpoint:
        return f"needs {_time(job.work)} without a failure, as it writes no checkpoints"
    return "spends that on restarts"


def _time(seconds: float) -> str:
    return format_quantity(seconds, "time", 3)
