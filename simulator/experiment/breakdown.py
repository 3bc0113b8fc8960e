"""Measures by group: of jobs by tenant, size or period, of requests by class, tenant, adapter, replica or period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, format_quantity, parse
from simulator.metrics.measure import Measure
from simulator.metrics.measures import get
from simulator.metrics.statistics import mean
from simulator.metrics.window import Jobs, Rows, Window

if TYPE_CHECKING:
    import pandas as pd

    from simulator.experiment.results import Results

SIZES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0)
"""Lower ends of the size classes, in accelerators; the classes of studies of training clusters go by powers of two."""
MOST_GROUPS = 1000
OF_JOBS = ("jct.mean", "wait.mean", "bounded_slowdown.mean")
OF_REQUESTS = ("slo.attainment", "requests.per_s", "ttft.mean", "ttft.p99", "tpot.mean", "tpot.p99")
"""What is shown of a group when nobody says otherwise."""
_TEXTS = {
    "jobs": ("tenant", "user", "workload"),
    "requests": ("tenant", "workload", "class", "adapter", "session", "reason"),
}
_GROUPS = {"jobs": (*_TEXTS["jobs"], "size", "state"), "requests": (*_TEXTS["requests"], "replica", "state")}
_STATES = {
    "jobs": ["completed", "timeout", "failed", "rejected", "unfinished"],
    "requests": ["finished", "timeout", "rejected", "unfinished"],
}

Grouping = tuple[np.ndarray, list[str]]
"""For each job or request the number of its group, and the names of the groups in the order of tables."""


def breakdown(results: Results, by: str, measures: Sequence[Measure] = ()) -> pd.DataFrame:
    """Return one row an alternative and group, with their number and each measure, means over replications.

    The column of numbers is called ``jobs`` or ``requests``, whichever the measures are of; without measures requests
    are shown where only they have such groups, or where there are requests and no jobs. ``by`` is ``tenant``, ``user``,
    ``workload``, ``size`` or ``state`` of jobs; ``class``, ``tenant``, ``workload``, ``adapter``, ``session``,
    ``replica``, ``state`` or ``reason`` (of a rejection) of requests; or a period of submission or arrival such as
    ``"1 d"``. Rates are over the time of the whole run, so that those of groups add up. Raises ``InputError`` for
    another group, and for measures of neither jobs nor requests, or of both.
    """
    import pandas as pd

    subject = _subject(measures) if measures else _shown(results, by)
    chosen = measures or [get(name) for name in (OF_JOBS if subject == "jobs" else OF_REQUESTS)]
    group = _grouping(by, subject)
    rows = []
    for alternative in results.alternatives:
        found: dict[str, list[list[float]]] = {}
        for window in results.windows(alternative).values():
            for name, cells in _of_run(window, subject, chosen, group).items():
                found.setdefault(name, []).append(cells)
        rows += [
            (alternative, name, *(mean(np.array(column)) for column in zip(*runs, strict=True)))
            for name, runs in found.items()
        ]
    return pd.DataFrame(rows, columns=["alternative", by, subject, *(measure.name for measure in chosen)])


def _of_run(
    window: Window, subject: str, measures: Sequence[Measure], group: Callable[[Rows], Grouping]
) -> dict[str, list[float]]:
    """The number of jobs or requests in each group, and each measure of them, over one run."""
    came: Rows = window.jobs if subject == "jobs" else window.requests
    nobody = came.where(np.zeros(len(came), dtype=bool))
    parts = {id(rows): dict(_parts(rows, group)) for rows in (came, *(measure.rows(window) for measure in measures))}
    names = dict.fromkeys(name for found in parts.values() for name in found)
    return {
        name: [
            float(len(parts[id(came)].get(name, nobody))),
            *(measure.of(parts[id(measure.rows(window))].get(name, nobody), window) for measure in measures),
        ]
        for name in names
    }


def _subject(measures: Sequence[Measure]) -> str:
    whole = [measure.name for measure in measures if measure.subject == "run"]
    if whole:
        raise InputError(f"{', '.join(whole)}: measures of the whole run, which groups of jobs or requests do not have")
    kinds = {measure.subject: measure.name for measure in measures}
    if len(kinds) > 1:
        raise InputError(f"{kinds['jobs']} is of jobs, {kinds['requests']} of requests: ask for one after the other")
    return next(iter(kinds))


def _shown(results: Results, by: str) -> str:
    if (by in _GROUPS["jobs"]) != (by in _GROUPS["requests"]):
        return "jobs" if by in _GROUPS["jobs"] else "requests"
    windows = [window for name in results.alternatives for window in results.windows(name).values()]
    served = any(len(window.requests) for window in windows)
    return "requests" if served and not any(len(window.jobs) for window in windows) else "jobs"


def _parts(rows: Rows, group: Callable[[Rows], Grouping]) -> list[tuple[str, Rows]]:
    index, names = group(rows)
    there = np.bincount(index, minlength=len(names)) > 0 if len(index) else np.zeros(len(names), dtype=bool)
    return [(name, rows.where(index == number)) for number, name in enumerate(names) if there[number]]


def _grouping(by: str, subject: str) -> Callable[[Rows], Grouping]:
    if by in _TEXTS[subject]:
        return lambda rows: _by_text(rows[by])
    if by in _GROUPS[subject]:
        return {"size": _by_size, "replica": _by_replica, "state": _by_state}[by]
    try:
        period = parse(by, "time")
    except UnitError:
        other = "requests" if subject == "jobs" else "jobs"
        if by in _GROUPS[other]:
            raise InputError(f"by: {by!r} groups {other}, and the measures are of {subject}") from None
        choices = dict.fromkeys((*_GROUPS["jobs"], *_GROUPS["requests"]))
        raise InputError(f"by: {by!r} is no group and no period such as '1 d'. {did_you_mean(by, choices)}") from None
    if not period > 0:
        raise InputError(f"by: a period of {period:g} s; it must be longer than 0")
    when = "submit" if subject == "jobs" else "arrival"
    return lambda rows: _by_period(rows[when], period)


def _by_text(values: np.ndarray) -> Grouping:
    names, index = _coded(values)
    if len(names) > MOST_GROUPS:
        raise InputError(f"by: {len(names):,} groups are too many for a table; at most {MOST_GROUPS:,}")
    return index, [name or "(none)" for name in names]


def _coded(values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The different texts, sorted, and for each value the number of its own."""
    import pandas as pd

    index, names = pd.factorize(values, sort=True)
    return [str(name) for name in names], np.asarray(index)


