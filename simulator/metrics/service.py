"""Measures of what jobs got for their time: waits by reason, bounded slowdown, rework, deadlines, useful work."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.metrics import serving
from simulator.metrics.measure import Measure, ratio
from simulator.metrics.statistics import SMALLEST_BATCH, mean, quantile
from simulator.metrics.window import RUNNING, Jobs, Window

BOUND = 10.0
"""Seconds below which a job counts as being so long: short jobs would rule the mean of the slowdown otherwise.

Source: Feitelson et al., "Theory and practice in parallel job scheduling" (JSSPP 1997), who take 10 s.
"""
STARVED = 100.0
"""Bounded slowdown from which on a job counts as starved."""


def bounded_slowdown(jobs: Jobs) -> np.ndarray:
    """Completion time over the time alone, which counts as ``BOUND`` seconds at least; 1 at least; completed jobs."""
    done = jobs["completed"]
    slowdown = np.maximum(1.0, jobs["jct"][done] / np.maximum(jobs["work"][done], BOUND))
    return np.asarray(slowdown[~np.isnan(slowdown)])


def _waited(name: str, reason: str, meaning: str) -> Measure:
    def seconds(jobs: Jobs) -> float:
        return mean(jobs[f"wait_{reason}"][~jobs["rejected"]])

    return Measure(f"wait.{reason}", f"wait for {name}", "time", "lower", f"mean time in the queue {meaning}", seconds)


def _percentile(percent: int) -> Callable[[Jobs], float]:
    return lambda jobs: quantile(bounded_slowdown(jobs), percent / 100)


def _longest(jobs: Jobs) -> float:
    waits = jobs["wait"][~jobs["rejected"]]
    return float(np.nanmax(waits)) if waits.size else math.nan


def _starved(jobs: Jobs) -> float:
    slowdown = bounded_slowdown(jobs)
    return ratio(float(np.count_nonzero(slowdown > STARVED)), float(slowdown.size))


def _met(jobs: Jobs) -> float:
    due = np.isfinite(jobs["deadline"]) & ~jobs["rejected"]
    in_time = due & jobs["completed"] & (jobs["end"] <= jobs["deadline"])
    return ratio(float(np.count_nonzero(in_time)), float(np.count_nonzero(due)))


def _held(jobs: Jobs) -> np.ndarray:
    return np.asarray(np.nan_to_num(jobs["service"]))


def _running(jobs: Jobs) -> np.ndarray:
    parts = [np.nan_to_num(jobs[name]) for name in RUNNING]
    total: np.ndarray = np.sum(parts, axis=0)
    return total


def _share_of_service(jobs: Jobs, *parts: str) -> np.ndarray:
    """Accelerator-seconds of these parts of the running time; what a job held is taken to be even over it."""
    running = _running(jobs)
    of = np.sum([np.nan_to_num(jobs[name]) for name in parts], axis=0)
    share: np.ndarray = _held(jobs) * np.divide(of, running, out=np.zeros_like(running), where=running > 0)
    return share


def _rework(jobs: Jobs) -> float:
    return ratio(float(_share_of_service(jobs, "rework").sum()), float(_held(jobs).sum()))


def _overhead(jobs: Jobs) -> float:
    return ratio(float(_share_of_service(jobs, "overhead").sum()), float(_held(jobs).sum()))


def _of_replicas(window: Window) -> tuple[float, float]:
    """Accelerator-seconds that replicas of services held, and of them those in which they computed."""
    held = float(_held(window.replicas).sum())
    return held, held * serving.busy(window) if held else 0.0


def _busy(window: Window) -> float:
    """Utilization, less what went into restarts, and into replicas while they did not compute."""
    jobs = window.jobs
    kept, computing = _of_replicas(window)
    held = float(_held(jobs).sum()) + kept
    busy = float(_share_of_service(jobs, "compute", "network", "rework").sum()) + computing
    return ratio(window.integral("allocated"), window.integral("capacity")) * ratio(busy, held)


def _useful(window: Window) -> float:
    """Utilization by work that counts in the end: of jobs that completed or go on, without restarts and rework."""
    jobs = window.jobs
    kept, computing = _of_replicas(window)
    held = float(_held(jobs).sum()) + kept
    useful = float(_share_of_service(jobs, "compute", "network")[~jobs["timeout"] & ~jobs["failed"]].sum()) + computing
    return ratio(window.integral("allocated"), window.integral("capacity")) * ratio(useful, held)


def _fragmentation(window: Window) -> float:
    return ratio(window.fact("stranded"), window.integral("capacity", since=0.0))


SERVICE: list[Measure] = [
    _waited("capacity", "capacity", "because too few accelerators were free"),
    _waited("a place", "fragmentation", "though enough were free, as they lay scattered or were of another kind"),
    _waited("its turn", "order", "though enough were free, as the policy let others go first"),
    _waited("the policy", "policy", "because the policy held it back, for a quota or another reason that it gave"),
    _waited("its time", "held", "until its begin, its dependencies, or a place in its array"),
    Measure(
        "wait.max", "longest wait", "time", "lower", "longest time in the queue of any job but rejected ones", _longest
    ),
    Measure(
        "bounded_slowdown.mean", "mean bounded slowdown", "factor", "lower",
        "mean of completion time over time alone, which counts as 10 s at least (Feitelson et al. 1997)",
        lambda jobs: mean(bounded_slowdown(jobs)),
    ),
    Measure(
        "bounded_slowdown.p95", "p95 bounded slowdown", "factor", "lower",
        "95th percentile of the bounded slowdown", _percentile(95), smallest=max(SMALLEST_BATCH, 20),
    ),
    Measure(
        "starved", "starved jobs", "ratio", "lower",
        "share of completed jobs with a bounded slowdown above 100", _starved,
    ),
    Measure(
        "deadlines.met", "deadlines met", "ratio", "higher",
        "share of jobs with a deadline that completed by then", _met,
    ),
    Measure(
        "rework.share", "rework", "ratio", "lower",
        "accelerator-seconds whose work was lost at stops, over those held", _rework,
    ),
    Measure(
        "restart.share", "restarts", "ratio", "lower",
        "accelerator-seconds spent on restarts after stops and moves, over those held", _overhead,
    ),
    Measure(
        "utilization.busy", "busy utilization", "ratio", "",
        "accelerator-seconds in which jobs worked, restarts left out, and replicas computed, over those that were up",
        of_run=_busy,
    ),
    Measure(
        "utilization.useful", "useful utilization", "ratio", "higher",
        "accelerator-seconds of work that counted (no restarts, no rework, no jobs killed or failed; of replicas, what "
        "they computed) over those that were up", of_run=_useful,
    ),
    Measure(
        "fragmentation", "fragmentation", "ratio", "lower",
        "accelerator-seconds free while a job that asks for no more had no place, over those that were up, whole run",
        of_run=_fragmentation,
    ),
]  # fmt: skip
"""Measures of service, in the order in which tables show them."""
