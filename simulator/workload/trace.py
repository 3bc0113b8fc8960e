"""A trace: the jobs of a workload as arrays, what was set aside on the way, and cuts of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import format_quantity
from simulator.workload.cuts import Bound, account, check, drawn_blocks, moment_of, resampled_note, seconds_of
from simulator.workload.dependencies import known_dependencies
from simulator.workload.jobs import BatchJob
from simulator.workload.making import maker

Columns = dict[str, np.ndarray]

REQUIRED = ("submit", "duration", "accelerators")
DEFAULTS: dict[str, Any] = {
    "estimate": -1.0,
    "cores": 0.0,
    "memory": 0.0,
    "priority": 0.0,
    "communication": 0.0,
    "tenant": "",
    "accelerator_types": (),
    "max_servers": 0,
    "user": "",
    "partition": "",
    "begin": 0.0,
    "deadline": math.inf,
    "limit": math.inf,
    "after": (),
    "array": "",
    "array_limit": 0,
    "preemptible": True,
    "restart": -1.0,
    "checkpoint": 0.0,
    "minimum": 0.0,
    "maximum": 0.0,
    "model": "",
    "speedup": None,
    "selector": (),
    "tolerations": (),
}
"""What a job of a trace has where the trace does not say."""
LONGEST = 1e12
"""Seconds that a time of a trace may have."""
_CHUNK = 8192
_ROWS_NAMED = 5


@dataclass(frozen=True, slots=True)
class SetAside:
    """Rows that did not become jobs, and why.

    ``rows`` are the first few row numbers, counted from 1 after the header.
    """

    reason: str
    count: int
    rows: tuple[int, ...] = ()

    @classmethod
    def of(cls, reason: str, rows: np.ndarray) -> SetAside:
        """Count ``rows`` (row numbers) and remember the first few."""
        return cls(reason, len(rows), tuple(int(row) for row in np.sort(rows)[:_ROWS_NAMED]))


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server of the cluster that a trace was recorded on: ``memory`` in bytes, ``model`` of its accelerators."""

    name: str
    accelerators: float
    model: str = ""
    cores: float = 0.0
    memory: float = 0.0


