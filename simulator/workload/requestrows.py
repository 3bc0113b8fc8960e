"""What readers of request logs share: from checked columns of a file to a log."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from simulator.core.errors import InputError, Problem
from simulator.workload.requesthashes import Hashes
from simulator.workload.requestlog import LOST, RequestLog, taken
from simulator.workload.rows import Book, Rows
from simulator.workload.trace import Columns

NO_OUTPUT = "0 output tokens: nothing was generated"
"""Why a row is set aside that says so; formats in which it means a failure say that instead."""
_MOST = 2.0**53
_NO_INPUT = "0 input tokens: there is no prompt"


def tokens(rows: Rows, column: str, empty: float | None = None) -> np.ndarray:
    """Return a column of whole numbers of 0 or more; others are problems. ``empty`` is what an empty cell means."""
    values = rows.numbers(column, empty)
    whole: np.ndarray = np.where((values >= 0) & (values < _MOST), values, 0.0).astype(np.int64)
    for index in np.flatnonzero((whole != values) & (values >= 0) & (values < np.inf)):
        rows.problem(index, column, f"{values[index]:g} is not a whole number of tokens")
    return whole


def as_log(
    path: Path, book: Book, columns: Columns, hashes: Hashes | None = None, no_output: str = NO_OUTPUT
) -> RequestLog:
    """Return as a log what was read from ``path``, with all that ``book`` says of it.

    ``columns`` has ``row``, ``arrival``, ``input`` and ``output``. Rows without tokens are set aside, ``arrival`` is
    counted from the first request that is kept, rows are sorted. Raises ``InputError`` when nothing is left.
    """
    lost = 0
    for name, reason in (("output", no_output), ("input", _NO_INPUT)):
        none = columns[name] == 0
        if none.any():
            book.put_aside(reason, columns["row"][none])
            columns, hashes, more = taken(columns, hashes, np.flatnonzero(~none))
            lost += more
    aside = book.set_aside()
    if not len(columns["arrival"]):
        told = "".join(f"\n    set aside {part.count:,}: {part.reason}" for part in aside)
        raise InputError(Problem(f"no row is a request that can be replayed{told}", file=str(path)))
    first = float(columns["arrival"].min())
    columns["arrival"] = np.maximum(columns["arrival"] - first, 0.0)
    notes = [*book.notes(), *([LOST.format(n=lost)] if lost else [])]
    if book.base is None and first:
        notes.append(f"arrival 0 is {first:.15g} s in the file")
    origin = book.base and book.base + timedelta(seconds=first)
    return RequestLog.sorted(path.name, columns, hashes, set_aside=aside, origin=origin, notes=tuple(notes))