def _by_size(rows: Rows) -> Grouping:
    accelerators = rows["accelerators"]
    names = ["none", "part of 1"]
    for low, high in pairwise(SIZES[1:]):
        names.append(f"{low:g}" if high == low + 1 else f"{low:g} to {high - 1:g}")
    names.append(f"{SIZES[-1]:g} and more")
    index = np.where(accelerators == 0, 0, np.searchsorted(np.array(SIZES[1:]), accelerators, "right") + 1)
    return index, names


def _by_state(rows: Rows) -> Grouping:
    names = _STATES["jobs" if isinstance(rows, Jobs) else "requests"]
    return np.argmax([rows[name] for name in names], axis=0), names


def _by_replica(rows: Rows) -> Grouping:
    services, first = _coded(rows["workload"])
    keys, index = np.unique(np.stack([first, rows["replica"]]), axis=1, return_inverse=True)
    if keys.shape[1] > MOST_GROUPS:
        raise InputError(f"by: {keys.shape[1]:,} groups are too many for a table; at most {MOST_GROUPS:,}")
    names = [
        f"{services[service]}/{number}" if number >= 0 else f"{services[service]}: none" for service, number in keys.T
    ]
    return index.reshape(-1), names


def _by_period(came: np.ndarray, period: float) -> Grouping:
    index = np.floor(came / period).astype(np.int64)
    count = int(index.max(initial=-1)) + 1
    if count > MOST_GROUPS:
        raise InputError(f"by: {count:,} periods are too many for a table; at most {MOST_GROUPS:,}")
    return index, [f"from {format_quantity(number * period, 'time')}" for number in range(count)]
