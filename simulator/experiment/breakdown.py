"""Measures of jobs by group: by tenant, user, workload, size class, state, or period of submission."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, format_quantity, parse
from simulator.metrics.measure import Measure
from simulator.metrics.statistics import mean
from simulator.metrics.window import Jobs, Window

if TYPE_CHECKING:
    import pandas as pd

    from simulator.experiment.results import Results

SIZES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0)
"""Lower ends of the size classes, in accelerators; the classes of studies of training clusters go by powers of two."""
MOST_GROUPS = 1000
_TEXTS = ("tenant", "user", "workload")

Grouping = tuple[np.ndarray, list[str]]
"""For each job the number of its group, and the names of the groups in the order in which tables show them."""


def breakdown(results: Results, by: str, measures: Sequence[Measure]) -> pd.DataFrame:
    """Return one row an alternative and group, with ``jobs`` (their number) and each measure, means over replications.

    ``by`` is ``tenant``, ``user``, ``workload``, ``size``, ``state``, or a period of submission such as ``"1 d"``.
    Raises ``InputError`` for another, and for measures that are not of jobs.
    """
    import pandas as pd

    group = _grouping(by)
    _check(measures)
    rows = []
    for alternative in results.alternatives:
        found: dict[str, list[list[float]]] = {}
        for window in results.windows(alternative).values():
            for name, jobs in _groups(window, group):
                cells = [measure.of_jobs(jobs) for measure in measures if measure.of_jobs is not None]
                found.setdefault(name, []).append([float(len(jobs)), *cells])
        for name, runs in found.items():
            rows.append((alternative, name, *(mean(np.array(column)) for column in zip(*runs, strict=True))))
    return pd.DataFrame(rows, columns=["alternative", by, "jobs", *(measure.name for measure in measures)])


def _check(measures: Sequence[Measure]) -> None:
    wrong = [measure.name for measure in measures if measure.of_jobs is None]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: measures of the whole run, which groups of jobs do not have")


def _groups(window: Window, group: Callable[[Window], Grouping]) -> list[tuple[str, Jobs]]:
    index, names = group(window)
    return [(name, window.jobs.where(index == number)) for number, name in enumerate(names) if (index == number).any()]


def _grouping(by: str) -> Callable[[Window], Grouping]:
    if by in _TEXTS:
        return lambda window: _by_text(window.jobs[by])
    if by == "size":
        return lambda window: _by_size(window.jobs["accelerators"])
    if by == "state":
        return _by_state
    try:
        period = parse(by, "time")
    except UnitError:
        choices = (*_TEXTS, "size", "state")
        raise InputError(f"by: {by!r} is no group and no period such as '1 d'. {did_you_mean(by, choices)}") from None
    if not period > 0:
        raise InputError(f"by: a period of {period:g} s; it must be longer than 0")
    return lambda window: _by_period(window.jobs["submit"], period)


def _by_text(values: np.ndarray) -> Grouping:
    names, index = np.unique(values.astype(str), return_inverse=True)
    if len(names) > MOST_GROUPS:
        raise InputError(f"by: {len(names):,} groups are too many for a table; at most {MOST_GROUPS:,}")
    return index, [str(name) or "(none)" for name in names]


def _by_size(accelerators: np.ndarray) -> Grouping:
    names = ["none", "part of 1"]
    for low, high in pairwise(SIZES[1:]):
        names.append(f"{low:g}" if high == low + 1 else f"{low:g} to {high - 1:g}")
    names.append(f"{SIZES[-1]:g} and more")
    index = np.where(accelerators == 0, 0, np.searchsorted(np.array(SIZES[1:]), accelerators, "right") + 1)
    return index, names


def _by_state(window: Window) -> Grouping:
    names = ["completed", "timeout", "failed", "rejected", "unfinished"]
    return np.argmax([window.jobs[name] for name in names], axis=0), names


def _by_period(submit: np.ndarray, period: float) -> Grouping:
    index = np.floor(submit / period).astype(np.int64)
    count = int(index.max(initial=-1)) + 1
    if count > MOST_GROUPS:
        raise InputError(f"by: {count:,} periods are too many for a table; at most {MOST_GROUPS:,}")
    return index, [f"from {format_quantity(number * period, 'time')}" for number in range(count)]
