"""Standard Workload Format: what the Parallel Workloads Archive keeps its logs of HPC machines in.

Eighteen fields separated by blanks, -1 where something is not known; header comments after ``;``. Sources: the
definition of version 2.2 at www.cs.huji.ac.il/labs/parallel/workload/swf.html (Chapin et al., JSSPP 1999; Feitelson,
Tsafrir and Krakov, JPDC 2014). Requested and used memory are KiB a processor; a partial run that another line sums up
has status 2, 3 or 4; a job with a preceding job may start when that one has ended, after its think time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from simulator.workload.dependencies import known_dependencies
from simulator.workload.files import new_file
from simulator.workload.formats import reader
from simulator.workload.options import one_of
from simulator.workload.rows import Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

FIELDS = (
    "job", "submit", "wait", "run", "processors", "cpu_time", "used_memory", "requested_processors",
    "requested_time", "requested_memory", "status", "user", "group", "executable", "queue", "partition",
    "preceding", "think_time",
)  # fmt: skip
NUMBERS = (
    "submit", "run", "processors", "requested_processors", "requested_time", "requested_memory", "status", "preceding",
    "think_time",
)  # fmt: skip
_NAMES = ("user", "group", "executable", "queue", "partition")
STATES = {0: "FAILED", 1: "COMPLETED", 5: "CANCELLED", -1: "UNKNOWN"}
PARTIAL = (2, 3, 4)
_PROCESSORS = ("accelerators", "cores")
_TENANTS = ("group", "user", "queue", "partition")
_SIZES = ("allocated", "requested")
_KIB = 2.0**10
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_UNIX, _LATEST = 1e8, 1e11
"""Seconds from which on a first submission is a Unix time (1973) and no offset, and up to which it is a date."""

_PART = "a partial run of a job (status 2, 3 or 4), which another line sums up"
_NO_SUBMIT = "no time of submission (-1)"
_NO_RUN = "no run time (-1): it never started, or nobody knows how long it ran"
_NO_SIZE = "neither allocated nor requested processors (-1)"
_EXTRA = "rows of more than 18 fields, of which the first 18 are read: {n}"
_OVERRAN = "jobs that ran longer than they asked for, which may run that long again: {n}"
_THINK = "jobs with a think time after the job that they follow, which is not modelled: {n}"
_NO_ZONE = "the time zone {zone!r} of the header is not known here, dates are UTC"

Header = dict[str, str]


def _begins(text: str) -> bool:
    first = next((line for line in text.splitlines() if line.strip()), "")
    cells = first.split()
    return first.startswith(";") or (
        len(cells) >= len(FIELDS) and all(_NUMBER.fullmatch(cell) for cell in cells[: len(FIELDS)])
    )


@reader("swf", begins=_begins)
def read(
    path: str | Path, processors: Literal["accelerators", "cores"] = "accelerators",
    tenant: Literal["group", "user", "queue", "partition"] = "group",
    size: Literal["allocated", "requested"] = "allocated",
) -> Trace:  # fmt: skip
    """Standard Workload Format of HPC logs; options: processors (accelerators | cores), tenant (group | user | queue).

    A processor counts as one accelerator, so that a log replays on any cluster; with ``processors="cores"`` jobs ask
    for cores and no accelerator. Allocated processors are taken, else requested ones; with ``size="requested"`` the
    other way round, as most simulators of schedulers do (AccaSim, pyss). The requested time is the
    ``estimate`` and the ``limit``, which is never below the recorded run; the preceding job stands in ``after``.
    ``UnixStartTime`` and ``TimeZoneString`` of the header give the dates. ``where(state="CANCELLED")`` and
    ``where(queue="1")`` work.
    """
    as_cores = one_of("processors", processors, _PROCESSORS) == "cores"
    one_of("tenant", tenant, _TENANTS)
    one_of("size", size, _SIZES)
    header: Header = {}
    extra: list[int] = []
    table = Table(
        path, "swf", required=FIELDS, known=FIELDS, delimiter=" ", quoting=False, names=FIELDS,
        tidy=lambda lines: _tidy(lines, header, extra),
    )  # fmt: skip
    columns = table.gather(lambda rows: _parse(rows, as_cores, tenant, size))
    table.book.base = _start(table, header, columns["submit"])
    table.book.counts[_EXTRA] = len(extra)
    return known_dependencies(table.finish(columns))


def _tidy(lines: Iterator[str], header: Header, extra: list[int]) -> Iterator[str]:
    """Turn lines into 18 cells and a line end; keep ``; Key: value`` of the header, and note longer rows."""
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if cells and cells[0].startswith(";"):
            key, _, value = line.strip().lstrip("; ").partition(":")
            header.setdefault(key.strip(), value.strip())
            cells = []
        if len(cells) > len(FIELDS):
            extra.append(number)
        yield " ".join(cells[: len(FIELDS)]) + "\n"


def _start(table: Table, header: Header, submit: np.ndarray) -> datetime | None:
    """Return the moment that second 0 of the file stands for; None where nothing tells."""
    earliest = float(submit.min(initial=np.inf))
    text = header.get("UnixStartTime", "")
    unix = float(text) if text.isdecimal() and earliest < _UNIX else 0.0
    if not _UNIX <= unix + earliest <= _LATEST:
        return None
    zone = timezone(_offset(table, header.get("TimeZoneString", ""), unix + earliest))
    return datetime.fromtimestamp(0, UTC).astimezone(zone) + timedelta(seconds=unix)


def _offset(table: Table, name: str, moment: float) -> timedelta:
    """Hours of a zone before UTC at a Unix time; those of summer or winter then hold for the whole log."""
    try:
        zone = ZoneInfo(name) if name else UTC
        return datetime.fromtimestamp(moment, zone).utcoffset() or timedelta()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.book.counts[_NO_ZONE.format(zone=name)] = 1
        return timedelta()


def _parse(rows: Rows, as_cores: bool, tenant: str, which: str) -> Columns:
    fields = {name: rows.numbers(name, low=-1.0) for name in NUMBERS}
    for out, reason in _ASIDE:
        mask = out(fields)
        rows = rows.without(mask, reason)
        fields = {name: column[~mask] for name, column in fields.items()}
    run, asked, size = fields["run"], fields["requested_time"], _sizes(fields, which)
    rows.gangs("processors", size)
    rows.count(_OVERRAN, int(np.sum((asked >= 0) & (run > asked))))
    rows.count(_THINK, int(np.sum((fields["preceding"] > 0) & (fields["think_time"] > 0))))
    names = {name: _names(rows, name) for name in _NAMES}
    return {
        "row": rows.row,
        "id": rows.objects("job"),
        "submit": fields["submit"],
        "duration": run,
        "accelerators": np.zeros(len(rows)) if as_cores else size,
        "cores": size if as_cores else np.zeros(len(rows)),
        "memory": np.maximum(fields["requested_memory"], 0.0) * _KIB * size,
        "estimate": np.where(asked < 0, -1.0, asked),
        "limit": np.where(asked < 0, np.inf, np.maximum(asked, run)),
        "after": as_objects((f"{number:.0f}",) if number > 0 else () for number in fields["preceding"].tolist()),
        "state": _states(rows, fields["status"]),
        "tenant": names[tenant],
    } | {name: column for name, column in names.items() if name != "group"}


def _sizes(fields: Columns, which: str) -> np.ndarray:
    allocated, requested = fields["processors"], fields["requested_processors"]
    if which == "requested":
        return np.where(requested > 0, requested, np.maximum(allocated, 0.0))
    return np.where(allocated < 0, requested, allocated)


_ASIDE: tuple[tuple[Callable[[Columns], np.ndarray], str], ...] = (
    (lambda fields: np.isin(fields["status"], PARTIAL), _PART),
    (lambda fields: fields["submit"] < 0, _NO_SUBMIT),
    (lambda fields: fields["run"] < 0, _NO_RUN),
    (lambda fields: np.maximum(fields["processors"], fields["requested_processors"]) < 0, _NO_SIZE),
)
"""Which rows are set aside, and why, one reason after the other."""


def _names(rows: Rows, column: str) -> np.ndarray:
    """A field of numbers that stand for names; empty where it is not known."""
    return as_objects("" if cell.startswith("-") else cell for cell in rows.objects(column).tolist())


def _states(rows: Rows, codes: np.ndarray) -> np.ndarray:
    for index, code in enumerate(codes.tolist()):
        if code not in STATES:
            rows.problem(index, "status", f"{code:g} is not a status: -1 to 5")
    return as_objects(STATES.get(code, "UNKNOWN") for code in codes.tolist())


def write(trace: Trace, path: str | Path, processors: Literal["accelerators", "cores"] = "accelerators") -> None:
    """Write a trace in the Standard Workload Format, version 2.2.

    Times are rounded to seconds (a run to 1 at least), shares of an accelerator to a whole one, memory to KiB a
    processor. Names that are no numbers become numbers, which comments explain; so do ids unless all are numbers. The
    requested time is the ``estimate``, else the ``limit``. One dependency of each job can be kept.
    """
    as_cores = one_of("processors", processors, _PROCESSORS) == "cores"
    numbered = {name: _numbered(trace, name) for name in ("id", "tenant", "user", "queue", "partition", "executable")}
    with new_file(path) as file:
        for key, value in _header(trace, numbered).items():
            file.write(f"; {key}: {value}\n")
        for row in _rows(trace, numbered, as_cores):
            file.write(" ".join(f"{value:d}" for value in row) + "\n")


def _header(trace: Trace, numbered: Mapping[str, Mapping[str, int]]) -> dict[str, str | int]:
    lines: dict[str, str | int] = {"Version": "2.2", "MaxJobs": len(trace), "MaxRecords": len(trace)}
    if trace.origin is not None:
        origin = trace.origin if trace.origin.tzinfo else trace.origin.replace(tzinfo=UTC)
        lines |= {"UnixStartTime": round(origin.timestamp()), "TimeZoneString": "UTC"}
    for name, kind in (("tenant", "Group"), ("user", "User"), ("queue", "Queue"), ("partition", "Partition")):
        told = [f"{number} {text}" for text, number in numbered[name].items() if text != str(number)]
        lines |= {f"{kind}": ", ".join(told).replace("\n", " ")} if told else {}
    return lines


def _numbered(trace: Trace, name: str) -> dict[str, int]:
    """The number of each name of a column: its own if all are numbers, else one after the other from 1."""
    names = [str(text) for text in dict.fromkeys(trace.columns[name].tolist())] if name in trace.columns else []
    names = [text for text in names if text]
    if all(text.isdecimal() and text == str(int(text)) for text in names):
        return {text: int(text) for text in names}
    return {text: number for number, text in enumerate(names, start=1)}


def _rows(trace: Trace, numbered: Mapping[str, Mapping[str, int]], as_cores: bool) -> Iterator[tuple[int, ...]]:
    ids = numbered["id"] if len(numbered["id"]) == len(trace) else {}

    def number(name: str, text: Any) -> int:
        return numbered[name].get(str(text), -1)

    more = [_column(trace, name) for name in ("queue", "executable", "state")]
    for place, (job, queue, executable, state) in enumerate(zip(trace.jobs("job"), *more, strict=True), start=1):
        size = -(-(job.cores if as_cores else job.accelerators) // 1)
        asked = job.estimate if job.estimate >= 0 or job.limit == np.inf else job.limit
        status = next((code for code, text in STATES.items() if text == state), -1)
        yield (
            ids.get(job.id, place), round(job.submit), -1, max(1, round(job.duration)), int(size), -1, -1, int(size),
            round(asked) if asked >= 0 else -1, round(job.memory / _KIB / size) if job.memory and size else -1,
            status, number("user", job.user), number("tenant", job.tenant), number("executable", executable),
            number("queue", queue), number("partition", job.partition),
            ids.get(job.after[0], -1) if job.after else -1, -1,
        )  # fmt: skip


def _column(trace: Trace, name: str) -> list[Any]:
    return trace.columns[name].tolist() if name in trace.columns else [""] * len(trace)
