"""What happened in a run, written down as it happens; what was the case in between, worked out at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from simulator.core.clock import Clock
from simulator.metrics.recorder import Recorder
from simulator.workload.jobs import Job, State

Progress = Callable[[float, int], None]
"""Called now and then with the simulated time (s) and the jobs, or the requests, that have ended."""
Arrays = dict[str, np.ndarray]

_PACK_EVERY = 2048
"""Ended jobs after which the recorded rows are packed and progress is reported."""
_MILLI = 1000
"""Accelerators are summed in thousandths, at least one, as ``Allocator`` hands them out, so that sums are exact."""
_COMPLETED = State.COMPLETED
_NAMES = tuple(state.name for state in State)
_MOVES = {
    "submit": (1, 0, 0), "start": (-1, 1, 1), "preempt": (1, -1, -1), "end": (0, -1, -1), "timeout": (0, -1, -1),
    "reject": (-1, 0, 0), "resize": (0, 0, 1),
}  # fmt: skip
"""What each event adds to the jobs that wait, to the jobs that run, and how its amount counts to what is held."""


class Journal:
    """The record of one run while it grows.

    ``event`` takes a row (time, event, subject, amount); it is the ``append`` of a list, for the sake of the hot path.
    """

    def __init__(self, clock: Clock, progress: Progress | None) -> None:
        self._clock, self.progress = clock, progress
        self.recorder = Recorder()
        self.event = self.recorder.events.add
        self._levels: list[tuple[float, float, float]] = []
        self.ended = 0
        """Jobs whose row is written."""

    def level(self, capacity: float, provisioned: float) -> None:
        """From now on ``capacity`` accelerators are up and ``provisioned`` are paid for."""
        self._levels.append((self._clock.now, capacity, provisioned))

    def job(self, job: Job, share: float | None) -> None:
        """Write the row of a job that has come to its end; ``share`` of its work was exposed communication.

        None for a job that does not communicate.
        """
        completed = job.state is _COMPLETED
        jct = job.end - job.submit if completed else math.nan
        busy = job.ran - job.overhead - job.lost - job.checkpointing - job.hung
        compute = busy if share is None else min(busy, job.done * (1.0 - share) + job.dragged)
        self.recorder.jobs.add(
            (
                job.id,
                job.workload,
                job.tenant,
                job.row,
                job.submit,
                job.start,
                job.end,
                job.waited,
                jct,
                jct / job.work if completed and job.work > 0 and job.life is None else math.nan,
                job.accelerators,
                len(job.placement),
                _NAMES[job.state],
                job.preemptions,
                job.work if job.start == job.start and job.work < math.inf else math.nan,
                compute,
                busy - compute,
                job.overhead,
                job.lost,
                job.checkpointing,
                job.hung,
                job.accelerators * job.ran if job.service_since < 0 else _service(job),
                job.moves,
                *job.waits,
                job.user,
                job.deadline,
                job.failures,
            )
        )
        self.ended += 1
        if self.ended % _PACK_EVERY == 0:
            self.recorder.pack()
            if self.progress is not None:
                self.progress(self._clock.now, self.ended)

    def outcomes(self) -> Iterator[tuple[tuple[str, str], State]]:
        """How every job whose row is written ended, by workload and id."""
        table = self.recorder.jobs.arrays()
        for workload, name, state in zip(table["workload"], table["id"], table["state"], strict=True):
            yield (workload, name), State[state]

    def tables(self) -> dict[str, Arrays]:
        """All tables as arrays; nothing can be written after."""
        tables = self.recorder.tables()
        self.recorder = Recorder()  # what it packed is not needed twice
        return tables | {"series": series(tables["events"], self._levels)}


def _service(job: Job) -> float:
    """Accelerator-seconds that a job held which was not always held whole."""
    return job.service + job.held * (job.ran - job.service_since)


def series(events: Arrays, levels: list[tuple[float, float, float]]) -> Arrays:
    """Return how many jobs waited and ran and how many accelerators were held, up and paid for, change by change.

    ``events`` is the table of that name in order of time; ``levels`` are (time, accelerators up, accelerators paid
    for). The columns are those of ``recorder.SERIES``; what changes within an instant leaves one row.
    """
    happened = events["time"]
    waits, runs, holds = (np.zeros(len(happened), np.int8) for _ in range(3))
    for kind, (wait, run, hold) in _MOVES.items():
        chosen = np.asarray(events["event"] == kind, dtype=bool)
        waits[chosen], runs[chosen], holds[chosen] = wait, run, hold
    last = np.flatnonzero(np.diff(happened, append=math.inf))
    since, up, paid = (np.array(column, dtype=float) for column in zip(*levels, strict=True))
    time = np.union1d(happened[last], since)
    row = np.searchsorted(happened[last], time, "right")
    level = np.searchsorted(since, time, "right") - 1

    def sums(moves: np.ndarray) -> np.ndarray:
        """What ``moves`` add up to, row by row."""
        total = np.append(0, np.cumsum(moves, dtype=np.int64)[last])
        rows: np.ndarray = total[row]
        return rows

    columns: Arrays = {
        "time": time,
        "queued": sums(waits),
        "running": sums(runs),
        "allocated": sums(_milli(events["amount"]) * holds) / _MILLI,
        "capacity": up[level],
        "provisioned": paid[level],
    }
    changed = np.zeros(len(time), dtype=bool)
    changed[:1] = True
    for name in list(columns)[1:]:
        changed[1:] |= np.diff(columns[name]) != 0
    return {name: values[changed] for name, values in columns.items()}


def _milli(accelerators: np.ndarray) -> np.ndarray:
    milli = np.rint(accelerators * _MILLI)
    milli[(accelerators > 0) & (milli < 1)] = 1
    counted: np.ndarray = milli.astype(np.int64)
    return counted
