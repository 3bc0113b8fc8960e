"""Measures of failures: how often, how long, and what they cost jobs in time.

A job's time from its first start to its end (or that of the run) is made of work (``compute`` and ``network``), of
``overhead``, ``rework``, ``checkpointing`` and ``hung``, and of later stays in the queue.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from simulator.metrics.measure import Measure, ratio
from simulator.metrics.scaling import fleets
from simulator.metrics.statistics import mean
from simulator.metrics.window import Window

_WORK = ("compute", "network")
_RUNNING = (*_WORK, "overhead", "rework", "checkpointing", "hung")


def _measured(window: Window) -> np.ndarray:
    """Rows of the jobs that started, submitted after the warm-up, without replicas."""
    replica = np.isin(window.column("jobs", "workload").astype(str), [*window.services, *fleets(window).values()])
    started = ~np.isnan(window.column("jobs", "start"))
    return np.flatnonzero(started & ~replica & (window.column("jobs", "submit") >= window.warmup))


def _seconds(window: Window, rows: np.ndarray, *names: str) -> np.ndarray:
    parts = [np.nan_to_num(window.column("jobs", name)[rows]) for name in names]
    return np.asarray(np.sum(parts, axis=0))


def ettr(work: np.ndarray, elapsed: np.ndarray, accelerators: np.ndarray) -> float:
    """Effective training time ratio: productive time over the time that was there for it, weighted by accelerators.

    ``work`` are the seconds in which each job computed or communicated for the first time, ``elapsed`` those from its
    first start to its end (arrays of one length). After Kokolis et al., "Revisiting reliability in large-scale machine
    learning research clusters" (HPCA 2025): productive run time, without restarts and what is done again since the
    last checkpoint, over the wall-clock time in which a run was scheduled or waited to be. Two things are ours: the
    stay in the queue before the first start is left out, as no failure causes it, and jobs are weighted by
    accelerators, where the paper looks at one run of jobs after another. Writing checkpoints counts as not productive.

    >>> ettr(np.array([80.0, 10.0]), np.array([100.0, 10.0]), np.array([4.0, 10.0]))
    0.84
    """
    return ratio(float(work @ accelerators), float(elapsed @ accelerators))


def _ettr(window: Window) -> float:
    rows = _measured(window)
    end = window.column("jobs", "end")[rows]
    elapsed = np.where(np.isnan(end), window.end, end) - window.column("jobs", "start")[rows]
    return ettr(_seconds(window, rows, *_WORK), elapsed, window.column("jobs", "accelerators")[rows])


def _share(part: str, window: Window) -> float:
    """Accelerator-seconds of one part of running over those held; what a job held is taken to be even over it."""
    rows = _measured(window)
    ran, held = _seconds(window, rows, *_RUNNING), np.nan_to_num(window.column("jobs", "service")[rows])
    share = np.divide(_seconds(window, rows, part), ran, out=np.zeros(len(rows)), where=ran > 0)
    return ratio(float(held @ share), float(held.sum()))


def _interruptions(window: Window) -> float:
    return mean(window.column("jobs", "preemptions")[_measured(window)])


def _failed(window: Window) -> bool:
    """Whether the run had failures, or a model of them that brought none."""
    told = window.record.facts.get("failures") is not None
    return told or bool((window.column("events", "event") == "failure").any())


def _failures(window: Window) -> float:
    if not _failed(window):
        return math.nan
    event, time = window.column("events", "event"), window.column("events", "time")
    return float(np.count_nonzero((event == "failure") & (time >= window.warmup)))


def down_seconds(
    event: np.ndarray, subject: np.ndarray, time: np.ndarray, amount: np.ndarray, since: float, until: float
) -> tuple[float, float]:
    """Accelerator-seconds that failures took between ``since`` and ``until`` (s): unnoticed ones, and noticed ones.

    Rows of the table of events, in order; the amount of a ``failure`` is the accelerators that it took. It is noticed
    at its ``detect``, or at once without one, and over at its ``repair``, or else at ``until``.
    """
    late = set(subject[np.asarray(event == "detect", dtype=bool)].tolist())
    lost: dict[str, tuple[float, float, bool]] = {}
    total = [0.0, 0.0]
    kinds = (event == "failure") | (event == "detect") | (event == "repair")
    for row in np.flatnonzero(np.asarray(kinds, dtype=bool)).tolist():
        name, now = str(subject[row]), min(max(float(time[row]), since), until)
        if event[row] == "failure":
            lost.setdefault(name, (now, float(amount[row]), name not in late))
        elif name in lost:
            began, accelerators, noticed = lost.pop(name)
            total[noticed] += (now - began) * accelerators
            if event[row] == "detect":
                lost[name] = (now, accelerators, True)
    for began, accelerators, noticed in lost.values():
        total[noticed] += (until - began) * accelerators
    return total[0], total[1]


def _availability(window: Window) -> float:
    """Accelerators that are broken and unnoticed count as up in the series, noticed ones do not."""
    if not _failed(window):
        return math.nan
    event, subject, time, amount = (window.column("events", name) for name in ("event", "subject", "time", "amount"))
    silent, known = down_seconds(event, subject, time, amount, window.warmup, window.end)
    up = window.integral("capacity")
    return ratio(up - silent, up + known)


RELIABILITY: list[Measure] = [
    Measure(
        "failures", "failures", "count", "", "failures of hardware, of whatever it is made of; a longer run has more",
        of_run=_failures,
    ),
    Measure(
        "mtbf", "time between failures", "time", "higher",
        "mean time between failures anywhere in the cluster: measured time over their number",
        of_run=lambda window: ratio(window.end - window.warmup, _failures(window)),
    ),
    Measure(
        "availability", "availability", "ratio", "higher",
        "accelerators that were up over those that would have been without failures, mean over time",
        of_run=_availability,
    ),
    Measure(
        "ettr", "effective training time", "ratio", "higher",
        "time in which jobs made progress over that from their first start to their end, weighted by accelerators "
        "(ETTR of Kokolis et al. 2025)", of_run=_ettr,
    ),
    Measure(
        "checkpoint.share", "checkpointing", "ratio", "lower",
        "accelerator-seconds in which jobs stood still to write checkpoints, over those held",
        of_run=partial(_share, "checkpointing"),
    ),
    Measure(
        "hung.share", "hung jobs", "ratio", "lower",
        "accelerator-seconds between a failure and its detection, over those held", of_run=partial(_share, "hung"),
    ),
    Measure(
        "interruptions.per_job", "interruptions per job", "count", "lower",
        "times that a job was stopped before its end, by a failure, an eviction or to make room; mean of jobs that "
        "started", of_run=_interruptions,
    ),
]  # fmt: skip
"""Measures of failures, in the order in which tables show them."""
