"""A log of requests: what clients asked for as arrays, what was set aside on the way, and cuts of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import format_quantity
from simulator.workload.cuts import Bound, account, check, drawn_blocks, moment_of, resampled_note, seconds_of
from simulator.workload.requestchains import check_chains, renumbered
from simulator.workload.requesthashes import Hashes
from simulator.workload.requeststream import NEEDED, OPTIONAL, RequestStream
from simulator.workload.rows import as_objects
from simulator.workload.trace import LONGEST, Columns, SetAside

TEXTS = ("tenant", "category", "session", "adapter")
"""Columns of a log that are texts, and that requests have too."""


@dataclass(frozen=True, eq=False)
class RequestLog:
    """Requests as columns, in order of arrival; cuts return a new log.

    ``columns`` maps names to numpy arrays of one length. ``arrival`` (s, from 0), ``input`` and ``output`` (tokens, 1
    or more) are always there; ``limit`` (tokens), ``priority``, ``delay`` (s), ``parent`` and ``row`` (from 1 after
    the header) are numbers; ``tenant``, ``category``, ``session``, ``adapter``, ``model``, ``id`` and what else a
    format knows are Python objects.

    ``parent`` is the place in this log of the request that one waits for, or -1. Such a request is sent at its own
    arrival, but not before the end of that one plus ``delay``. ``hashes`` name the blocks of the prompts.

    ``arrival`` counts from ``origin`` where the file has dates. Rows read = requests kept + rows set aside, always.
    """

    name: str
    columns: Columns
    hashes: Hashes | None = None
    set_aside: tuple[SetAside, ...] = ()
    origin: datetime | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in NEEDED:
            if name not in self.columns:
                raise InputError(f"log {self.name!r} has no column {name!r}. {did_you_mean(name, self.columns)}")
        lengths = {name: len(column) for name, column in self.columns.items()}
        if self.hashes is not None:
            lengths["hashes"] = len(self.hashes)
        if len(set(lengths.values())) > 1:
            raise InputError(f"the columns of log {self.name!r} differ in length: {lengths}")
        arrival = self.columns["arrival"]
        if not np.all(arrival[1:] >= arrival[:-1]):
            raise InputError(f"log {self.name!r} is not in order of arrival; use RequestLog.sorted(...)")
        self._check("arrival", (arrival >= 0) & (arrival <= LONGEST), f"a time from 0 to {LONGEST:g} s")
        for name in ("input", "output"):
            self._check(name, self.columns[name] >= 1, "1 token or more")
        if "delay" in self.columns:
            delay = self.columns["delay"]
            self._check("delay", (delay >= 0) & (delay <= LONGEST), f"a time from 0 to {LONGEST:g} s")
        if "limit" in self.columns:
            self._check("limit", self.columns["limit"] >= 0, "0 tokens (nothing is said) or more")
        if "id" in self.columns:
            self._check_names(self.columns["id"].tolist())
        if "parent" in self.columns:
            check_chains(self.name, self.columns["parent"], self.rows)
        if self.hashes is not None:
            self.hashes.check(f"log {self.name!r}", self.columns["input"], self.rows)

    def _check_names(self, names: list[str]) -> None:
        if len({*names}) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"log {self.name!r}: two requests are called {twice!r}")

    def _check(self, name: str, good: np.ndarray, wanted: str) -> None:
        wrong = np.flatnonzero(~good)
        if len(wrong):
            at = wrong[0]
            found = f"{name} in row {self.rows[at]} is {self.columns[name][at]:g}, not {wanted}"
            raise InputError(Problem(f"log {self.name!r}: {found}", hint="Are the units right?"))

    @classmethod
    def sorted(
        cls, name: str, columns: Mapping[str, np.ndarray], hashes: Hashes | None = None, **rest: Any
    ) -> RequestLog:
        """Build a log from columns in any order: sorted by ``arrival``, ties in the order given."""
        order = np.argsort(columns["arrival"], kind="stable")
        return cls(name, *taken(columns, hashes, order)[:2], **rest)

    def __len__(self) -> int:
        return len(self.columns["arrival"])

    @property
    def rows(self) -> np.ndarray:
        """The row of the file that each request came from; its place in the log, from 1, without a file."""
        rows = self.columns.get("row")
        return np.arange(1, len(self) + 1) if rows is None else rows

    @property
    def span(self) -> float:
        """Seconds from the first arrival to the last."""
        arrival = self.columns["arrival"]
        return float(arrival[-1] - arrival[0]) if len(self) else 0.0

    @property
    def rows_read(self) -> int:
        """Rows of the file: those kept and those set aside."""
        return len(self) + sum(part.count for part in self.set_aside)

    def requests(self, service: str = "", **over: Any) -> RequestStream:
        """Return the requests as an engine takes them (``workload.requests.Requests``), fresh ones at each pass.

        ``over`` replaces a column by one value, for example ``category="batch"`` or ``limit=0``. Where the log has no
        ids a request is called ``<service>-<n>``, n being its place in the log, from 1. No request generates more than
        its limit (see ``within_limits``), unless ``over`` says so.
        """
        known = (*NEEDED, *OPTIONAL)
        for name in over:
            if name not in known:
                raise InputError(f"a request of a log has no {name!r}. {did_you_mean(name, known)}")
        limited = self.with_values(limit=over["limit"]) if "limit" in over else self.within_limits()
        return RequestStream(limited, service, over)

    def within_limits(self) -> RequestLog:
        """Return the log with no request that generates more than its client allows (``limit`` above 0).

        Such a request ends at the limit, as engines end it; a note counts them. What later prompts hold stays.
        """
        limit, output = self.columns.get("limit"), self.columns["output"]
        over = None if limit is None else (limit > 0) & (output > limit)
        if limit is None or over is None or not over.any():
            return self
        note = f"requests that generate no more than their limit, not all of their output: {int(over.sum()):,}"
        columns = self.columns | {"output": np.where(over, limit, output)}
        return replace(self, columns=columns, notes=(*self.notes, note))

    def with_values(self, **values: str | float) -> RequestLog:
        """Give all requests one value of a column, for example ``category="interactive"`` or ``priority=2``.

        With ``limit`` requests that would generate more are cut, as ``within_limits`` says.
        """
        columns = dict(self.columns)
        for name, value in values.items():
            if name not in OPTIONAL:
                raise InputError(f"no value of {name!r} can be given to requests. {did_you_mean(name, OPTIONAL)}")
            if isinstance(value, str) != (name in TEXTS):
                raise InputError(f"{name}: {value!r} is not a {'text' if name in TEXTS else 'number'}")
            kind = object if name in TEXTS else np.int64 if name == "limit" else np.float64
            columns[name] = np.full(len(self), value, dtype=kind)
        return replace(self, columns=columns).within_limits()

    def where(self, **values: str | Iterable[str]) -> RequestLog:
        """Keep the requests whose column has this value, or one of these: ``where(model="GPT-4")``.

        Raises ``InputError`` with the nearest choice for a column or value that the log does not have.
        """
        log = self
        for name, value in values.items():
            log = log._where(name, (value,) if isinstance(value, str) else tuple(value))
        return log

    def _where(self, name: str, wanted: tuple[str, ...]) -> RequestLog:
        texts = [key for key, column in self.columns.items() if column.dtype == object]
        if name not in texts:
            raise InputError(f"log {self.name!r} has no {name!r} to choose by. {did_you_mean(name, texts)}")
        values = self.columns[name].tolist()
        known = dict.fromkeys(values)
        for value in wanted:
            if value not in known:
                raise InputError(f"log {self.name!r} has no {name} {value!r}. {did_you_mean(value, known)}")
        keep = np.fromiter((value in wanted for value in values), bool, len(self))
        return self._keep(keep, f"{name} is not {' or '.join(wanted)}")

    def between(self, start: Bound = None, end: Bound = None) -> RequestLog:
        """Keep the requests that arrive from ``start`` to before ``end``; times then count from ``start``.

        A bound is a date or time of the log's own clock (``datetime``, ``date`` or ISO text), seconds after the origin,
        or a quantity such as ``"2 h"``. Raises ``InputError`` for a bound that says nothing, and when nothing is left.
        """
        what = f"log {self.name!r}"
        low = -math.inf if start is None else seconds_of(start, self.origin, what)
        high = math.inf if end is None else seconds_of(end, self.origin, what)
        arrival = self.columns["arrival"]
        keep = (arrival >= low) & (arrival < high)
        window = f"{moment_of(low, self.origin, 'the start')} to {moment_of(high, self.origin, 'the end')}"
        if not keep.any():
            ends = arrival[[0, -1]].tolist() if len(self) else []
            first, last = [moment_of(each, self.origin, "") for each in ends] or ("nothing", "nothing")
            raise InputError(f"{what} has no request in the window {window}; it runs from {first} to {last}")
        log = self._keep(keep, f"outside the window {window}")
        if start is None:
            return log
        columns = log.columns | {"arrival": log.columns["arrival"] - low}
        return replace(log, columns=columns, origin=self.origin and self.origin + timedelta(seconds=low))

    def limit(self, requests: int) -> RequestLog:
        """Keep the first ``requests`` requests."""
        check(requests, requests >= 1 and int(requests) == requests, "limit", "a whole number of requests, 1 or more")
        return self._keep(np.arange(len(self)) < requests, f"after the first {int(requests):,} requests")

    def scale_arrivals(self, factor: float) -> RequestLog:
        """Divide all arrival times by ``factor``: above 1 the same requests come closer together.

        Delays between a request and those that wait for it stay: they are the clients'. Dates mean nothing afterwards:
        cut windows first.
        """
        check(factor, 0 < factor < math.inf, "scale_arrivals", "a number above 0")
        note = f"arrivals scaled by {factor:g}: arrival times divided by it"
        columns = self.columns | {"arrival": self.columns["arrival"] / factor}
        return replace(self, columns=columns, origin=None, notes=(*self.notes, note))

    def resample(self, block: float, generator: np.random.Generator) -> RequestLog:
        """Return a log of the same length in time, put together from randomly drawn blocks of this one.

        As ``Trace.resample`` (the block bootstrap; Carlstein 1986). A request waits for another only within its block,
        names go, and a block that is drawn twice finds its prompts in the prefix cache the second time.
        """
        check(block, 0 < block < math.inf, "resample", "a time above 0")
        if not len(self):
            return self
        drawn = drawn_blocks(self.columns["arrival"], block, generator)
        columns = {name: column[drawn.rows] for name, column in self.columns.items() if name != "id"}
        columns |= {"row": self.rows[drawn.rows], "arrival": drawn.times}
        if "parent" in columns:
            place = np.arange(len(drawn.rows))
            near = place - (drawn.rows - columns["parent"])
            inside = (columns["parent"] >= 0) & (near >= 0) & (near < len(place))
            inside &= drawn.copies[np.where(inside, near, 0)] == drawn.copies
            columns["parent"] = np.where(inside, near, -1)
        hashes = None if self.hashes is None else self.hashes.take(drawn.rows)
        notes = (*self.notes, resampled_note(block))
        return replace(self, columns=columns, hashes=hashes, origin=None, notes=notes)

    def report(self) -> str:
        """Say how many rows were read, kept, and set aside for which reason, one line each."""
        return account(self.name, len(self), self.set_aside, self.notes)

    def __repr__(self) -> str:
        span = format_quantity(self.span, "time")
        count, aside = len(self), self.rows_read - len(self)
        kept = f"{count:,} request{'s' * (count != 1)} over {span}"
        return f"<RequestLog {self.name}: {kept}, {aside:,} row{'s' * (aside != 1)} set aside>"

    def _keep(self, keep: np.ndarray, reason: str) -> RequestLog:
        if keep.all():
            return self
        aside = SetAside.of(reason, self.rows[~keep])
        columns, hashes, lost = taken(self.columns | {"row": self.rows}, self.hashes, np.flatnonzero(keep))
        notes = (*self.notes, LOST.format(n=lost)) if lost else self.notes
        return replace(self, columns=columns, hashes=hashes, set_aside=(*self.set_aside, aside), notes=notes)


LOST = "requests whose predecessor was left out, which wait for nobody: {n:,}"


def taken(
    columns: Mapping[str, np.ndarray], hashes: Hashes | None, rows: np.ndarray
) -> tuple[Columns, Hashes | None, int]:
    """Return columns and hashes of some requests, in the order of ``rows``, each at most once.

    Those whose predecessor is not among them wait for nobody; the third value is how many these are.
    """
    found = {name: column[rows] for name, column in columns.items()}
    lost = 0
    if "parent" in found:
        found["parent"], lost = renumbered(found["parent"], rows, len(columns["parent"]))
    return found, None if hashes is None else hashes.take(rows), lost


def texts(values: Iterable[str]) -> np.ndarray:
    """Return a column of texts in which equal texts are one object."""
    known: dict[str, str] = {}
    return as_objects(known.setdefault(value, value) for value in values)
