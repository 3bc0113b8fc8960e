"""Lists of failures: a row for each, with time, component, name and repair."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.runtime.failures import COMPONENTS, LoggedFailure
from simulator.scenario.loader import read_text

COLUMNS = ("time", "component", "name", "repair")
_SHOWN = 20
"""Problems of one file that are told."""


def read_log(path: Path, shown: str) -> tuple[LoggedFailure, ...]:
    """Return the failures of a CSV file, in its order; times are numbers of seconds, or text as ``2 h``.

    Raises ``InputError`` with every problem, each with file and line; ``shown`` is what messages call the file.
    """
    reader = csv.DictReader(read_text(path).splitlines())
    heads = [str(head).strip() for head in reader.fieldnames or ()]
    missing = [column for column in COLUMNS if column not in heads]
    if missing:
        text = f"there is no column {missing[0]!r}; a list of failures has {', '.join(COLUMNS)}"
        raise InputError(Problem(text, shown, 1))
    found: list[LoggedFailure] = []
    problems: list[Problem] = []
    for row in reader:
        cells = {str(head).strip(): str(cell or "").strip() for head, cell in row.items() if head is not None}
        try:
            found.append(_failure(cells))
        except InputError as error:
            problems.extend(Problem(each.text, shown, reader.line_num, hint=each.hint) for each in error.problems)
    if problems:
        raise InputError(*problems[:_SHOWN])
    if not found:
        raise InputError(Problem("the list of failures is empty", shown, 1))
    return tuple(found)


def _failure(cells: Mapping[str, str]) -> LoggedFailure:
    component = cells["component"]
    if component not in COMPONENTS:
        raise InputError(Problem(f"unknown component {component!r}", hint=did_you_mean(component, COMPONENTS)))
    if not cells["name"]:
        raise InputError(f"the {component} that fails has no name")
    return LoggedFailure(_time(cells, "time"), component, cells["name"], _time(cells, "repair"))


def _time(cells: Mapping[str, str], column: str) -> float:
    text = cells[column]
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parse(text, "time")
        except UnitError as error:
            raise InputError(f"{column}: {error}") from None
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{column} is {text!r}; it must be a finite time, 0 or more")
    return seconds
