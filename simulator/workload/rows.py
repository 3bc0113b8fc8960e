"""Rows of a table of text: cells become numbers, times and texts, and what is wrong with them is written down."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.trace import SetAside

NO_TIME = ("", "None", "NA", "NaN", "nan", "NaT", "Unknown", "null")
"""What stands in the cell of a time that there was none of."""
_PROBLEMS_SHOWN = 10


class Problems:
    """What is wrong with a file: the first ten are kept, the rest counted."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._first: list[Problem] = []
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._first)

    def add(self, text: str, line: int | None = None, path: str | None = None, hint: str | None = None) -> None:
        """Take note of one problem at ``line`` (from 1), in column ``path``."""
        self._count += 1
        if len(self._first) < _PROBLEMS_SHOWN:
            self._first.append(Problem(text, file=self._file, line=line, path=path, hint=hint))

    def check(self) -> None:
        """Raise all of them as one ``InputError``, if there are any."""
        more = self._count - len(self._first)
        rest = [f"{self._file}: ... and {more:,} more problems"] if more else []
        if self._first:
            raise InputError(*sorted(self._first, key=lambda problem: problem.line or 0), *rest)


class Book:
    """What is written down while a table is read: problems, rows set aside, notes, and the time that 0 stands for."""

    def __init__(self, file: str) -> None:
        self.problems = Problems(file)
        self.header: list[str] = []
        self.base: datetime | None = None
        self.counts: dict[str, int] = {}
        self._aside: dict[str, list[np.ndarray]] = {}
        self._texts: dict[str, str] = {}

    def one(self, text: str) -> str:
        """Return the one object that stands for all equal texts."""
        return self._texts.setdefault(text, text)

    def put_aside(self, reason: str, rows: np.ndarray) -> None:
        """Count rows that do not become jobs."""
        self._aside.setdefault(reason, []).append(rows)

    def count(self, note: str, number: int | np.integer[Any] = 1) -> None:
        """Add to a note that tells how many rows are special; ``{n}`` in it stands for their number."""
        self.counts[note] = self.counts.get(note, 0) + int(number)

    def set_aside(self) -> tuple[SetAside, ...]:
        """Return all that was put aside, by reason, in the order in which reasons came up."""
        return tuple(SetAside.of(reason, np.concatenate(rows)) for reason, rows in self._aside.items())

    def notes(self) -> list[str]:
        """Return the notes on rows that are special."""
        return [note.replace("{n}", f"{n:,}") for note, n in self.counts.items() if n]


class Rows:
    """Some rows of a table: cells by column, and of each row its number and its line in the file."""

    def __init__(self, book: Book, cells: list[list[Any]], lines: np.ndarray, numbers: np.ndarray) -> None:
        self._book = book
        self._cells = cells
        self._lines = lines
        self.row = numbers

    def __len__(self) -> int:
        return len(self.row)

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column without surrounding blanks."""
        index = self._book.header.index(column)
        return [row[index].strip() if isinstance(row[index], str) else str(row[index]) for row in self._cells]

    def lists(self, column: str, separator: str = "|") -> list[list[Any]]:
        """Return the cells of a column as lists: a text is cut at the separator, an empty one is an empty list."""
        index = self._book.header.index(column)
        cells = [row[index] for row in self._cells]
        return [cell if isinstance(cell, list) else cell.split(separator) if cell.strip() else [] for cell in cells]

    def objects(self, column: str) -> np.ndarray:
        """Return the cells of a column as an object array in which equal texts are one object."""
        return as_objects(map(self._book.one, self.texts(column)))

    def choices(self, column: str, known: Collection[str], what: str) -> np.ndarray:
        """Return a column of texts after checking that each is one of ``known``: "'X' is not ``what``" otherwise."""
        cells = self.texts(column)
        for index, cell in enumerate(cells):
            if cell not in known:
                self.problem(index, column, f"{cell!r} is not {what}", did_you_mean(cell, known))
        return as_objects(map(self._book.one, cells))

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
        values = values * scale if scale >= 1 else values / (1 / scale)  # 470 milli is 0.47, not 470 x 0.001
        if empty is not None:
            values[blank] = empty
        return values

    def wholes(self, column: str, empty: float | None = None) -> np.ndarray:
        """Return a column of whole numbers of 1 or more as floats; ``empty`` is what an empty cell means, as above."""
        values = self.numbers(column, empty)
        for index in np.flatnonzero((values < 1) | (values != np.floor(values))):
            if values[index] != empty:
                self.problem(index, column, f"{values[index]:g} is not a whole number of 1 or more")
        return values

    def times(self, column: str, hint: str | None = None, empty: bool = False) -> np.ndarray:
        """Return a column of ISO dates and times as seconds after the ``base`` of the table (its first time).

        With ``empty`` a cell may be empty, or say None, NA, NaN, NaT or Unknown, and becomes NaN.
        """
        cells = self.texts(column)
        blank = np.array([empty and cell in NO_TIME for cell in cells], dtype=bool)
        moments: list[datetime | None]
        try:
            moments = [None if no else datetime.fromisoformat(cell) for cell, no in zip(cells, blank, strict=True)]
        except ValueError:
            marked = zip(cells, blank, strict=True)
            moments = [None if no else self._moment(at, column, cell, hint) for at, (cell, no) in enumerate(marked)]
        if self._book.base is None:
            first = next(filter(None, moments), None)
            self._book.base = first and first.replace(microsecond=0)
        base = self._book.base
        try:
            seconds = np.array([(moment - base).total_seconds() if moment and base else 0.0 for moment in moments])
            return np.where(blank, np.nan, seconds)
        except TypeError:
            for index, moment in enumerate(moments):
                if moment and base and (moment.tzinfo is None) != (base.tzinfo is None):
                    self.problem(index, column, f"{cells[index]!r}: some times have a zone and some have none", hint)
            return np.zeros(len(self))

    def _moment(self, index: int, column: str, cell: str, hint: str | None) -> datetime | None:
        try:
            return datetime.fromisoformat(cell)
        except ValueError:
            text = f"{cell!r} is not a time such as 2017-10-01 09:30:00" if cell else "the cell is empty"
            self.problem(index, column, text, hint)
            return None

    def gangs(self, column: str, values: np.ndarray) -> np.ndarray:
        """Return ``values`` after checking that each is a whole number of accelerators or a share of one."""
        for index in np.flatnonzero((values > 1) & (values != np.floor(values))):
            text = f"{values[index]:g} accelerators: a job takes whole accelerators, or a share below 1 of a single one"
            self.problem(index, column, text)
        return values

    def problem(self, index: int | np.integer[Any], column: str, text: str, hint: str | None = None) -> None:
        """Say that a cell is wrong; reading goes on to find the others, and then fails."""
        self._book.problems.add(text, line=int(self._lines[index]), path=column, hint=hint)

    def without(self, out: Iterable[bool] | np.ndarray, reason: str) -> Rows:
        """Set rows aside for a reason; return the others."""
        mask = np.fromiter(out, bool, len(self))
        if not mask.any():
            return self
        self._book.put_aside(reason, self.row[mask])
        keep = np.flatnonzero(~mask)
        return Rows(self._book, [self._cells[index] for index in keep], self._lines[keep], self.row[keep])

    def count(self, note: str, number: int | np.integer[Any]) -> None:
        """Add to a note that tells how many rows are special; ``{n}`` in it stands for their number."""
        self._book.count(note, number)


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
