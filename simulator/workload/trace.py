"""A trace: the jobs of a workload as arrays, what was set aside on the way, and cuts of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import repeat
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, format_quantity, parse
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
_MOST_BLOCKS = 1_000_000


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
        low = -math.inf if start is None else self._seconds(start)
        high = math.inf if end is None else self._seconds(end)
        submit = self.columns["submit"]
        keep = (submit >= low) & (submit < high)
        window = f"{self._moment(low, 'the start')} to {self._moment(high, 'the end')}"
        if not keep.any():
            first, last = (self._moment(float(s), "") for s in submit[[0, -1]]) if len(self) else ("nothing", "nothing")
            raise InputError(f"trace {self.name!r} has no job in the window {window}; it runs from {first} to {last}")
        trace = self._keep(keep, f"outside the window {window}")
        if start is None:
            return trace
        moved = _resubmitted(trace.columns, trace.columns["submit"] - low)
        return replace(trace, columns=moved, origin=self.origin and self.origin + timedelta(seconds=low))

    def _seconds(self, bound: Bound) -> float:
        if isinstance(bound, int | float):
            if not math.isfinite(bound):
                raise InputError(f"{bound!r} is not a bound of a window; write seconds, a time or a quantity")
            return float(bound)
        moment = _as_datetime(bound)
        if moment is None:
            try:
                return parse(str(bound), "time")
            except UnitError:
                raise InputError(
                    f"{bound!r} is not a bound of a window; write a time such as '2017-10-01 00:00:00', or '2 d'"
                ) from None
        if self.origin is None:
            raise InputError(f"trace {self.name!r} has no dates, so {bound!r} says nothing; write seconds or '2 d'")
        if (moment.tzinfo is None) != (self.origin.tzinfo is None):
            moment = moment.replace(tzinfo=self.origin.tzinfo)
        return (moment - self.origin).total_seconds()

    def _moment(self, seconds: float, unbounded: str) -> str:
        if math.isinf(seconds):
            return unbounded
        return f"{seconds:.15g} s" if self.origin is None else str(self.origin + timedelta(seconds=seconds))

    def scale_arrivals(self, factor: float) -> Trace:
        """Divide all submission times by ``factor``: above 1 the same jobs come closer together.

        The load rises by the factor, runs stay as long as they were. Dates mean nothing afterwards: cut windows first.
        """
        _check(factor, 0 < factor < math.inf, "scale_arrivals", "a number above 0")
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
        _check(block, 0 < block < math.inf, "resample", "a time above 0")
        if not len(self):
            return self
        blocks = self.span / block
        _check(block, blocks <= _MOST_BLOCKS, "resample", f"long enough: {blocks:.3g} blocks, at most {_MOST_BLOCKS:,}")
        submit = self.columns["submit"] - self.columns["submit"][0]
        borders = np.searchsorted(submit, block * np.arange(math.floor(submit[-1] / block) + 2))
        drawn = generator.integers(len(borders) - 1, size=len(borders) - 1)
        rows = np.concatenate([np.arange(borders[index], borders[index + 1]) for index in drawn])
        place = np.repeat(np.arange(len(drawn)), np.diff(borders)[drawn])
        moved = submit[rows] - block * drawn[place] + block * place
        columns = {name: column[rows] for name, column in (self.columns | {"row": self._rows()}).items()}
        note = f"put together at random from blocks of {format_quantity(block, 'time')} of the trace"
        columns = _resubmitted(columns, np.maximum.accumulate(moved))
        return known_dependencies(replace(self, columns=columns, origin=None, notes=(*self.notes, note)))

    def limit(self, jobs: int) -> Trace:
        """Keep the first ``jobs`` jobs."""
        _check(jobs, jobs >= 1 and int(jobs) == jobs, "limit", "a whole number of jobs, 1 or more")
        return self._keep(np.arange(len(self)) < jobs, f"after the first {int(jobs):,} jobs")

    def with_communication(self, share: float) -> Trace:
        """Give every job of more than one accelerator this share (0 to below 1) of exposed network time."""
        _check(share, 0 <= share < 1, "communication", "a share from 0 to below 1")
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
        aside = self.rows_read - len(self)
        lines = [f"{self.name}: {self.rows_read:,} rows: {len(self):,} kept, {aside:,} set aside"]
        for part in self.set_aside:
            more = ", ..." if part.count > len(part.rows) else ""
            rows = f" (row{'s' * (part.count > 1)} {', '.join(map(str, part.rows))}{more})" if part.rows else ""
            lines.append(f"  set aside {part.count:,}: {part.reason}{rows}")
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

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


Bound = datetime | date | str | float | None
"""One end of a window of time: a moment, seconds after the origin, a quantity, or None for no bound."""


def _as_datetime(bound: datetime | date | str | None) -> datetime | None:
    if isinstance(bound, datetime):
        return bound
    if isinstance(bound, date):
        return datetime(bound.year, bound.month, bound.day)
    try:
        return datetime.fromisoformat(str(bound).strip())
    except ValueError:
        return None


def _resubmitted(columns: Columns, submit: np.ndarray) -> Columns:
    """Return columns of jobs submitted at other times; their other times keep their distance from that."""
    moved = submit - columns["submit"]
    along = {name: np.maximum(columns[name] + moved, 0.0) for name in ("begin", "deadline") if name in columns}
    return columns | along | {"submit": submit}


def _check(value: float, good: bool, what: str, wanted: str) -> None:
    if not good:
        raise InputError(f"{what}: {value!r} is not {wanted}")
