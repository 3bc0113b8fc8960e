"""Lists of failures: a row for each, with time, component, name and repair."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.runtime.failures import COMPONENTS, LoggedFailure
from simulator.scenario.loader import read_text
from simulator.workload.instants import FAR, MIXED, instant, mixed

COLUMNS = ("time", "component", "name", "repair")
_SHOWN = 20
"""Problems of one list that are told."""


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of a row as text, and where it stands: the file and line, or a row of a list."""

    cells: Mapping[str, str]
    file: str | None
    line: int | None
    place: str

    def problem(self, text: str, hint: str | None = None) -> Problem:
        return Problem(text if self.file else f"{self.place}: {text}", self.file, self.line, hint=hint)


def read_log(path: Path, shown: str) -> tuple[LoggedFailure, ...]:
    """Return the failures of a CSV file, in its order.

    Times are seconds, text as ``2 h``, or dates, which count from the earliest. Raises ``InputError`` with every
    problem, each with file and line; ``shown`` is what messages call the file.
    """
    reader = csv.DictReader(read_text(path).splitlines())
    heads = [str(head).strip() for head in reader.fieldnames or ()]
    if not heads:
        raise InputError(Problem(f"the file is empty; a list of failures begins with {','.join(COLUMNS)}", shown))
    missing = [column for column in COLUMNS if column not in heads]
    if missing:
        text = f"there is no column {missing[0]!r}; a list of failures has {', '.join(COLUMNS)}"
        raise InputError(Problem(text, shown, 1))

    def rows() -> Iterator[_Row]:
        for row in reader:
            cells = {str(head).strip(): str(cell or "").strip() for head, cell in row.items() if head is not None}
            yield _Row(cells, shown, reader.line_num, f"{shown}:{reader.line_num}")

    return _read(rows(), Problem("the list of failures is empty", shown, 1))


def read_rows(given: Sequence[Any]) -> tuple[LoggedFailure, ...]:
    """Return the failures of a list of mappings, in its order; raise ``InputError`` with every problem and its row."""

    def rows() -> Iterator[_Row]:
        for number, row in enumerate(given, start=1):
            place, wanted = f"row {number}", f"{{{', '.join(COLUMNS)}}}"
            if not isinstance(row, Mapping):
                raise InputError(f"{place}: {row!r} is not a mapping {wanted}")
            missing = [column for column in COLUMNS if column not in row]
            if missing:
                raise InputError(f"{place}: {missing[0]!r} is missing; a failure is {wanted}")
            yield _Row({str(key): str(cell).strip() for key, cell in row.items()}, None, None, place)

    return _read(rows(), Problem("the list of failures is empty"))


def _read(rows: Iterable[_Row], empty: Problem) -> tuple[LoggedFailure, ...]:
    found: list[tuple[_Row, float, float]] = []
    dates: list[bool] = []
    problems: list[Problem] = []
    for row in rows:
        try:
            time, date = _time(row)
            _check(row)
            found.append((row, time, _repair(row)))
            dates.append(date)
        except InputError as error:
            problems.extend(error.problems)
    odd = mixed(dates)
    if odd is not None:
        problems.append(found[odd][0].problem(f"time: {MIXED}"))
    if problems:
        raise InputError(*problems[:_SHOWN])
    if not found:
        raise InputError(empty)
    start = min(time for _, time, _ in found) if dates[0] else 0.0
    return tuple(
        LoggedFailure(time - start, row.cells["component"], row.cells["name"], repair, row.place)
        for row, time, repair in found
    )


def _check(row: _Row) -> None:
    component = row.cells["component"]
    if component not in COMPONENTS:
        raise InputError(row.problem(f"unknown component {component!r}", did_you_mean(component, COMPONENTS)))
    if not row.cells["name"]:
        raise InputError(row.problem(f"the {component} that fails has no name"))


def _time(row: _Row) -> tuple[float, bool]:
    text = row.cells["time"]
    try:
        seconds, date = instant(text)
    except ValueError as error:
        raise InputError(row.problem(f"time: {error}")) from None
    if not date and not 0 <= seconds <= FAR:
        raise InputError(row.problem(f"time is {text!r}; it must be 0 or more, and at most {FAR:g} s"))
    return seconds, date


def _repair(row: _Row) -> float:
    text = row.cells["repair"]
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parse(text, "time")
        except UnitError as error:
            raise InputError(row.problem(f"repair: {error}")) from None
    if not 0 <= seconds < float("inf"):
        raise InputError(row.problem(f"repair is {text!r}; it must be a finite time, 0 or more"))
    return seconds
