"""Any table or JSON lines with one request a row: the user says which column is what.

Without options the columns carry the simulator's own names, or one of a few that are common elsewhere, times in
seconds; that is also what ``write`` writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.workload.files import glance, new_file, write_rows
from simulator.workload.jsonlines import JsonLines
from simulator.workload.requestformats import reader
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestrows import as_log, checked_block, hash_columns, tokens
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns

NEEDED = ("arrival", "input", "output")
TEXTS = ("id", "tenant", "category", "session", "adapter", "model", "after")
TARGETS = (*NEEDED, *TEXTS, "limit", "priority", "parent", "delay", "hashes", "hash_block")
ALSO = {
    "arrival": ("at", "arrival_time", "arrived_at", "timestamp"),
    "input": ("input_tokens", "input_length", "prompt_tokens", "num_prefill_tokens"),
    "output": ("output_tokens", "output_length", "completion_tokens", "num_decode_tokens"),
    "limit": ("max_tokens",),
    "tenant": ("user",),
    "category": ("class",),
    "session": ("session_id",),
    "hashes": ("hash_ids",),
}
"""Names that columns have elsewhere."""
_OURS = {name: target for target, names in ALSO.items() for name in names} | {name: name for name in TARGETS}
_ENDS = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_SHOWN = 12
_FAR = 2.0**53
_UNREAD = "columns of the file that are not read ({names}): {{n}}"
_NO_ROW = "requests that wait for one that is not in the file, and so for nobody: {n}"


def _begins(text: str) -> bool:
    line = next((line for line in text.splitlines() if line.strip()), "")
    if line.lstrip().startswith("{"):
        try:
            cells = list(json.loads(line))
        except ValueError:
            return False
    else:
        cells = [cell.strip() for cell in line.split(",")]
    return {*NEEDED} <= {_OURS.get(cell, "") for cell in cells}


@reader("requests", begins=_begins, any_names=True)
def read(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    time: str = "s",
    block: int | None = None,
    delimiter: str = ",",
) -> RequestLog:
    """Any CSV or JSON lines; options: columns (ours -> yours), time (s, ms, us, iso), block (tokens), delimiter.

    ``columns={"arrival": "sent at", "input": "prompt", "output": "answer"}``; only mapped columns are looked at, and
    a note names the others.
    Without a mapping all columns must have the names of ``TARGETS`` or ``ALSO``. ``parent`` is the number of the row
    that a request waits for (from 1), ``after`` its id; ``delay`` is the time from its end. ``hashes`` are joined by
    ``|`` in a table, a list in JSON; their blocks have ``block`` tokens, or what the column ``hash_block`` says. Lines
    of JSON may have different keys. A request with more output than its ``limit`` generates that much; a note counts
    them.
    """
    for name in columns or {}:
        if name not in TARGETS:
            raise InputError(f"columns: a request has no {name!r}. {did_you_mean(name, TARGETS)}")
    path = Path(path)
    table: Table | JsonLines
    if glance(path).lstrip()[:1] == "{":
        table = JsonLines(path, "requests", every=True)
    else:
        table = Table(path, "requests", delimiter=delimiter)
    mapping = _mapping(table, columns)
    scale = _scale(time)
    block = None if block is None else checked_block(block)
    sizes: list[int] = [] if block is None else [block]
    found = table.gather(lambda rows: _parse(rows, mapping, scale, sizes))
    if "parent" in mapping or "after" in mapping:
        found["parent"] = _parents(found, table)
    found.pop("after", None)
    unread = [repr(name) for name in table.header if name not in mapping.values()]
    if unread:
        table.book.count(
            _UNREAD.format(names=", ".join(unread[:_SHOWN]) + ", ..." * (len(unread) > _SHOWN)), len(unread)
        )
    return as_log(path, table.book, found, sizes[0] if sizes else 0)


def _note_unread(table: Table | JsonLines, mapping: Mapping[str, str]) -> None:
    unread = [repr(name) for name in table.header if name not in mapping.values()]
    shown = ", ".join(unread[:_SHOWN]) + ", ..." * (len(unread) > _SHOWN)
    table.book.count(_UNREAD.format(names=shown), len(unread))


def _mapping(table: Table | JsonLines, columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return which column of the file each of ours is; raise all problems of the header."""
    found: dict[str, str] = {}
    problems = []
    header = table.header
    lines = table.first if isinstance(table, JsonLines) else {}

    def wrong(text: str, hint: str | None = None, source: str = "") -> None:
        problems.append(Problem(text, file=str(table.path), line=lines.get(source, 1), hint=hint))

    for source in header if columns is None else ():
        target = _OURS.get(source)
        if target is None:
            wrong(f"unknown column {source!r}", did_you_mean(source, _OURS), source)
        elif target in found:
            wrong(f"columns {found[target]!r} and {source!r} both say {target!r}", "Say which: columns.", source)
        else:
            found[target] = source
    for target, source in (columns or {}).items():
        found[target] = source
        if source not in header:
            wrong(f"there is no column {source!r}", did_you_mean(str(source), header))
    for target in NEEDED:
        if target not in found:
            wrong(f"no column is mapped to {target!r}", f"Say which column it is: columns: {{{target}: <its name>}}.")
    if "after" in found and "id" not in found:
        wrong("no column is mapped to 'id', by which 'after' names requests")
    if "after" in found and "parent" in found:
        wrong("'after' and 'parent' both say whom a request waits for; leave one out")
    if problems:
        raise InputError(*problems)
    return found


