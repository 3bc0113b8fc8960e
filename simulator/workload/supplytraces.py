"""Traces of what a provider has and asks: nodes, prices and carbon intensities over time.

Three layouts are told apart by their first line. *Events* (``0,add,node1``, milliseconds, no header) and *counts*
(``2021-12-10, 13:07:45, 80``, no header) are those of the spot traces of Bamboo (Thorpe et al., NSDI 2023); *columns*
have a header, the first column being the time: seconds, text with a unit, or dates. Times count from the first row.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.files import check_file, text_lines
from simulator.workload.instants import MIXED, instant, mixed

_EVENT = re.compile(r"\s*-?\d+\s*,\s*(add|remove)\s*,")
_SAMPLE = re.compile(r"\s*\d{4}-\d\d-\d\d\s*,")


@dataclass(frozen=True, slots=True)
class Levels:
    """A number that changes at ``times`` (s, rising, from 0), and what a reader should know of the file."""

    times: tuple[float, ...]
    values: tuple[float, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a table: its number, its cells, and where each of them begins."""

    path: Path
    number: int
    cells: list[str]

    def problem(self, column: int, text: str, hint: str = "") -> InputError:
        start = 1 + sum(len(cell) + 1 for cell in self.cells[:column])
        source = ",".join(self.cells)
        return InputError(Problem(text, str(self.path), self.number, start, source=source, hint=hint or None))

    def cell(self, column: int) -> str:
        if column >= len(self.cells):
            raise self.problem(len(self.cells), f"{len(self.cells)} columns, at least {column + 1} are needed")
        return self.cells[column].strip()

    def amount(self, column: int, whole: bool = False) -> float:
        text = self.cell(column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf or (whole and value != int(value)):
            wanted = "a whole number" if whole else "a number"
            raise self.problem(column, f"{text!r} is not {wanted}, 0 or more")
        return value

    def time(self, column: int) -> tuple[float, bool]:
        """A time in seconds, and whether it is a date."""
        try:
            return instant(self.cell(column))
        except ValueError as error:
            raise self.problem(column, str(error)) from None


def nodes(path: Path) -> Levels:
    """Return how many nodes there are over time; raise ``InputError`` with line and column for what is wrong.

    In a table with a header the number stands in the column ``count``, or ``nodes``, or the second of two.
    """
    first = _first(path)
    if _EVENT.match(first):
        times, values, have = [], [], 0
        for time, change in _changes(path):
            have += change
            times.append(time)
            values.append(float(have))
        return _levels(path, list(zip(times, values, strict=True)))
    if _SAMPLE.match(first):
        samples = []
        for row in _rows(path):
            moment = f"{row.cell(0)} {row.cell(1)}"
            time, _ = _Row(path, row.number, [moment, *row.cells[2:]]).time(0)
            samples.append((time, row.amount(2, whole=True)))
        return _levels(path, samples)
    return columns(path, ("count", "nodes"), whole=True)


def removals(path: Path) -> tuple[tuple[float, int], ...]:
    """Return when nodes were taken back, and how many at a time (s, nodes).

    From events; or from a table with a header, of the column ``count``, or ``nodes``, or the second of two.
    """
    if _EVENT.match(_first(path)):
        times: dict[float, int] = {}
        for time, change in _changes(path):
            if change < 0:
                times[time] = times.get(time, 0) - change
        return tuple(sorted(times.items()))
    levels = columns(path, ("count", "nodes"), whole=True)
    return tuple((time, int(count)) for time, count in zip(levels.times, levels.values, strict=True) if count)


def columns(path: Path, names: tuple[str, ...], whole: bool = False) -> Levels:
    """Return one column of a table with a header over its first, the time: the first of ``names`` that it has.

    A table of two columns may call the second as it likes. Where a cell is empty the number before it holds. Raises
    ``InputError`` with line and column.
    """
    rows = _rows(path)
    header = next(rows)
    known = [cell.strip() for cell in header.cells]
    column = next((known.index(name) for name in names if name in known), 1 if len(known) == 2 else -1)
    if column < 0:
        text = f"there is no column {names[0]!r}"
        raise InputError(Problem(text, str(path), header.number, hint=did_you_mean(names[0], known)))
    there = list(rows)
    known_rows = [row for row in there if row.cell(column)]
    times = [row.time(0) for row in known_rows]
    odd = mixed([date for _, date in times])
    if odd is not None:
        raise known_rows[odd].problem(0, MIXED)
    amounts = [row.amount(column, whole) for row in known_rows]
    levels = _levels(path, [(time, amount) for (time, _), amount in zip(times, amounts, strict=True)])
    empty = len(there) - len(known_rows)
    if not empty:
        return levels
    note = f"{path.name}: {empty:,} of {len(there):,} rows have no {known[column]}; the one before holds"
    return Levels(levels.times, levels.values, (*levels.notes, note))


def _changes(path: Path) -> Iterator[tuple[float, int]]:
    for row in _rows(path):
        what = row.cell(1)
        if what not in ("add", "remove"):
            raise row.problem(1, f"{what!r} is neither add nor remove")
        row.cell(2)
        yield row.amount(0) / 1000.0, 1 if what == "add" else -1


def _levels(path: Path, samples: list[tuple[float, float]]) -> Levels:
    """Put samples in order of time; of several at one time the last one counts."""
    if not samples:
        raise InputError(Problem("there is no row of numbers", str(path)))
    back = sum(after[0] < before[0] for before, after in itertools.pairwise(samples))
    start = min(time for time, _ in samples)
    ordered: dict[float, float] = {}
    for time, value in sorted(samples, key=lambda sample: sample[0]):
        ordered[time - start] = value
    notes = (f"{path.name}: {back:,} of {len(samples):,} rows go back in time; they were sorted",) if back else ()
    return Levels(tuple(ordered), tuple(ordered.values()), notes)


def _first(path: Path) -> str:
    return ",".join(next(_rows(path)).cells)


def _rows(path: Path) -> Iterator[_Row]:
    """Yield the lines that are not empty."""
    check_file(path)
    empty = True
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip():
            empty = False
            yield _Row(path, number, next(csv.reader([line.rstrip("\r\n")])))
    if empty:
        raise InputError(Problem("the file is empty", str(path)))
