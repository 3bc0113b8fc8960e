"""Tables of text: what every reader of a trace needs to be strict about cells and open about what it leaves out.

A reader opens a ``Table`` and hands ``Table.trace`` a function from ``Rows`` (some thousand rows at a time) to columns.
Rows that cannot become jobs are taken out by ``Rows.without`` with a reason; cells that make no sense are collected and
raised together, each with file, line, column and value.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.files import check_file, text_lines
from simulator.workload.trace import Columns, ServerRow, SetAside, Trace

_CHUNK = 65536
_PROBLEMS_SHOWN = 10
_WRONG_COLUMNS_SHOWN = 3
_DELIMITERS = {",": "a comma", "|": "'|'", "\t": "a tab", ";": "a semicolon"}
_TAB = {"tab": "\t", r"\t": "\t"}
_RAN_FOR_NOTHING = "ran for 0 s: there is nothing to replay"

Parse = Callable[["Rows"], Columns]


class Problems:
    """What is wrong with a file: the first ten are kept, the rest counted."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._first: list[Problem] = []
        self._count = 0

    def add(self, text: str, line: int | None = None, path: str | None = None, hint: str | None = None) -> None:
        """Take note of one problem at ``line`` (from 1), in column ``path``."""
        self._count += 1
        if len(self._first) < _PROBLEMS_SHOWN:
            self._first.append(Problem(text, file=self._file, line=line, path=path, hint=hint))

    def check(self) -> None:
        """Raise all of them as one ``InputError``, if there are any."""
        more = self._count - len(self._first)
        if self._first:
            raise InputError(*self._first, *([f"{self._file}: ... and {more:,} more problems"] if more else []))


