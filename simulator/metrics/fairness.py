"""Measures of fairness: between tenants, and of each job against its fair share of the cluster."""

from __future__ import annotations

import math

import numpy as np

from simulator.metrics.measure import Measure
from simulator.metrics.service import BOUND, bounded_slowdown
from simulator.metrics.statistics import mean, quantile
from simulator.metrics.window import Jobs, Window


def jain(values: np.ndarray) -> float:
    """Jain's index of shares, 1/n (one has all) to 1 (all the same): (sum x)^2 / (n sum x^2); NaN without values.

    Source: Jain, Chiu and Hawe, "A quantitative measure of fairness and discrimination" (DEC TR-301, 1984).

    >>> jain(np.array([1.0, 1.0])), jain(np.array([1.0, 0.0]))
    (1.0, 0.5)
    """
    squares = float(np.sum(values * values))
    return float(np.sum(values)) ** 2 / (len(values) * squares) if squares > 0 else math.nan


def _between_tenants(jobs: Jobs) -> float:
    done = jobs["completed"] & ~np.isnan(jobs["jct"])
    tenants, slowdown = jobs["tenant"][done], bounded_slowdown(jobs)
    if len(slowdown) != len(tenants):
        return math.nan
    names, index = np.unique(tenants.astype(str), return_inverse=True)
    if len(names) < 2:
        return math.nan
    return jain(np.bincount(index, slowdown) / np.bincount(index))


def rho(window: Window) -> np.ndarray:
    """Finish-time fairness of each completed job: its completion time over that on a fair share of the cluster.

    A fair share is 1/n of the accelerators that are up, n being the mean number of jobs in the system while the job was
    there; a job that asks for more than its share takes longer on it in proportion. Above 1: worse off than with a
    cluster cut into equal parts. After Mahajan et al., "Themis" (NSDI 2020), who define rho by T_shared / T_ideal; the
    slowdown on a share in proportion to the missing accelerators is ours, for jobs whose scaling is not known.
    """
    jobs = window.jobs
    done = jobs["completed"] & ~np.isnan(jobs["jct"])
    submit, end = jobs["submit"][done], jobs["end"][done]
    time = window.column("series", "time")
    if not submit.size or not time.size:
        return np.empty(0)
    active = window.column("series", "queued") + window.column("series", "running")
    present = _mean_between(time, active.astype(float), submit, end)
    capacity = _mean_between(time, window.column("series", "capacity"), submit, end)
    share = capacity / np.maximum(1.0, present)
    alone = np.maximum(jobs["work"][done], BOUND) * np.maximum(
        1.0, jobs["accelerators"][done] / np.maximum(share, 1e-9)
    )
    found = np.maximum(jobs["jct"][done], BOUND) / alone
    return np.asarray(found[~np.isnan(found)])


def _mean_between(time: np.ndarray, value: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Mean of a step function between many starts and ends; its value at the start where they are one."""
    area = np.append(0.0, np.cumsum(value[:-1] * np.diff(time)))

    def until(moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        row = np.clip(np.searchsorted(time, moment, "right") - 1, 0, None)
        return area[row] + value[row] * (moment - time[row]), value[row]

    (low, at), (high, _) = until(start), until(end)
    span = end - start
    mean_value: np.ndarray = np.where(span > 0, (high - low) / np.where(span > 0, span, 1.0), at)
    return mean_value


FAIRNESS: list[Measure] = [
    Measure(
        "fairness.jain", "Jain's index of tenants", "factor", "higher",
        "Jain's index of the mean bounded slowdowns of the tenants: 1 when all fare alike", _between_tenants,
    ),
    Measure(
        "fairness.rho.mean", "mean finish-time fairness", "factor", "lower",
        "mean over completed jobs of completion time over that on an equal share of the cluster (after Themis)",
        of_run=lambda window: mean(rho(window)),
    ),
    Measure(
        "fairness.rho.p99", "p99 finish-time fairness", "factor", "lower",
        "99th percentile of the finish-time fairness", of_run=lambda window: quantile(rho(window), 0.99),
    ),
    Measure(
        "fairness.rho.unfair", "unfairly treated jobs", "ratio", "lower",
        "share of completed jobs whose finish-time fairness is above 1: they would be better off on an equal share",
        of_run=lambda window: float(np.mean(found > 1 + 1e-9)) if (found := rho(window)).size else math.nan,
    ),
]  # fmt: skip
"""Measures of fairness, in the order in which tables show them."""