@dataclass(frozen=True, eq=False)
class Trace:
    """Jobs as columns, in order of submission; filters return a new trace, without dependencies on what they leave out.

    ``columns`` maps names to numpy arrays of one length. ``submit`` (s), ``duration`` (s) and ``accelerators`` are
    always there; ``estimate`` (s, negative: exactly what it will take), ``cores``, ``memory`` (bytes), ``priority``,
    ``communication`` (share of the duration) and ``row`` (from 1 after the header) are numbers; ``id``, ``tenant``,
    ``accelerator_types`` (tuples), ``state`` and what else a format knows are Python objects.

    ``submit`` counts from ``origin`` where the file has dates, and otherwise from the first job. ``servers`` is the
    cluster of the trace where it is known. Rows read = jobs kept + rows set aside, always.
    """

    name: str
    columns: Columns
    set_aside: tuple[SetAside, ...] = ()
    origin: datetime | None = None
    servers: tuple[ServerRow, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in REQUIRED:
            if name not in self.columns:
                raise InputError(f"trace {self.name!r} has no column {name!r}. {did_you_mean(name, self.columns)}")
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"the columns of trace {self.name!r} differ in length: {lengths}")
        submit = self.columns["submit"]
        if not np.all(submit[1:] >= submit[:-1]):
            raise InputError(f"trace {self.name!r} is not in order of submission; use Trace.sorted(...)")
        for name in ("submit", "duration"):
            self._check_span(name)

    def _check_span(self, name: str) -> None:
        """Refuse times beyond which the clock, a 64-bit float, is too coarse to tell milliseconds apart."""
        beyond = np.flatnonzero(self.columns[name] > LONGEST)
        if len(beyond):
            row = f" in row {self.columns['row'][beyond[0]]:g}" if "row" in self.columns else ""
            found = f"{name} is {self.columns[name][beyond[0]]:g} s{row}"
            hint = f"times are at most {LONGEST:g} s (30,000 years); are the units right?"
            raise InputError(Problem(f"trace {self.name!r}: {found}", hint=hint))

    @classmethod
    def sorted(cls, name: str, columns: Mapping[str, np.ndarray], **rest: Any) -> Trace:
        """Build a trace from columns in any order: sorted by ``submit``, ties in the order given."""
        order = np.argsort(columns["submit"], kind="stable")
        return cls(name, {key: column[order] for key, column in columns.items()}, **rest)

    def __len__(self) -> int:
        return len(self.columns["submit"])

    @property
    def span(self) -> float:
        """Seconds from the first submission to the last."""
        submit = self.columns["submit"]
        return float(submit[-1] - submit[0]) if len(self) else 0.0

    @property
    def accelerator_seconds(self) -> float:
        """Work of all jobs: the sum of accelerators x duration."""
        return float(np.sum(self.columns["accelerators"] * self.columns["duration"]))

    @property
    def rows_read(self) -> int:
        """Rows of the file: those kept and those set aside."""
        return len(self) + sum(part.count for part in self.set_aside)

    def jobs(self, workload: str = "", **over: Any) -> Iterator[BatchJob]:
        """Yield a fresh ``BatchJob`` for each row, in order of submission.

        ``over`` replaces a column by one value, for example ``estimate=-1.0`` or ``cores=0.0``. Where the trace has no
        ids a job is called ``<workload>-<row>``.
        """
        known = (*REQUIRED, *DEFAULTS)
        for name in over:
            if name not in known:
                raise InputError(f"a job of a trace has no {name!r}. {did_you_mean(name, known)}")
        return self._jobs(workload, over)

    def _jobs(self, workload: str, over: Mapping[str, Any]) -> Iterator[BatchJob]:
        more = [name for name in DEFAULTS if name in over or name in self.columns]
        make = maker(("id", "row", "workload", *REQUIRED, *more))
        prefix = workload or "job"
        for low in range(0, len(self), _CHUNK):
            part = slice(low, low + _CHUNK)
            rows = self._rows()[part].tolist()
            ids = self.columns["id"][part].tolist() if "id" in self.columns else [f"{prefix}-{row}" for row in rows]
            needed = [self._values(name, part, over) for name in REQUIRED]
            others = [self._values(name, part, over) for name in more]
            yield from map(make, ids, rows, repeat(workload), *needed, *others)

    def _values(self, name: str, part: slice, over: Mapping[str, Any]) -> Iterable[Any]:
        if name in over:
            return repeat(over[name])
        values: list[Any] = self.columns[name][part].tolist()
        return values

    def _rows(self) -> np.ndarray:
        rows = self.columns.get("row")
        return np.arange(1, len(self) + 1) if rows is None else rows

    def where(self, **values: str | Iterable[str]) -> Trace:
        """Keep the jobs whose column has this value, or one of these: ``where(tenant="6214e9")``.

        Raises ``InputError`` with the nearest choice for a column or value that the trace does not have.
        """
        trace = self
        for name, value in values.items():
            trace = trace._where(name, (value,) if isinstance(value, str) else tuple(value))
        return trace

    def _where(self, name: str, wanted: tuple[str, ...]) -> Trace:
        texts = [key for key, column in self.columns.items() if column.dtype == object and key != "accelerator_types"]
        if name not in texts:
            raise InputError(f"trace {self.name!r} has no {name!r} to choose by. {did_you_mean(name, texts)}")
        column = self.columns[name]
        known = dict.fromkeys(column.tolist())
        for value in wanted:
            if value not in known:
                raise InputError(f"trace {self.name!r} has no {name} {value!r}. {did_you_mean(value, known)}")
        keep = np.fromiter((value in wanted for value in column.tolist()), bool, len(self))
        return self._keep(keep, f"{name} is not {' or '.join(wanted)}")

    def between(self, start: Bound = None, end: Bound = None) -> Trace:
        """Keep the jobs submitted from ``start`` to before ``end``; times then count from ``start``.

        A bound is a date or time of the trace's own clock (``datetime``, ``date`` or ISO text), seconds after the
        origin, or a quantity such as ``"2 d"``. Raises ``InputError`` for a bound that says nothing, and when no job
        is left.
        """
        low = -math.inf if start is None else seconds_of(start, self.origin, f"trace {self.name!r}")
        high = math.inf if end is None else seconds_of(end, self.origin, f"trace {self.name!r}")
        submit = self.columns["submit"]
        keep = (submit >= low) & (submit < high)
        window = f"{moment_of(low, self.origin, 'the start')} to {moment_of(high, self.origin, 'the end')}"
        if not keep.any():
            ends = submit[[0, -1]].tolist() if len(self) else []
            first, last = [moment_of(each, self.origin, "") for each in ends] or ("nothing", "nothing")
            raise InputError(f"trace {self.name!r} has no job in the window {window}; it runs from {first} to {last}")
        trace = self._keep(keep, f"outside the window {window}")
        if start is None:
            return trace
        moved = _resubmitted(trace.columns, trace.columns["submit"] - low)
        return replace(trace, columns=moved, origin=self.origin and self.origin + timedelta(seconds=low))

    def scale_arrivals(self, factor: float) -> Trace:
        """Divide all submission times by ``factor``: above 1 the same jobs come closer together.

        The load rises by the factor, runs stay as long as they were. Dates mean nothing afterwards: cut windows first.
        """
        check(factor, 0 < factor < math.inf, "scale_arrivals", "a number above 0")
        note = f"arrivals scaled by {factor:g}: submission times divided by it"
        columns = _resubmitted(self.columns, self.columns["submit"] / factor)
        return replace(self, columns=columns, origin=None, notes=(*self.notes, note))

    def resample(self, block: float, generator: np.random.Generator) -> Trace:
        """Return a trace of the same length in time, put together from randomly drawn blocks of this one.

        Time is cut into blocks of ``block`` seconds; as many blocks are drawn, with replacement, and laid end to
        end, each job keeping its place within its block (the block bootstrap; Carlstein 1986, Annals of Statistics
        14(3)). It turns one trace into replications: what repeats within a block stays, what links blocks is lost.
        Dates mean nothing afterwards. A job that is drawn twice appears twice, with the row it came from.
        """
        check(block, 0 < block < math.inf, "resample", "a time above 0")
        if not len(self):
            return self
        drawn = drawn_blocks(self.columns["submit"], block, generator)
        columns = {name: column[drawn.rows] for name, column in (self.columns | {"row": self._rows()}).items()}
        columns = _resubmitted(columns, drawn.times)
        notes = (*self.notes, resampled_note(block))
        return known_dependencies(replace(self, columns=columns, origin=None, notes=notes))

    def limit(self, jobs: int) -> Trace:
        """Keep the first ``jobs`` jobs."""
        check(jobs, jobs >= 1 and int(jobs) == jobs, "limit", "a whole number of jobs, 1 or more")
        return self._keep(np.arange(len(self)) < jobs, f"after the first {int(jobs):,} jobs")

    def with_communication(self, share: float) -> Trace:
        """Give every job of more than one accelerator this share (0 to below 1) of exposed network time."""
        check(share, 0 <= share < 1, "communication", "a share from 0 to below 1")
        values = np.where(self.columns["accelerators"] > 1, float(share), 0.0)
        note = f"{share:g} of the duration of jobs of more than one accelerator is taken to be exposed network time"
        return replace(self, columns=self.columns | {"communication": values}, notes=(*self.notes, note))

    def with_limits_as_estimates(self) -> Trace:
        """Tell schedulers that every job runs to its limit (walltime), as Slurm takes it; others exactly."""
        if "limit" not in self.columns:
            raise InputError(f"trace {self.name!r} states no limits, so they tell nothing: leave the estimates")
        limit = self.columns["limit"]
        return replace(self, columns=self.columns | {"estimate": np.where(limit < np.inf, limit, -1.0)})

    def report(self) -> str:
        """Say how many rows were read, kept, and set aside for which reason, one line each."""
        return account(self.name, len(self), self.set_aside, self.notes)

    def describe(self) -> dict[str, float]:
        """Return the figures that tell what kind of load this is.

        ``jobs``; ``span`` (s); ``rate`` (jobs/s); ``accelerator_seconds``; ``demand`` (accelerators busy on average if
        nothing waited: accelerator-seconds over span); ``accelerators.mean`` and ``.max``; ``duration.mean``, ``.p50``,
        ``.p99`` (s). NaN where the trace is too short to tell.
        """
        accelerators, duration = self.columns["accelerators"], self.columns["duration"]
        span = self.span or math.nan
        p50, p99 = np.percentile(duration, [50, 99]) if len(self) else (math.nan, math.nan)
        return {
            "jobs": float(len(self)),
            "span": self.span,
            "rate": len(self) / span,
            "accelerator_seconds": self.accelerator_seconds,
            "demand": self.accelerator_seconds / span,
            "accelerators.mean": float(accelerators.mean()) if len(self) else math.nan,
            "accelerators.max": float(accelerators.max(initial=0.0)),
            "duration.mean": float(duration.mean()) if len(self) else math.nan,
            "duration.p50": float(p50),
            "duration.p99": float(p99),
        }

    def __repr__(self) -> str:
        span = format_quantity(self.span, "time")
        return f"<Trace {self.name}: {len(self):,} jobs over {span}, {self.rows_read - len(self):,} rows set aside>"

    def _keep(self, keep: np.ndarray, reason: str) -> Trace:
        if keep.all():
            return self
        aside = SetAside.of(reason, self._rows()[~keep])
        columns = {name: column[keep] for name, column in (self.columns | {"row": self._rows()}).items()}
        return known_dependencies(replace(self, columns=columns, set_aside=(*self.set_aside, aside)))


def _resubmitted(columns: Columns, submit: np.ndarray) -> Columns:
    """Return columns of jobs submitted at other times; their other times keep their distance from that."""
    moved = submit - columns["submit"]
    along = {name: np.maximum(columns[name] + moved, 0.0) for name in ("begin", "deadline") if name in columns}
    return columns | along | {"submit": submit}
