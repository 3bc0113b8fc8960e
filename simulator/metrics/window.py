"""The part of a run that is measured: what comes after the warm-up, jobs and requests in order of their coming."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np

from simulator.metrics.gaps import Gaps
from simulator.metrics.recorder import DECLARED, Record
from simulator.metrics.statistics import edges

_NUMBERS = (
    "submit", "start", "end", "wait", "jct", "slowdown", "accelerators", "preemptions", "work", "compute", "network",
    "overhead", "rework", "checkpointing", "hung", "service", "moves", "failures", "deadline", "wait_capacity",
    "wait_fragmentation", "wait_order",
    "wait_policy", "wait_held",
)  # fmt: skip
RUNNING = ("compute", "network", "overhead", "rework", "checkpointing", "hung")
"""Columns of jobs that the time of running is the sum of."""
_TEXTS = ("tenant", "user", "workload")
_STATES = {
    "completed": "COMPLETED", "rejected": "REJECTED", "unfinished": "UNFINISHED", "failed": "FAILED",
    "timeout": "TIMEOUT",
}  # fmt: skip


_OF_REQUESTS = (
    "row", "replica", "input", "output", "generated", "cached", "recomputed", "preemptions", "attempts", "arrival",
    "start", "first_token", "end", "ttft", "tpot", "e2e", "queue", "prefill", "transfer", "stalled", "decode",
    "slo_ttft", "slo_tpot", "slo_e2e", "id", "workload", "tenant", "class", "adapter", "session", "reason",
)  # fmt: skip
_FINAL = {"finished": "FINISHED", "rejected": "REJECTED", "timeout": "TIMEOUT", "unfinished": "UNFINISHED"}


class Rows:
    """Rows of a table as arrays of equal length: its columns, and one mask for each final state."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def where(self, mask: np.ndarray) -> Self:
        """Only the rows of a mask."""
        return type(self)({name: values[mask] for name, values in self.columns.items()})

    def batches(self, number: int) -> Iterator[Self]:
        """Cut into ``number`` consecutive runs of equal length, give or take one row."""
        borders = edges(len(self), number)
        for first, last in pairwise(borders):
            yield type(self)({name: values[first:last] for name, values in self.columns.items()})


class Jobs(Rows):
    """Jobs; masks ``completed``, ``rejected``, ``unfinished``, ``failed``, ``timeout``."""


class Requests(Rows):
    """Requests; masks ``finished``, ``rejected``, ``timeout``, ``unfinished``.

    ``age`` is the seconds from the arrival to the end of the run.
    """


