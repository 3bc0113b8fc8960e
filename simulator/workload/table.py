"""Tables of text: what every reader of a trace needs to be strict about cells and open about what it leaves out.

A reader opens a ``Table`` and hands ``Table.trace`` a function from ``Rows`` (some thousand rows at a time) to columns.
Rows that cannot become jobs are taken out by ``Rows.without`` with a reason; cells that make no sense are collected and
raised together, each with file, line, column and value.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import chain
from pathlib import Path

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.files import check_file, text_lines
from simulator.workload.rows import Book, Rows, as_objects
from simulator.workload.trace import Columns, ServerRow, Trace

_CHUNK = 65536
_WRONG_COLUMNS_SHOWN = 3
_DELIMITERS = {",": "a comma", "|": "'|'", "\t": "a tab", ";": "a semicolon"}
_TAB = {"tab": "\t", r"\t": "\t"}
_MOMENTS = ("submit", "begin", "deadline")
"""Columns that hold times on the clock of the file."""
_RAN_FOR_NOTHING = "ran for 0 s: there is nothing to replay"

Parse = Callable[[Rows], Columns]


class Table:
    """A delimited text file with a header line.

    ``required`` columns must be there; ``known`` are those that may be (None: any). With ``names`` the file has no
    header and these are its columns; a first row that repeats them is taken for the header it is. ``tidy`` may turn
    each line of the file into one that can be cut at the delimiter. Raises ``InputError`` for a file that is missing,
    empty, of another kind or format, and for wrong columns with the nearest right ones.
    """

    def __init__(
        self, path: str | Path, format: str, required: Collection[str] = (), known: Collection[str] | None = None,
        delimiter: str = ",", quoting: bool = True, names: Sequence[str] = (),
        tidy: Callable[[Iterator[str]], Iterator[str]] = iter,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self.book = Book(str(path))
        self._format = format
        check_file(self.path)
        delimiter = _TAB.get(delimiter, delimiter)
        if len(delimiter) != 1:
            raise InputError(f"delimiter: {delimiter!r} is not one character")
        self._delimiter = delimiter
        self._text = text_lines(self.path)
        self._lines = csv.reader(
            tidy(self._text),
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
            skipinitialspace=True,
            strict=True,  # without it a quote that is never closed swallows the rest of the file
        )
        self._held: list[list[str]] = []
        try:
            cells = self._read_header() if not names else self._without_header(names)
            self._closed = len(cells) > 1 and cells[-1] == ""
            self.header = self.book.header = cells[:-1] if self._closed else cells
            self._check_header(required, known)
        except InputError:
            self._text.close()
            raise

    def gather(self, parse: Parse) -> Columns:
        """Apply ``parse`` to all rows and join what it returns; raise the problems that were found."""
        with closing(self._text):
            parts = [parse(rows) for rows in self._rows()]
        if not parts and not self.book.problems:
            self.book.problems.add("there is a header, but no row below it")
        self.book.problems.check()
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def trace(self, parse: Parse, servers: tuple[ServerRow, ...] = ()) -> Trace:
        """Read all rows and return them as a trace.

        ``parse`` returns at least ``row``, ``submit``, ``duration`` and ``accelerators``. Rows that ran for 0 s are set
        aside, ``submit`` is counted from the first job, and repeated ids get a suffix.
        """
        return self.finish(self.gather(parse), servers)

    def finish(self, columns: Columns, servers: tuple[ServerRow, ...] = ()) -> Trace:
        """Return columns that were gathered as a trace, as ``trace`` does."""
        return as_trace(self.path, self.book, columns, servers)

    def _rows(self) -> Iterator[Rows]:
        width = len(self.header) + self._closed
        cells: list[list[str]] = []
        lines: list[int] = []
        first = number = 1
        for row in chain(self._held, self._read()):
            if len(row) != width:
                if row:
                    self._wrong_width(row, width)
                continue
            cells.append(row)
            lines.append(self._lines.line_num)
            number += 1
            if len(cells) == _CHUNK:
                yield Rows(self.book, cells, np.array(lines), np.arange(first, number))
                cells, lines, first = [], [], number
        if cells:
            yield Rows(self.book, cells, np.array(lines), np.arange(first, number))

    def _wrong_width(self, row: list[str], width: int) -> None:
        hint = "The row breaks off: is the file cut short?"
        if len(row) > width and self._delimiter == "|":
            hint = "A text such as JobName may hold '|' itself: leave that column out, or choose another delimiter."
        elif len(row) > width:
            hint = "A text that holds the delimiter must stand in double quotes."
        text = f"{len(row)} cells, but the header has {width}"
        self.book.problems.add(text, line=self._lines.line_num, hint=hint)

    def _read(self) -> Iterator[list[str]]:
        try:
            yield from self._lines
        except csv.Error as error:
            told, hint = f"this cannot be read as a table ({error})", None
            if "end of data" in str(error):
                told, hint = "the file ends inside a quoted text", 'Look for a " that is never closed.'
            raise InputError(Problem(told, file=str(self.path), line=self._lines.line_num, hint=hint)) from None

    def _read_header(self) -> list[str]:
        header = next((row for row in self._read() if row), None)
        if header is None:
            raise InputError(Problem("the file is empty", file=str(self.path)))
        return [cell.strip() for cell in header]

    def _without_header(self, names: Sequence[str]) -> list[str]:
        first = self._read_header()
        if first != list(names):
            self._held = [first]
            self.header = first
            if len(first) != len(names):
                self._suspect_other_format()
        return list(names)

    def _check_header(self, required: Collection[str], known: Collection[str] | None) -> None:
        missing = [name for name in required if name not in self.header]
        unknown = [name for name in self.header if known is not None and name not in known]
        if (missing or unknown) and known is not None:
            self._suspect_other_format()
        if missing or unknown:
            self._suspect_other_delimiter()
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
        self.book.problems.check()

    def _wrong_header(self, text: str, hint: str | None = None) -> None:
        self.book.problems.add(text, line=self._lines.line_num, hint=hint)

    def _suspect_other_format(self) -> None:
        from simulator.workload.formats import looks_like

        other = looks_like(self._delimiter.join(self.header))
        if other not in (None, self._format):
            self._wrong_header(f"this looks like a trace of format {other!r}, not {self._format!r}", f"Use {other!r}.")
            self.book.problems.check()

    def _suspect_other_delimiter(self) -> None:
        line = self.header[0]
        used = next((mark for mark in _DELIMITERS if mark != self._delimiter and mark in line), None)
        if used and len(self.header) == 1:
            cut = _DELIMITERS.get(self._delimiter, repr(self._delimiter))
            text = f"cut at {cut}, the header is a single column: {line[:60]!r}"
            self._wrong_header(text, f"The delimiter of this file looks like {_DELIMITERS[used]}.")
            self.book.problems.check()


def as_trace(path: Path, book: Book, columns: Columns, servers: tuple[ServerRow, ...] = ()) -> Trace:
    """Return as a trace what was read from ``path``, with all that ``book`` says of it; see ``Table.trace``.

    Raises ``InputError`` when nothing is left to replay.
    """
    nothing = columns["duration"] == 0
    if nothing.any():
        book.put_aside(_RAN_FOR_NOTHING, columns["row"][nothing])
        columns = {name: column[~nothing] for name, column in columns.items()}
    aside = book.set_aside()
    if not len(columns["submit"]):
        told = "".join(f"\n    set aside {part.count:,}: {part.reason}" for part in aside)
        raise InputError(Problem(f"no row is a job that can be replayed{told}", file=str(path)))
    first = float(columns["submit"].min())
    columns |= {name: np.maximum(columns[name] - first, 0.0) for name in _MOMENTS if name in columns}
    notes = [*book.notes(), *_name_apart(columns), *_no_accelerators(columns)]
    if book.base is None and first:
        notes.append(f"submit 0 is {first:.15g} s in the file")
    origin = book.base and book.base + timedelta(seconds=first)
    return Trace.sorted(path.name, columns, set_aside=aside, origin=origin, servers=servers, notes=tuple(notes))


def _name_apart(columns: Columns) -> list[str]:
    """Give repeated ids a suffix and rows without one a name; say how many ids were repeated."""
    if "id" not in columns:
        return []
    seen: dict[str, int] = {}
    names = []
    for row, given in zip(columns["row"].tolist(), columns["id"].tolist(), strict=True):
        name = given or f"row-{row}"
        times = seen[name] = seen.get(name, 0) + 1
        names.append(name if times == 1 else f"{name}#{times}")
    columns["id"] = as_objects(names)
    repeated = len(names) - len(seen)
    return [f"jobs that repeat an id, each a job of its own called id#2, id#3, ...: {repeated:,}"] * (repeated > 0)


def _no_accelerators(columns: Columns) -> list[str]:
    none = int((columns["accelerators"] == 0).sum())
    return [f"jobs that ask for no accelerator, kept: {none:,}"] if none else []
