"""The requests of a log, made as they are needed: what an engine is fed with."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.workload.making import request_maker
from simulator.workload.requests import Request

if TYPE_CHECKING:
    from simulator.workload.requestlog import RequestLog

NEEDED = ("arrival", "input", "output")
OPTIONAL = ("limit", "tenant", "category", "priority", "session", "adapter", "delay")
"""Columns of a log that requests have too."""
_CHUNK = 8192


class RequestStream:
    """The requests of one service, as ``workload.requests.Requests`` has them: fresh ones at each pass.

    A request is called what the log calls it, or ``<service>-<n>``, n being its place in the log, from 1. ``over`` are
    values that replace a column of the log. A request costs about a microsecond, and a log without chains nothing
    beside its columns.
    """

    def __init__(self, log: RequestLog, service: str = "", over: Mapping[str, Any] | None = None) -> None:
        self._log = log
        self._prefix = service or "request"
        self._over = dict(over or {})
        self._more = [name for name in OPTIONAL if name in self._over or name in log.columns]
        names = ("id", "row", *NEEDED, *self._more)
        self._make = request_maker((*names, "hashes", "hash_block") if log.hashes is not None else names)
        self._rows = log.rows
        self._items = [
            (name, None if name in self._over else log.columns[name].item) for name in (*NEEDED, *self._more)
        ]
        self._parents = log.columns.get("parent")
        self._followers: tuple[array[int], array[int]] | None = None
        self._named: dict[str, int] = {}
        if self._parents is not None and (self._parents >= 0).any():
            self._index(self._parents)

    def __len__(self) -> int:
        return len(self._log)

    def __iter__(self) -> Iterator[Request]:
        free = None if self._followers is None or self._parents is None else np.flatnonzero(self._parents < 0)
        count = len(self._log) if free is None else len(free)
        for low in range(0, count, _CHUNK):
            high = min(low + _CHUNK, count)
            yield from self._made(np.arange(low, high) if free is None else free[low:high])

    def followers(self, request: Request) -> Sequence[Request]:
        """Fresh requests that wait for this one, in order of the log; empty for most."""
        if self._followers is None:
            return ()
        place = self._place(request.id)
        if place < 0:
            return ()
        starts, rows = self._followers
        low, high = starts[place], starts[place + 1]
        return [self._one(row) for row in rows[low:high]] if high > low else ()

    def _place(self, id: str) -> int:
        if "id" in self._log.columns:
            return self._named.get(id, -1)
        return int(id.rpartition("-")[2]) - 1

    def _index(self, parents: np.ndarray) -> None:
        """Write down which rows wait for each row: where they begin, and all of them one after the other."""
        waiting = np.flatnonzero(parents >= 0)
        order = waiting[np.argsort(parents[waiting], kind="stable")]
        starts = np.searchsorted(parents[order], np.arange(len(parents) + 1))
        self._followers = array("q", starts.astype(np.int64).tobytes()), array("q", order.astype(np.int64).tobytes())
        if "id" in self._log.columns:
            ids = self._log.columns["id"]
            self._named = {ids[place]: place for place in np.unique(parents[waiting]).tolist()}

    def _one(self, row: int) -> Request:
        """Make one request, value by value: for a few that is quicker than column by column."""
        values = [self._over[name] if item is None else item(row) for name, item in self._items]
        if self._log.hashes is not None:
            values += [self._log.hashes.of(row), self._log.hashes.block]
        ids = self._log.columns.get("id")
        name = f"{self._prefix}-{row + 1}" if ids is None else ids[row]
        return self._make(name, self._rows.item(row), *values)

    def _made(self, rows: np.ndarray) -> Iterator[Request]:
        log = self._log
        ids = log.columns.get("id")
        names = [f"{self._prefix}-{row + 1}" for row in rows.tolist()] if ids is None else ids[rows].tolist()
        columns: list[Iterable[Any]] = [names, self._rows[rows].tolist()]
        columns += [self._values(name, rows) for name in (*NEEDED, *self._more)]
        if log.hashes is not None:
            columns += [map(log.hashes.of, rows.tolist()), repeat(log.hashes.block)]
        return map(self._make, *columns)

    def _values(self, name: str, rows: np.ndarray) -> Iterable[Any]:
        if name in self._over:
            return repeat(self._over[name])
        values: list[Any] = self._log.columns[name][rows].tolist()
        return values
