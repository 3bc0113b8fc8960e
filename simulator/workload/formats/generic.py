"""Any CSV file with one row a job: the user says which column is what, and in which unit.

Without options the columns carry the simulator's own names, times in seconds and memory in bytes; that is also what
``write`` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.workload.files import write_rows
from simulator.workload.formats import reader
from simulator.workload.rows import Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

NUMBERS = {
    "submit": "time", "duration": "time", "start": "time", "end": "time", "estimate": "time", "accelerators": "",
    "cores": "", "memory": "bytes", "priority": "", "communication": "ratio",
}  # fmt: skip
TEXTS = ("id", "tenant", "state", "accelerator_types")
TARGETS = (*NUMBERS, *TEXTS)
COUNT_UNITS = {"milli": 1e-3, "%": 1e-2}
_EMPTY: dict[str, float | None] = {
    "estimate": -1.0, "cores": 0.0, "memory": 0.0, "priority": 0.0, "communication": 0.0, "accelerators": 0.0,
}  # fmt: skip
_TIMES_OF_DAY = ("submit", "start", "end")
_DATES = "If these are dates, write units: {{{name}: iso}}."

Mapped = Mapping[str, str | float]


@reader("generic")
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
    return table.trace(lambda rows: _parse(rows, mapping, scales))


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
    other = [name for name in ("submit", "start", "end") if name in scales and name not in dates]
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
    texts = {name: _texts(rows, name, str(mapping[name])) for name in TEXTS if name in mapping}
    return {"row": rows.row} | numbers | texts


def _numbers(rows: Rows, name: str, source: str | float, scale: float | None) -> np.ndarray:
    if not isinstance(source, str):
        return np.full(len(rows), float(source) * (scale or 1.0))
    if scale is None:
        return rows.times(source)
    hint = _DATES.format(name=name) if name in _TIMES_OF_DAY else None
    return rows.numbers(source, _EMPTY.get(name), scale, low=-np.inf if name == "priority" else 0.0, hint=hint)


def _runs(rows: Rows, column: str | float, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    for index in np.flatnonzero(end < start):
        rows.problem(index, str(column), "the end lies before the start")
    run: np.ndarray = end - start
    return run


def _texts(rows: Rows, name: str, source: str) -> np.ndarray:
    if name == "accelerator_types":
        return as_objects(tuple(cell.split("|")) if cell else () for cell in rows.texts(source))
    return rows.objects(source)


def write(trace: Trace, path: str | Path) -> None:
    """Write a trace so that ``read`` without options gives the same jobs back: SI units, ``submit`` from the first job.

    The origin, the servers and columns that only one format knows are left out; an estimate that is exact stays empty.
    """
    names = [name for name in TARGETS if name in trace.columns]
    write_rows(path, names, zip(*(_cells(name, trace.columns[name].tolist()) for name in names), strict=True))


def _cells(name: str, values: list[Any]) -> list[Any]:
    if name == "accelerator_types":
        return ["|".join(value) for value in values]
    return ["" if value < 0 else value for value in values] if name == "estimate" else values
