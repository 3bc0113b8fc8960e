"""Microsoft Philly, the whole log of jobs as it was published: JSON, with every attempt to run each job.

A list of ``status,vc,jobid,attempts,submitted_time,user``; each attempt has ``start_time,end_time,detail``, and each
entry of ``detail`` a server (``ip``) and its ``gpus``. Times are on the clock of the site, without a zone (only its
telemetry says PDT and PST). Source: msr-fiddle/philly-traces, cluster_job_log (Jeon et al., USENIX ATC 2019), README at
commit 29a1b87: a job may have no attempt, an attempt no start or end; without an end of the last, the job still ran.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.workload.formats import reader
from simulator.workload.jsonrows import json_objects
from simulator.workload.options import one_of
from simulator.workload.rows import Book, as_objects
from simulator.workload.table import as_trace
from simulator.workload.trace import Columns, Trace

KEYS = ("status", "vc", "jobid", "attempts", "submitted_time", "user")
ATTEMPT_KEYS = ("start_time", "end_time", "detail")
DETAIL_KEYS = ("ip", "gpus")
STATUSES = ("Pass", "Killed", "Failed")
NOTHING = (None, "", "None", "NA")
"""What stands in place of a time that was not recorded."""
_ATTEMPTS = ("sum", "last", "first")
_RUNNING = ("set aside", "keep")

_NO_SUBMIT = "no time of submission"
_NO_ATTEMPT = "no attempt to run it was recorded"
_NO_TIMES = "no attempt has both a start and an end after it"
_ACTIVE = "still running at the end of the log (the last attempt has no end): how long it would have run is not known"
_CENSORED = "jobs still running at the end of the log, kept with the seconds they had run until its last time: {n}"
_LEFT_OUT = "attempts without a start, or without an end though others follow, left out: {n}"
_BACKWARDS = "attempts that end before they start, left out (clocks went back an hour on 2017-11-05): {n}"
_SEVERAL = {
    "sum": "jobs of several attempts, which run for the sum of them and on the GPUs of the last: {n}",
    "last": "jobs of several attempts, of which the last is taken: {n}",
    "first": "jobs of several attempts, of which the first is taken: {n}",
}
_DIFFERENT = "jobs whose attempts had different numbers of GPUs: {n}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One stretch of running: ``start`` and ``end`` (None: not recorded), and the number of GPUs."""

    start: datetime | None
    end: datetime | None
    gpus: int

    @property
    def seconds(self) -> float:
        """How long it ran; NaN where a time is missing, and below 0 where the clock was set back."""
        return (self.end - self.start).total_seconds() if self.start and self.end else math.nan


def _begins(text: str) -> bool:
    return text.lstrip().startswith("[") and '"attempts"' in text and '"submitted_time"' in text


@reader("philly-json", begins=_begins)
def read(
    path: str | Path, attempts: Literal["sum", "last", "first"] = "sum",
    running: Literal["set aside", "keep"] = "set aside", timezone: str | None = None,
) -> Trace:  # fmt: skip
    """Microsoft Philly JSON log; options: attempts (sum | last | first), running (set aside | keep), timezone.

    A job runs for the sum of its attempts, without the gaps between them, on the GPUs that the last of them had; or for
    its ``last`` or ``first`` attempt only. The virtual cluster is the tenant; ``where(state="Pass")`` works. With a
    ``timezone`` such as ``America/Los_Angeles`` times become UTC, which undoes the change from daylight saving time on
    2017-11-05; an hour that stands twice on the clock is taken for the first of the two.
    """
    one_of("attempts", attempts, _ATTEMPTS)
    keep = one_of("running", running, _RUNNING) == "keep"
    book = Book(str(path))
    log = list(_jobs(Path(path), book, _zone(timezone)))
    book.problems.check()
    return as_trace(Path(path), book, _columns(book, log, attempts, keep))


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError(f"timezone: {name!r} is not a time zone known here, such as America/Los_Angeles") from None


@dataclass(frozen=True, slots=True)
class _Job:
    row: int
    texts: tuple[str, str, str, str]
    """Id, virtual cluster, user, status."""
    submit: datetime | None
    attempts: tuple[Attempt, ...]


def _jobs(path: Path, book: Book, zone: ZoneInfo | None) -> Iterator[_Job]:
    for row, (line, entry) in enumerate(json_objects(path, "jobs"), start=1):
        cells = _Cells(book, line, zone)
        if cells.keys(entry, KEYS, ""):
            texts = (
                cells.text(entry, "jobid"),
                cells.text(entry, "vc"),
                cells.text(entry, "user"),
                cells.status(entry),
            )
            listed = cells.listed(entry["attempts"], ATTEMPT_KEYS, "attempts")
            attempts = tuple(cells.attempt(place, attempt) for place, attempt in listed)
            yield _Job(row, texts, cells.time(entry["submitted_time"], "submitted_time"), attempts)


