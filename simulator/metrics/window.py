"""The part of a run that is measured: what comes after the warm-up, with the jobs in order of submission."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from simulator.metrics.recorder import DECLARED, Record
from simulator.metrics.statistics import edges

_NUMBERS = (
    "submit", "end", "wait", "jct", "slowdown", "accelerators", "preemptions", "work", "compute", "network", "overhead",
    "rework", "service", "moves", "deadline", "wait_capacity", "wait_fragmentation", "wait_order", "wait_policy",
    "wait_held",
)  # fmt: skip
_TEXTS = ("tenant", "user", "workload")
_STATES = {
    "completed": "COMPLETED", "rejected": "REJECTED", "unfinished": "UNFINISHED", "failed": "FAILED",
    "timeout": "TIMEOUT",
}  # fmt: skip


class Jobs:
    """Jobs as arrays of equal length: columns of the table, and one mask for each final state."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns["submit"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def where(self, mask: np.ndarray) -> Jobs:
        """Only the jobs of a mask."""
        return Jobs({name: values[mask] for name, values in self._columns.items()})

    def batches(self, number: int) -> Iterator[Jobs]:
        """Cut into ``number`` consecutive runs of equal length, give or take one job."""
        borders = edges(len(self), number)
        for first, last in pairwise(borders):
            yield Jobs({name: values[first:last] for name, values in self._columns.items()})


class Window:
    """One record seen through its warm-up cut.

    Job measures see the jobs submitted at or after ``warmup``; integrals over time run from ``warmup`` to ``end``
    (both in seconds). Columns that a record lacks count as empty. ``values`` and ``parts`` keep the measures, and those
    of batches, that were computed before; the record must not change meanwhile.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.warmup = self.fact("warmup", 0.0)
        self.end = self.fact("end")
        self.values: dict[str, float] = {}
        self.parts: dict[tuple[str, int], list[float]] = {}

    def fact(self, name: str, default: float = math.nan) -> float:
        """A number among the facts; ``default`` when it is missing."""
        return number(self.record.facts.get(name), default)

    def column(self, table: str, name: str) -> np.ndarray:
        """A column of the record; an empty one of the declared type when the record has no such table."""
        columns = self.record.tables.get(table, {})
        if name in columns:
            return columns[name]
        declared = next(column for column in DECLARED[table] if column.name == name)
        if columns:  # saved by a version that did not have the column yet
            return np.full(len(next(iter(columns.values()))), "" if declared.dtype == "str" else 0, declared.dtype)
        return np.empty(0, dtype=object if declared.dtype == "str" else declared.dtype)

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs submitted from the warm-up on, in order of submission (ties: row, then workload and id)."""
        state = self.column("jobs", "state")[self._order]
        columns = {name: self.column("jobs", name)[self._order] for name in (*_NUMBERS, *_TEXTS)}
        masks = {name: np.asarray(state == text, dtype=bool) for name, text in _STATES.items()}
        return Jobs(columns | masks)

    @cached_property
    def skipped(self) -> int:
        """Jobs submitted before the warm-up."""
        return int(np.count_nonzero(self.column("jobs", "submit") < self.warmup))

    def same_jobs(self, other: Window) -> bool:
        """Whether both runs were given the same jobs at the same times, so that they can be compared job by job."""
        if len(self.jobs) != len(other.jobs) or not np.array_equal(self.jobs["submit"], other.jobs["submit"]):
            return False
        ours, theirs = self._order, other._order
        return all(
            np.array_equal(self.column("jobs", name)[ours], other.column("jobs", name)[theirs])
            for name in ("row", "id", "workload")
        )

    def integral(self, column: str, since: float | None = None) -> float:
        """Integral over time of a column of ``series`` (a step function), in units x seconds, from ``since`` to end.

        ``since`` is the warm-up unless given. NaN when there is no series.
        """
        start = self.warmup if since is None else since
        times = self.column("series", "time")
        if times.size == 0 or not self.end > start:
            return math.nan
        steps = np.diff(np.append(np.clip(times, start, self.end), self.end))
        return float(self.column("series", column) @ steps)

    def span(self) -> float:
        """Seconds that ``integral`` covers: from the warm-up, or the first row of ``series`` if later, to the end."""
        times = self.column("series", "time")
        return self.end - max(self.warmup, float(times[0])) if times.size else math.nan

    @cached_property
    def _order(self) -> np.ndarray:
        submit, row = self.column("jobs", "submit"), self.column("jobs", "row")
        order = np.lexsort((row, submit))
        order = order[submit[order] >= self.warmup]
        tied = (np.diff(submit[order]) == 0) & (np.diff(row[order]) == 0)
        if tied.any():
            workload, name = (self.column("jobs", column)[order].astype(str) for column in ("workload", "id"))
            order = order[np.lexsort((name, workload, row[order], submit[order]))]
        return order


def number(value: Any, default: float = math.nan) -> float:
    """``value`` as a float; ``default`` when it is None."""
    return default if value is None else float(value)
