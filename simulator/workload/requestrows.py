"""What readers of request logs share: from checked columns of a file to a log."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from simulator.core.errors import InputError, Problem
from simulator.workload.requesthashes import Hashes, blocks_of, mismatch
from simulator.workload.requestlog import LOST, RequestLog, taken
from simulator.workload.rows import Book, Rows, as_objects
from simulator.workload.trace import Columns

NO_OUTPUT = "0 output tokens: nothing was generated"
"""Why a row is set aside that says so; formats in which it means a failure say that instead."""
_MOST = 2.0**53
_HASH = 2**63
_BLOCK_HINT = "Are the blocks of this log of another length? Say it: block."
_NO_INPUT = "0 input tokens: there is no prompt"


def tokens(rows: Rows, column: str, empty: float | None = None) -> np.ndarray:
    """Return a column of whole numbers of 0 or more; others are problems. ``empty`` is what an empty cell means."""
    values = rows.numbers(column, empty)
    whole: np.ndarray = np.where((values >= 0) & (values < _MOST), values, 0.0).astype(np.int64)
    for index in np.flatnonzero((whole != values) & (values >= 0) & (values < np.inf)):
        rows.problem(index, column, f"{values[index]:g} is not a whole number of tokens")
    return whole


def checked_block(block: int) -> int:
    """Return the tokens of a hash block; ``InputError`` for what is no whole number of 1 or more."""
    if not isinstance(block, int) or isinstance(block, bool) or block < 1:
        raise InputError(f"block: {block!r} is not a whole number of tokens, 1 or more")
    return block


def hash_columns(rows: Rows, column: str, input: np.ndarray, block: int) -> Columns:
    """Return the names of blocks of ``block`` tokens as two columns, ``hashes`` (flat) and ``hash_counts``.

    Names that are no whole numbers are problems, and so is any number of them but ceil(input / block), or none.
    """
    found = rows.lists(column)
    counts = np.fromiter(map(len, found), np.int64, len(found))
    for index in np.flatnonzero((counts != 0) & (counts != blocks_of(input, block)) & (input > 0)):
        rows.problem(index, column, mismatch(counts[index], input[index], block), _BLOCK_HINT)
    flat: list[int] = []
    for place, names in enumerate(found):
        try:
            numbers = [int(name) for name in names]
        except (ValueError, TypeError):
            rows.problem(place, column, f"{names[:3]!r}... are not all whole numbers")
            numbers = [0] * len(names)
        flat += numbers if all(-_HASH <= each < _HASH for each in numbers) else [each % _HASH for each in numbers]
    return {"hashes": np.array(flat, dtype=np.int64), "hash_counts": counts}


def as_log(path: Path, book: Book, columns: Columns, block: int = 0, no_output: str = NO_OUTPUT) -> RequestLog:
    """Return as a log what was read from ``path``, with all that ``book`` says of it.

    ``columns`` has ``row``, ``arrival``, ``input`` and ``output``, and perhaps what ``hash_columns`` returns, in blocks
    of ``block`` tokens; ``parent`` is a place among the rows. Rows without tokens are set aside, ``arrival`` is
    counted from the first request that is kept, rows are sorted. Raises ``InputError`` when nothing is left.
    """
    hashes = Hashes.of_counts(block, columns.pop("hashes"), columns.pop("hash_counts")) if "hashes" in columns else None
    lost = 0
    for name, reason in (("output", no_output), ("input", _NO_INPUT)):
        none = columns[name] == 0
        if none.any():
            book.put_aside(reason, columns["row"][none])
            columns, hashes, more = taken(columns, hashes, np.flatnonzero(~none))
            lost += more
    _name_apart(columns, book)
    aside = book.set_aside()
    if not len(columns["arrival"]):
        told = "".join(f"\n    set aside {part.count:,}: {part.reason}" for part in aside)
        raise InputError(Problem(f"no row is a request that can be replayed{told}", file=str(path)))
    first = float(columns["arrival"].min())
    columns["arrival"] = np.maximum(columns["arrival"] - first, 0.0)
    notes = [*book.notes(), *([LOST.format(n=lost)] if lost else [])]
    if book.base is None and first:
        notes.append(f"arrival 0 is {first:.15g} s in the file")
    early = int(np.sum(columns["arrival"] < np.maximum.accumulate(columns["arrival"])))
    if early:
        notes.append(f"rows that come earlier than one above them, sorted by arrival: {early:,}")
    origin = book.base and book.base + timedelta(seconds=first)
    log = RequestLog.sorted(path.name, columns, hashes, set_aside=aside, origin=origin, notes=tuple(notes))
    return log.within_limits()


def _name_apart(columns: Columns, book: Book) -> None:
    """Give repeated ids a suffix and rows without one a name; count how many ids were repeated."""
    if "id" not in columns:
        return
    seen: dict[str, int] = {}
    names = []
    for row, given in zip(columns["row"].tolist(), columns["id"].tolist(), strict=True):
        name = given or f"row-{row}"
        times = seen[name] = seen.get(name, 0) + 1
        names.append(name if times == 1 else f"{name}#{times}")
    columns["id"] = as_objects(names)
    book.count("requests that repeat an id, each one of its own called id#2, id#3, ...: {n}", len(names) - len(seen))