class _Cells:
    """The values of one job, and what is wrong with them, told by the line on which the job begins."""

    def __init__(self, book: Book, line: int, zone: ZoneInfo | None) -> None:
        self._book = book
        self._line = line
        self._zone = zone

    def keys(self, entry: Any, known: tuple[str, ...], place: str) -> bool:
        if not isinstance(entry, dict):
            return self._wrong(place, f"{_short(entry)} is not an object with {', '.join(known)}")
        missing = [name for name in known if name not in entry]
        unknown = [name for name in entry if name not in known]
        for name in missing:
            self._wrong(place, f"there is no {name!r}")
        for name in unknown:
            self._wrong(place, f"unknown key {name!r}", did_you_mean(name, known))
        return not missing and not unknown

    def listed(self, value: Any, known: tuple[str, ...], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the place and the object of each entry of a list whose entries have the ``known`` keys."""
        if not isinstance(value, list):
            self._wrong(place, f"{_short(value)} is not a list")
            return
        for index, entry in enumerate(value):
            if self.keys(entry, known, f"{place}[{index}]"):
                yield f"{place}[{index}]", entry

    def text(self, entry: dict[str, Any], name: str) -> str:
        value = entry[name]
        if value is not None and not isinstance(value, str):
            self._wrong(name, f"{_short(value)} is not a text")
        return self._book.one("" if value in NOTHING else str(value))

    def status(self, entry: dict[str, Any]) -> str:
        value = self.text(entry, "status")
        if value not in STATUSES:
            self._wrong("status", f"{value!r} is not what became of a Philly job", did_you_mean(value, STATUSES))
        return value

    def attempt(self, place: str, entry: dict[str, Any]) -> Attempt:
        gpus = 0
        for where, server in self.listed(entry["detail"], DETAIL_KEYS, f"{place}.detail"):
            if isinstance(server["gpus"], list):
                gpus += len(server["gpus"])
            else:
                self._wrong(f"{where}.gpus", f"{_short(server['gpus'])} is not a list")
        start, end = (self.time(entry[name], f"{place}.{name}") for name in ("start_time", "end_time"))
        return Attempt(start, end, gpus)

    def time(self, value: Any, place: str) -> datetime | None:
        """Return a time, in UTC where the zone is known; None where none was recorded."""
        if value in NOTHING:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self._wrong(place, f"{_short(value)} is not a time such as 2017-10-07 01:12:09")
            return None
        if moment.tzinfo is not None:
            self._wrong(place, f"{_short(value)} has a zone; the times of this log have none")
            return None
        return moment if self._zone is None else moment.replace(tzinfo=self._zone).astimezone(UTC)

    def _wrong(self, place: str, text: str, hint: str | None = None) -> bool:
        self._book.problems.add(text, line=self._line, path=place or None, hint=hint)
        return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _columns(book: Book, log: list[_Job], rule: str, keep: bool) -> Columns:
    last = max((moment for job in log for moment in _moments(job)), default=None)
    rows: list[tuple[_Job, datetime, float, int]] = []
    aside: dict[str, list[int]] = {}
    for job in log:
        ran, gpus, reason = _run(book, job, rule, last if keep else None)
        if reason:
            aside.setdefault(reason, []).append(job.row)
        elif job.submit is not None:
            rows.append((job, job.submit, ran, gpus))
    for reason, numbers in aside.items():
        book.put_aside(reason, np.array(numbers))
    book.base = rows[0][1].replace(microsecond=0) if rows else None
    base = book.base
    return {
        "row": np.array([job.row for job, *_ in rows], dtype=np.int64),
        "submit": np.array([(submit - base).total_seconds() for _, submit, *_ in rows if base], dtype=float),
        "duration": np.array([ran for *_, ran, _ in rows], dtype=float),
        "accelerators": np.array([gpus for *_, gpus in rows], dtype=float),
        "attempts": np.array([len(job.attempts) for job, *_ in rows], dtype=np.int64),
    } | {
        name: as_objects(job.texts[at] for job, *_ in rows) for at, name in enumerate(("id", "tenant", "user", "state"))
    }


def _moments(job: _Job) -> Iterator[datetime]:
    for moment in (job.submit, *(time for attempt in job.attempts for time in (attempt.start, attempt.end))):
        if moment is not None:
            yield moment


def _run(book: Book, job: _Job, rule: str, until: datetime | None) -> tuple[float, int, str]:
    """Return seconds of run, GPUs, and the reason to set the job aside, if any. ``until`` ends what still runs."""
    if job.submit is None or not job.attempts:
        return 0.0, 0, _NO_SUBMIT if job.attempts else _NO_ATTEMPT
    attempts = job.attempts
    active = attempts[-1].start is not None and attempts[-1].end is None
    if active:
        attempts = attempts[:-1] + (() if until is None else (replace(attempts[-1], end=until),))
    ran = [(seconds, attempt.gpus) for attempt in attempts if (seconds := attempt.seconds) >= 0]
    if active and until is None and not (rule == "first" and ran):
        return 0.0, 0, _ACTIVE
    backwards = sum(attempt.seconds < 0 for attempt in attempts)
    book.count(_BACKWARDS, backwards)
    book.count(_LEFT_OUT, len(attempts) - len(ran) - backwards)
    if not ran:
        return 0.0, 0, _NO_TIMES
    book.count(_CENSORED, active and until is not None and (rule != "first" or len(ran) == 1))
    book.count(_SEVERAL[rule], len(ran) > 1)
    book.count(_DIFFERENT, len({gpus for _, gpus in ran}) > 1)
    taken = {"sum": ran, "last": ran[-1:], "first": ran[:1]}[rule]
    return sum(seconds for seconds, _ in taken), taken[-1][1], ""