class Rows:
    """Some rows of a table: cells by column, and of each row its number and its line in the file."""

    def __init__(self, table: Table, cells: list[list[str]], lines: np.ndarray, numbers: np.ndarray) -> None:
        self._table = table
        self._cells = cells
        self._lines = lines
        self.row = numbers

    def __len__(self) -> int:
        return len(self.row)

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column without surrounding blanks."""
        index = self._table.header.index(column)
        return [row[index].strip() for row in self._cells]

    def objects(self, column: str) -> np.ndarray:
        """Return the cells of a column as an object array in which equal texts are one object."""
        return as_objects(map(self._table.one, self.texts(column)))

    def numbers(
        self, column: str, empty: float | None = None, scale: float = 1.0, low: float = 0.0, hint: str | None = None
    ) -> np.ndarray:
        """Return a column as floats x ``scale``; NaN, infinite and other cells, and those below ``low``, are problems.

        ``empty`` is what an empty cell means, unscaled; None makes it a problem too.
        """
        cells = self.texts(column)
        blank = np.array([cell == "" for cell in cells], dtype=bool)
        if empty is not None and blank.any():
            cells = [cell or "0" for cell in cells]
        try:
            values = np.array([float(cell) for cell in cells])
        except ValueError:
            values = np.array([_float_or_nan(cell) for cell in cells])
        for index in np.flatnonzero(~((values >= low) & (abs(values) < np.inf))):
            self.problem(index, column, _say_number(cells[index]), hint)
        values *= scale
        if empty is not None:
            values[blank] = empty
        return values

    def times(self, column: str, hint: str | None = None) -> np.ndarray:
        """Return a column of ISO dates and times as seconds after the ``base`` of the table (its first time)."""
        cells = self.texts(column)
        if not cells:
            return np.zeros(0)
        try:
            moments = [datetime.fromisoformat(cell) for cell in cells]
        except ValueError:
            moments = [self._moment(index, column, cell, hint) for index, cell in enumerate(cells)]
        base = self._table.base = self._table.base or moments[0].replace(microsecond=0)
        try:
            return np.array([(moment - base).total_seconds() for moment in moments])
        except TypeError:
            for index, moment in enumerate(moments):
                if (moment.tzinfo is None) != (base.tzinfo is None):
                    self.problem(index, column, f"{cells[index]!r}: some times have a zone and some have none", hint)
            return np.zeros(len(self))

    def _moment(self, index: int, column: str, cell: str, hint: str | None) -> datetime:
        try:
            return datetime.fromisoformat(cell)
        except ValueError:
            text = f"{cell!r} is not a time such as 2017-10-01 09:30:00" if cell else "the cell is empty"
            self.problem(index, column, text, hint)
            return self._table.base or datetime(1970, 1, 1)

    def gangs(self, column: str, values: np.ndarray) -> np.ndarray:
        """Return ``values`` after checking that each is a whole number of accelerators or a share of one."""
        for index in np.flatnonzero((values > 1) & (values != np.floor(values))):
            text = f"{values[index]:g} accelerators: a job takes whole accelerators, or a share below 1 of a single one"
            self.problem(index, column, text)
        return values

    def problem(self, index: int | np.integer[Any], column: str, text: str, hint: str | None = None) -> None:
        """Say that a cell is wrong; reading goes on to find the others, and then fails."""
        self._table.problems.add(text, line=int(self._lines[index]), path=column, hint=hint)

    def without(self, out: Iterable[bool] | np.ndarray, reason: str) -> Rows:
        """Set rows aside for a reason; return the others."""
        mask = np.fromiter(out, bool, len(self))
        if not mask.any():
            return self
        self._table.put_aside(reason, self.row[mask])
        keep = np.flatnonzero(~mask)
        return Rows(self._table, [self._cells[index] for index in keep], self._lines[keep], self.row[keep])

    def count(self, note: str, number: int | np.integer[Any]) -> None:
        """Add to a note that tells how many rows are special; ``{n}`` in it stands for their number."""
        self._table.counts[note] = self._table.counts.get(note, 0) + int(number)


class Table:
    """A delimited text file with a header line.

    ``required`` columns must be there; ``known`` are those that may be (None: any). Raises ``InputError`` for a file
    that is missing, empty, of another kind or format, and for wrong columns with the nearest right ones.
    """

    def __init__(
        self, path: str | Path, format: str, required: Collection[str] = (), known: Collection[str] | None = None,
        delimiter: str = ",", quoting: bool = True,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self.problems = Problems(str(path))
        self.base: datetime | None = None
        self.counts: dict[str, int] = {}
        self._format = format
        self._aside: dict[str, list[np.ndarray]] = {}
        self._texts: dict[str, str] = {}
        check_file(self.path)
        delimiter = _TAB.get(delimiter, delimiter)
        if len(delimiter) != 1:
            raise InputError(f"delimiter: {delimiter!r} is not one character")
        self._delimiter = delimiter
        self._lines = csv.reader(
            text_lines(self.path),
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
            skipinitialspace=True,
        )
        cells = self._read_header()
        self._closed = len(cells) > 1 and cells[-1] == ""
        self.header = cells[:-1] if self._closed else cells
        self._check_header(required, known)

    def one(self, text: str) -> str:
        """Return the one object that stands for all equal texts."""
        return self._texts.setdefault(text, text)

    def put_aside(self, reason: str, rows: np.ndarray) -> None:
        """Count rows that do not become jobs."""
        self._aside.setdefault(reason, []).append(rows)

    def gather(self, parse: Parse) -> Columns:
        """Apply ``parse`` to all rows and join what it returns; raise the problems that were found."""
        parts = [parse(rows) for rows in self._rows()]
        if not parts:
            self.problems.add("there is a header, but no row below it")
        self.problems.check()
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def trace(self, parse: Parse, servers: tuple[ServerRow, ...] = ()) -> Trace:
        """Read all rows and return them as a trace.

        ``parse`` returns at least ``row``, ``submit``, ``duration`` and ``accelerators``. Rows that ran for 0 s are set
        aside, ``submit`` is counted from the first job, and repeated ids get a suffix.
        """
        columns = self.gather(parse)
        nothing = columns["duration"] == 0
        if nothing.any():
            self.put_aside(_RAN_FOR_NOTHING, columns["row"][nothing])
            columns = {name: column[~nothing] for name, column in columns.items()}
        aside = tuple(SetAside.of(reason, np.concatenate(rows)) for reason, rows in self._aside.items())
        if not len(columns["submit"]):
            told = "".join(f"\n    set aside {part.count:,}: {part.reason}" for part in aside)
            raise InputError(Problem(f"no row is a job that can be replayed{told}", file=str(self.path)))
        first = float(columns["submit"].min())
        columns["submit"] = columns["submit"] - first
        notes = [note.replace("{n}", f"{n:,}") for note, n in self.counts.items() if n]
        notes += _name_apart(columns) + _no_accelerators(columns)
        if self.base is None and first:
            notes.append(f"submit 0 is {first:.15g} s in the file")
        return Trace.sorted(
            self.path.name,
            columns,
            set_aside=aside,
            origin=self.base and self.base + timedelta(seconds=first),
            servers=servers,
            notes=tuple(notes),
        )

    def _rows(self) -> Iterator[Rows]:
        width = len(self.header) + self._closed
        cells: list[list[str]] = []
        lines: list[int] = []
        first = number = 1
        for row in self._read():
            if len(row) != width:
                if row:
                    self._wrong_width(row, width)
                continue
            cells.append(row)
            lines.append(self._lines.line_num)
            number += 1
            if len(cells) == _CHUNK:
                yield Rows(self, cells, np.array(lines), np.arange(first, number))
                cells, lines, first = [], [], number
        if cells:
            yield Rows(self, cells, np.array(lines), np.arange(first, number))

    def _wrong_width(self, row: list[str], width: int) -> None:
        hint = "The row breaks off: is the file cut short?"
        if len(row) > width and self._delimiter == "|":
            hint = "A text such as JobName may hold '|' itself: leave that column out, or choose another delimiter."
        elif len(row) > width:
            hint = "A text that holds the delimiter must stand in double quotes."
        text = f"{len(row)} cells, but the header has {width}"
        self.problems.add(text, line=self._lines.line_num, hint=hint)

    def _read(self) -> Iterator[list[str]]:
        try:
            yield from self._lines
        except csv.Error as error:
            told = f"this cannot be read as a table ({error})"
            raise InputError(Problem(told, file=str(self.path), line=self._lines.line_num)) from None

    def _read_header(self) -> list[str]:
        header = next((row for row in self._read() if row), None)
        if header is None:
            raise InputError(Problem("the file is empty", file=str(self.path)))
        return [cell.strip() for cell in header]

    def _check_header(self, required: Collection[str], known: Collection[str] | None) -> None:
        missing = [name for name in required if name not in self.header]
        unknown = [name for name in self.header if known is not None and name not in known]
        if missing or unknown:
            self._refuse_other_format()
        if len(missing) + len(unknown) > _WRONG_COLUMNS_SHOWN:
            text = f"these are not the columns of format {self._format!r}"
            lists = [("missing", missing), ("unknown", unknown), ("known", sorted(known or ()))]
            told = [f"{what}: {', '.join(names[:12])}{', ...' * (len(names) > 12)}" for what, names in lists if names]
            self._wrong_header(text, "; ".join(told))
            missing = unknown = []
        for name in missing:
            self._wrong_header(f"there is no column {name!r}", did_you_mean(name, self.header))
        for name in unknown:
            self._wrong_header(f"unknown column {name!r}", did_you_mean(name, known or ()))
        for name in dict.fromkeys(name for name in self.header if self.header.count(name) > 1):
            self._wrong_header(f"column {name!r} stands there twice")
        self.problems.check()

    def _wrong_header(self, text: str, hint: str | None = None) -> None:
        self.problems.add(text, line=self._lines.line_num, hint=hint)

    def _refuse_other_format(self) -> None:
        from simulator.workload.formats import looks_like

        line = self._delimiter.join(self.header)
        other = looks_like(line)
        if other not in (None, self._format):
            self._wrong_header(f"this looks like a trace of format {other!r}, not {self._format!r}", f"Use {other!r}.")
        elif len(self.header) == 1:
            used = next((mark for mark in _DELIMITERS if mark != self._delimiter and mark in line), None)
            if used:
                cut = _DELIMITERS.get(self._delimiter, repr(self._delimiter))
                text = f"cut at {cut}, the header is a single column: {line[:60]!r}"
                self._wrong_header(text, f"The delimiter of this file looks like {_DELIMITERS[used]}.")
        self.problems.check()


def as_objects(values: Iterable[Any]) -> np.ndarray:
    """Return a one-dimensional array of Python objects, also when they are tuples."""
    return np.fromiter(values, dtype=object)


def _float_or_nan(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _say_number(cell: str) -> str:
    if not cell:
        return "the cell is empty"
    value = _float_or_nan(cell)
    if value < 0:
        return f"{cell!r} is negative"
    return f"{cell!r} is not a finite number" if value == float("inf") else f"{cell!r} is not a number"


def _name_apart(columns: Columns) -> list[str]:
    """Give repeated ids a suffix; say how many there were."""
    if "id" not in columns:
        return []
    seen: dict[str, int] = {}
    names = []
    for name in columns["id"].tolist():
        times = seen[name] = seen.get(name, 0) + 1
        names.append(name if times == 1 else f"{name}#{times}")
    repeated = len(names) - len(seen)
    if not repeated:
        return []
    columns["id"] = as_objects(names)
    return [f"jobs that repeat an id, each a job of its own called id#2, id#3, ...: {repeated:,}"]


def _no_accelerators(columns: Columns) -> list[str]:
    none = int((columns["accelerators"] == 0).sum())
    return [f"jobs that ask for no accelerator, kept: {none:,}"] if none else []