def _scale(time: str) -> float | None:
    """Return the factor to seconds; None for ISO dates."""
    if time == "iso":
        return None
    try:
        return parse(f"1 {time}", "time")
    except UnitError:
        raise InputError(f"time: {time!r} is not a unit; write s, ms, us, min or h, or 'iso' for dates") from None


def _parse(rows: Rows, mapping: Mapping[str, str], scale: float | None, sizes: list[int]) -> Columns:
    input = tokens(rows, mapping["input"])
    found: Columns = {
        "row": rows.row,
        "arrival": _times(rows, mapping["arrival"], scale),
        "input": input,
        "output": tokens(rows, mapping["output"]),
    }
    for name in TEXTS:
        if name in mapping:
            found[name] = rows.objects(mapping[name])
    if "limit" in mapping:
        found["limit"] = tokens(rows, mapping["limit"], empty=0.0)
    if "parent" in mapping:
        found["parent"] = _numbers_of_rows(rows, mapping["parent"])
    if "priority" in mapping:
        found["priority"] = rows.numbers(mapping["priority"], empty=0.0, low=-np.inf)
    if "delay" in mapping:
        found["delay"] = rows.numbers(mapping["delay"], empty=0.0, scale=1.0 if scale is None else scale)
    if "hash_block" in mapping and "hashes" in mapping:
        _learn(rows, mapping["hash_block"], sizes)
    if "hashes" in mapping:
        named = next((at for at, names in enumerate(rows.lists(mapping["hashes"])) if names), None)
        if named is not None and not sizes:
            rows.problem(named, mapping["hashes"], "of how many tokens are the blocks? Say it: block")
        found |= hash_columns(rows, mapping["hashes"], input, sizes[0] if sizes else 1)
    return found


def _numbers_of_rows(rows: Rows, column: str) -> np.ndarray:
    """Return numbers of rows, from 1 on; -1 where the cell is empty. Others are problems."""
    values = rows.numbers(column, empty=-1.0)
    for index in np.flatnonzero(values == 0):
        rows.problem(index, column, "there is no row 0: rows count from 1", "Leave the cell empty where there is none.")
    for index in np.flatnonzero(values != np.floor(values)):
        rows.problem(index, column, f"{values[index]:g} is not the number of a row")
    numbers: np.ndarray = np.where(np.isfinite(values), np.clip(values, -1.0, _FAR), -1.0).astype(np.int64)
    return numbers


def _times(rows: Rows, column: str, scale: float | None) -> np.ndarray:
    if scale is None:
        return rows.times(column)
    return rows.numbers(column, scale=scale, hint="If these are dates, say so: time: iso.")


def _learn(rows: Rows, column: str, sizes: list[int]) -> None:
    """Take note of the tokens of a block, which all rows must agree on."""
    for index, size in enumerate(tokens(rows, column, empty=0.0).tolist()):
        if size and not sizes:
            sizes.append(size)
        elif size and size != sizes[0]:
            rows.problem(index, column, f"{size:,} tokens are not the {sizes[0]:,} of the blocks before")


def _parents(found: Columns, table: Table | JsonLines) -> np.ndarray:
    """Return the place of the row that each waits for, -1 for none."""
    count = len(found["row"])
    if "after" in found:
        places: dict[str, int] = {}
        for place, name in enumerate(found["id"].tolist()):
            places.setdefault(name, place)
        after = found["after"].tolist()
        parents = np.array([places.get(name, -1) if name else -1 for name in after], dtype=np.int64)
        table.book.count(_NO_ROW, sum(bool(name) for name in after) - int((parents >= 0).sum()))
        return parents
    gone = found["parent"] > count
    table.book.count(_NO_ROW, gone.sum())
    waits: np.ndarray = np.where(gone | (found["parent"] < 0), -1, found["parent"] - 1)
    return waits


def write(log: RequestLog, path: str | Path) -> None:
    """Write a log so that ``read`` without options gives the same requests back, as CSV or JSON lines (``.jsonl``).

    Left out are the origin, and columns that only one format knows. Names of the log stay; without them requests are
    called by their place.
    """
    names = [name for name in TARGETS if name in log.columns]
    columns = {name: log.columns[name].tolist() for name in names}
    if "parent" in columns:
        columns["parent"] = [place + 1 if place >= 0 else "" for place in columns["parent"]]
    if "limit" in columns:
        columns["limit"] = [limit or "" for limit in columns["limit"]]
    if str(path).endswith(_ENDS):
        _write_lines(log, path, columns)
        return
    if log.hashes is not None:
        of = log.hashes.of
        columns["hashes"] = ["|".join(map(str, of(row))) for row in range(len(log))]
        columns["hash_block"] = [log.hashes.block] * len(log)
    write_rows(path, list(columns), zip(*columns.values(), strict=True))


def _write_lines(log: RequestLog, path: str | Path, columns: Mapping[str, list[Any]]) -> None:
    with new_file(path) as file:
        for row, values in enumerate(zip(*columns.values(), strict=True)):
            record = {name: None if value == "" else value for name, value in zip(columns, values, strict=True)}
            if log.hashes is not None:
                record |= {"hashes": log.hashes.of(row), "hash_block": log.hashes.block}
            file.write(json.dumps(record, separators=(",", ":")) + "\n")
