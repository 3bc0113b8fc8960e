"""Any CSV file with one row a job: the user says which column is what, and in which unit.

Without options the columns carry the simulator's own names, times in seconds and memory in bytes; that is also what
``write`` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.workload.dependencies import known_dependencies
from simulator.workload.files import write_rows
from simulator.workload.formats import reader
from simulator.workload.rows import Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

NUMBERS = {
    "submit": "time", "duration": "time", "start": "time", "end": "time", "estimate": "time", "accelerators": "",
    "cores": "", "memory": "bytes", "priority": "", "communication": "ratio", "max_servers": "", "begin": "time",
    "deadline": "time", "limit": "time", "array_limit": "", "restart": "time", "checkpoint": "time", "minimum": "",
    "maximum": "",
}  # fmt: skip
TEXTS = ("id", "tenant", "state", "user", "partition", "array", "model")
LISTS = ("accelerator_types", "after", "tolerations")
"""Texts joined by ``|``."""
FLAGS = ("preemptible",)
TARGETS = (*NUMBERS, *TEXTS, *LISTS, "selector", *FLAGS)
COUNT_UNITS = {"milli": 1e-3, "%": 1e-2}
_NEEDED = ("submit", "duration", "start", "end")
_EMPTY = {name: 0.0 for name in NUMBERS if name not in _NEEDED} | {
    "estimate": -1.0, "restart": -1.0, "deadline": np.inf, "limit": np.inf,
}  # fmt: skip
"""What an empty cell means."""
_WHOLE = ("max_servers", "array_limit")
_TIMES_OF_DAY = ("submit", "start", "end", "begin", "deadline")
_YES = {"yes": True, "true": True, "1": True, "": True, "no": False, "false": False, "0": False}
_DATES = "If these are dates, write units: {{{name}: iso}}."

Mapped = Mapping[str, str | float]


def _begins(text: str) -> bool:
    cells = {cell.strip() for cell in text.partition("\n")[0].split(",")}
    return {"submit", "accelerators"} <= cells <= set(TARGETS)


@reader("generic", begins=_begins)
def read(
    path: str | Path,
    columns: Mapping[str, str | float] | None = None,
    units: Mapping[str, str] | None = None,
    delimiter: str = ",",
) -> Trace:
    """Any CSV; options: columns (ours -> yours, or a number for all), units (time, memory, iso), delimiter.

    ``columns={"submit": "Submit Time", "start": "begin", "end": "finish", "accelerators": 1}`` takes the run from two
    times and gives every job one accelerator. Only mapped columns are looked at; without a mapping all columns must
    have the names of ``TARGETS``. ``units={"submit": "iso", "duration": "min", "memory": "GiB", "cores": "milli"}``:
    times are seconds unless said otherwise, ``iso`` means dates. Rows without a start, end or duration are set aside.
    """
    _check_targets("columns", columns or {})
    _check_targets("units", units or {})
    wanted = [name for name in (columns or {}).values() if isinstance(name, str)]
    known = None if columns else TARGETS
    table = Table(path, "generic", required=dict.fromkeys(wanted), known=known, delimiter=delimiter)
    mapping = dict(columns or {name: name for name in table.header})
    _check_mapping(table, mapping, given=bool(columns))
    if "duration" in mapping:
        mapping = {name: source for name, source in mapping.items() if name not in ("start", "end")}
    scales = {name: _scale(name, (units or {}).get(name)) for name in mapping if name in NUMBERS}
    _check_dates(scales)
    if "after" in mapping and "id" not in mapping:
        told = "no column is mapped to 'id', by which 'after' names jobs"
        raise InputError(Problem(told, file=str(table.path), line=1))
    return known_dependencies(table.trace(lambda rows: _parse(rows, mapping, scales)))


def _check_targets(option: str, given: Mapping[str, Any]) -> None:
    wrong = [f"{option}: a job has no {name!r}. {did_you_mean(name, TARGETS)}" for name in given if name not in TARGETS]
    for name, source in given.items():
        constant = name in NUMBERS and name not in _TIMES_OF_DAY
        if isinstance(source, int | float) and not (constant and 0 <= source < np.inf):
            wrong.append(f"{option}: {source!r} for {name!r} is not the name of a column")
    if wrong:
        raise InputError(*wrong)


def _check_mapping(table: Table, mapping: Mapped, given: bool) -> None:
    hint = "Say which column it is: columns: {{{0}: <name of the column>}}." if not given else "Add it to columns."
    missing = [name for name in ("submit", "accelerators") if name not in mapping]
    if "duration" not in mapping and not {"start", "end"} <= set(mapping):
        missing.append("duration")
    problems = [
        Problem(
            f"no column is mapped to {name!r}" + (" (nor to 'start' and 'end')" if name == "duration" else ""),
            file=str(table.path),
            line=1,
            hint=hint.format(name),
        )
        for name in missing
    ]
    if problems:
        raise InputError(*problems)


def _scale(name: str, unit: str | None) -> float | None:
    """Return the factor to SI units; None for ISO dates."""
    dimension = NUMBERS[name]
    if unit == "iso" and name in _TIMES_OF_DAY:
        return None
    if unit is None:
        return 1.0
    if not dimension:
        if unit not in COUNT_UNITS:
            raise InputError(f"units: {name} cannot be in {unit!r}. {did_you_mean(unit, COUNT_UNITS)}")
        return COUNT_UNITS[unit]
    try:
        return parse(f"1 {unit}", dimension)
    except UnitError:
        more = ", or 'iso' for dates" if name in _TIMES_OF_DAY else ""
        wanted = {"time": "s, ms, min, h or d", "bytes": "B, MB, MiB, GB or GiB", "ratio": "%"}[dimension] + more
        raise InputError(f"units: {name} cannot be in {unit!r}; write {wanted}") from None


def _check_dates(scales: Mapping[str, float | None]) -> None:
    dates = [name for name, scale in scales.items() if scale is None]
    other = [name for name in _TIMES_OF_DAY if name in scales and name not in dates]
    if dates and other:
        raise InputError(f"units: {', '.join(dates)} is iso but {', '.join(other)} is not; dates or numbers for all")


def _parse(rows: Rows, mapping: Mapped, scales: Mapping[str, float | None]) -> Columns:
    for name in ("start", "end", "duration"):
        source = mapping.get(name)
        if isinstance(source, str):
            empty = [not cell for cell in rows.texts(source)]
            rows = rows.without(empty, f"no {name}: the cell of {source!r} is empty")
    numbers = {name: _numbers(rows, name, mapping[name], scale) for name, scale in scales.items()}
    if "duration" not in numbers:
        numbers["duration"] = _runs(rows, mapping["end"], numbers.pop("start"), numbers.pop("end"))
    rows.gangs(str(mapping["accelerators"]), numbers["accelerators"])
    shares = numbers.get("communication", np.zeros(0))
    for index in np.flatnonzero(shares >= 1):
        rows.problem(index, str(mapping["communication"]), f"{shares[index]:g} is not a share from 0 to below 1")
    for name in _WHOLE:
        if name in numbers:
            numbers[name] = _counts(rows, str(mapping[name]), numbers[name])
    more = {name: read(rows, str(mapping[name])) for name, read in _READ.items() if name in mapping}
    return {"row": rows.row} | numbers | more


def _numbers(rows: Rows, name: str, source: str | float, scale: float | None) -> np.ndarray:
    if not isinstance(source, str):
        return np.full(len(rows), float(source) * (scale or 1.0))
    if scale is None:
        empty = _EMPTY.get(name)
        times = rows.times(source, empty=empty is not None)
        return times if empty is None else np.where(np.isnan(times), empty, times)
    hint = _DATES.format(name=name) if name in _TIMES_OF_DAY else None
    return rows.numbers(source, _EMPTY.get(name), scale, low=-np.inf if name == "priority" else 0.0, hint=hint)


def _runs(rows: Rows, column: str | float, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    for index in np.flatnonzero(end < start):
        rows.problem(index, str(column), "the end lies before the start")
    run: np.ndarray = end - start
    return run


def _counts(rows: Rows, column: str, values: np.ndarray) -> np.ndarray:
    for index in np.flatnonzero(values != np.floor(values)):
        rows.problem(index, column, f"{values[index]:g} is not a whole number")
    whole: np.ndarray = values.astype(np.int64)
    return whole


def _lists(rows: Rows, column: str) -> np.ndarray:
    return as_objects(tuple(cell.split("|")) if cell else () for cell in rows.texts(column))


def _pairs(rows: Rows, column: str) -> np.ndarray:
    found = []
    for index, cell in enumerate(rows.texts(column)):
        pairs = [part.partition("=") for part in cell.split("|")] if cell else []
        if not all(equals for _, equals, _ in pairs):
            rows.problem(index, column, f"{cell!r} is not a list of labels such as zone=a|disk=ssd")
        found.append(tuple((name, value) for name, _, value in pairs))
    return as_objects(found)


def _flags(rows: Rows, column: str) -> np.ndarray:
    cells = [cell.lower() for cell in rows.texts(column)]
    for index, cell in enumerate(cells):
        if cell not in _YES:
            rows.problem(index, column, f"{cell!r} is neither yes nor no")
    return np.array([_YES.get(cell, True) for cell in cells], dtype=bool)


_READ: Mapping[str, Callable[[Rows, str], np.ndarray]] = (
    dict.fromkeys(TEXTS, Rows.objects)
    | dict.fromkeys(LISTS, _lists)
    | {"selector": _pairs}
    | dict.fromkeys(FLAGS, _flags)
)


def write(trace: Trace, path: str | Path) -> None:
    """Write a trace so that ``read`` without options gives the same jobs back: SI units, ``submit`` from the first job.

    What an empty cell stands for stays empty: an estimate that is exact, no deadline, no limit. Left out are the
    origin, the servers, a ``speedup``, and columns that only one format knows. Raises ``InputError`` for names that
    hold a ``|`` where ``|`` joins names.
    """
    names = [name for name in TARGETS if name in trace.columns]
    write_rows(path, names, zip(*(_cells(name, trace.columns[name].tolist()) for name in names), strict=True))


def _cells(name: str, values: list[Any]) -> list[Any]:
    if name in LISTS:
        return [_joined(name, value) for value in values]
    if name == "selector":
        return [_joined(name, [_label(key, text) for key, text in value]) for value in values]
    if name in FLAGS:
        return ["yes" if value else "no" for value in values]
    empty = _EMPTY.get(name)
    return ["" if value == empty or (empty == -1 and value < 0) else value for value in values] if empty else values


def _label(name: str, value: str) -> str:
    if "=" in name:
        raise InputError(f"selector: {name!r} cannot be written, as '=' joins a label and its value")
    return f"{name}={value}"


def _joined(name: str, texts: Sequence[str]) -> str:
    wrong = next((text for text in texts if "|" in text or not text), None)
    if wrong is not None:
        raise InputError(f"{name}: {wrong!r} cannot be written, as names are joined by '|'")
    return "|".join(texts)