class Window:
    """One record seen through its warm-up cut.

    Job measures see the jobs submitted at or after ``warmup``, request measures the requests that arrived then;
    integrals over time run from ``warmup`` to ``end`` (both in seconds). Replicas of services are jobs of the cluster,
    but none of job measures: they end when they are told to. Columns that a record lacks count as empty. ``values``
    and ``parts`` keep the measures, and those of batches, that were computed before; the record must not change.
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
    def services(self) -> dict[str, dict[str, Any]]:
        """What the record says of each service, by name."""
        return dict(self.record.facts.get("services") or {})

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs submitted from the warm-up on, in order of submission (ties: row, then workload and id)."""
        return self._jobs(self._order[~self._replica[self._order]])

    @cached_property
    def submitted(self) -> Jobs:
        """Jobs of the whole run, the warm-up included."""
        return self._jobs(np.flatnonzero(~self._replica))

    @cached_property
    def replicas(self) -> Jobs:
        """The replicas of services, of the whole run, as the jobs that they are for the cluster.

        ``number`` is the one in the service, which stands at the end of the job's name.
        """
        jobs = self._jobs(np.flatnonzero(self._replica))
        numbers = [int(str(name).rpartition("/")[2]) for name in self.column("jobs", "id")[self._replica]]
        return Jobs({**jobs.columns, "number": np.array(numbers, dtype=np.int64)})

    @cached_property
    def requests(self) -> Requests:
        """Requests that arrived from the warm-up on, in order of arrival (ties: row, then workload and id)."""
        return self.asked.where(self.asked["arrival"] >= self.warmup)

    @cached_property
    def served(self) -> Requests:
        """Requests that finished from the warm-up on, whenever they arrived; what rates count."""
        return self.asked.where(self.asked["finished"] & (self.asked["end"] >= self.warmup))

    @cached_property
    def asked(self) -> Requests:
        """All requests that came within the run, in order of arrival."""
        order = self._ordered("requests", "arrival")
        order = order[~(self.column("requests", "arrival")[order] > self.end)]
        columns = {name: self.column("requests", name)[order] for name in _OF_REQUESTS}
        state = self.column("requests", "state")[order]
        masks = {name: np.asarray(state == text, dtype=bool) for name, text in _FINAL.items()}
        return Requests(columns | masks | {"age": self.end - columns["arrival"]})

    @cached_property
    def serving(self) -> float:
        """Seconds in which requests were served: from the warm-up, or the first arrival if later, to the last end.

        To the end of the run when requests are unfinished; NaN without requests.
        """
        span = self.served_from_to()
        return math.nan if span is None else span[1] - span[0]

    def served_from_to(self, service: str | None = None) -> tuple[float, float] | None:
        """From when to when (s) requests were served, of all services or of one: as ``serving``; None without any."""
        asked = self.asked
        if service is not None:
            asked = asked.where(np.asarray(asked["workload"] == service, dtype=bool))
        if not len(asked):
            return None
        last = self.end if asked["unfinished"].any() else float(np.nanmax(asked["end"]))
        return max(self.warmup, float(asked["arrival"][0])), last

    @cached_property
    def gaps(self) -> Gaps:
        """Times between tokens, of the iterations that began after the warm-up."""
        after = self.column("iterations", "time") >= self.warmup
        columns = ("first", "growth", "count", "sequences", "stalled", "stall")
        return Gaps(*(self.column("iterations", name)[after] for name in columns))

    @cached_property
    def skipped(self) -> int:
        """Jobs submitted before the warm-up."""
        return int(np.count_nonzero(self.column("jobs", "submit")[~self._replica] < self.warmup))

    def same_jobs(self, other: Window) -> bool:
        """Whether both runs were given the same jobs at the same times, so that they can be compared job by job."""
        if len(self.jobs) != len(other.jobs) or not np.array_equal(self.jobs["submit"], other.jobs["submit"]):
            return False
        ours, theirs = (window._order[~window._replica[window._order]] for window in (self, other))
        return all(
            np.array_equal(self.column("jobs", name)[ours], other.column("jobs", name)[theirs])
            for name in ("row", "id", "workload")
        )

    def same_requests(self, other: Window) -> bool:
        """Whether both runs were given the same requests in the same order.

        The times may differ of requests of a session, as they wait for each other.
        """
        ours, theirs = self.requests, other.requests
        names = ("row", "input", "output", "id", "workload", "session")
        if not all(np.array_equal(ours[name], theirs[name]) for name in names):
            return False
        alone = np.asarray(ours["session"] == "", dtype=bool)
        return np.array_equal(ours["arrival"][alone], theirs["arrival"][alone])

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
    def _replica(self) -> np.ndarray:
        """Which rows of the table of jobs are replicas of services, of loads, or executors of data jobs."""
        workload = self.column("jobs", "workload")
        found = np.zeros(len(workload), dtype=bool)
        for name in dict.fromkeys([*self.services, *(self.record.facts.get("fleets") or {})]):
            found |= np.asarray(workload == name, dtype=bool)
        return found

    @cached_property
    def _order(self) -> np.ndarray:
        order = self._ordered("jobs", "submit")
        return np.asarray(order[self.column("jobs", "submit")[order] >= self.warmup])

    def _jobs(self, rows: np.ndarray) -> Jobs:
        state = self.column("jobs", "state")[rows]
        columns = {name: self.column("jobs", name)[rows] for name in (*_NUMBERS, *_TEXTS)}
        masks = {name: np.asarray(state == text, dtype=bool) for name, text in _STATES.items()}
        return Jobs(columns | masks)

    def _ordered(self, table: str, when: str) -> np.ndarray:
        came, row = self.column(table, when), self.column(table, "row")
        order = np.lexsort((row, came))
        tied = (np.diff(came[order]) == 0) & (np.diff(row[order]) == 0)
        if tied.any():
            workload, name = (self.column(table, column)[order].astype(str) for column in ("workload", "id"))
            order = order[np.lexsort((name, workload, row[order], came[order]))]
        return order


def number(value: Any, default: float = math.nan) -> float:
    """``value`` as a float; ``default`` when it is None."""
    return default if value is None else float(value)
