"""Gavel: jobs that are so many steps of a model, tab separated, without a header.

Two layouts: ten columns (job type, command, working directory, name of the steps argument, whether it needs data, total
steps, GPUs, priority weight, SLO or -1, arrival in s) and the older seven (job type, command, steps argument, needs
data, total steps, arrival in s, GPUs). An SLO is a multiple of the job's own duration. Commands are never run. Source:
stanford-futuredata/gavel, parse_trace in scheduler/utils.py, add_job in scheduler/scheduler.py and scheduler/traces at
commit c4fa400 (Narayanan et al., OSDI 2020). Its generator writes the first job twice.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.files import check_file, text_lines
from simulator.workload.formats import reader
from simulator.workload.options import one_of
from simulator.workload.rows import Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.throughputs import Throughputs, table, tables
from simulator.workload.trace import Columns, Trace

COLUMNS = (
    "job_type", "command", "working_directory", "steps_argument", "needs_data", "total_steps", "scale_factor",
    "priority_weight", "slo", "arrival",
)  # fmt: skip
OLD_COLUMNS = ("job_type", "command", "steps_argument", "needs_data", "total_steps", "arrival", "scale_factor")
_PACES = ("by type", "reference")
_SPREAD = "_unconsolidated"
_TWICE = "the first job, written a second time (the generator of Gavel does so)"
_UNMEASURED = "a model and number of GPUs of which no pace was measured on the reference type {reference}"
_WORK = "work is in steps: durations are seconds on {reference}, packed, by the throughputs {name!r}"


def _begins(text: str) -> bool:
    cells = text.partition("\n")[0].split("\t")
    names = next((names for names in (COLUMNS, OLD_COLUMNS) if len(names) == len(cells)), ())
    return bool(names) and all(cells[names.index(name)].isdecimal() for name in ("needs_data", "total_steps"))


@reader("gavel", begins=_begins)
def read(
    path: str | Path, throughputs: str | Path = "gavel", reference: str | None = None,
    types: Mapping[str, str] | None = None, paces: Literal["by type", "reference"] = "by type",
) -> Trace:  # fmt: skip
    """Gavel jobs in steps; options: throughputs (table or JSON file), reference, types, paces (by type | reference).

    ``throughputs`` is a table that comes with the project, or a path relative to the folder of the trace: JSON, plain
    or gzip-compressed, of type -> "('model (batch size b)', gpus)" -> steps/s, types that end in ``_unconsolidated``
    being gangs spread over servers. ``duration`` is on ``reference`` (v100 unless said); ``speedup`` has the pace of
    every type, so that the job runs on these types only: ``types`` turns them into the ids of a topology, for example
    ``{"v100": "nvidia/v100-sxm2-32"}``; with ``paces="reference"`` it runs anywhere, at the pace of the reference. The
    priority weight becomes ``priority``, the SLO ``deadline``.
    """
    by_type = one_of("paces", paces, _PACES) == "by type"
    rates = _throughputs(Path(path), throughputs, reference)
    strange = [name for name in types or {} if name not in rates.types]
    if strange:
        raise InputError(*(f"types: there is no type {name!r}. {did_you_mean(name, rates.types)}" for name in strange))
    check_file(Path(path))
    first = next((line for line in text_lines(Path(path)) if line.strip()), "")
    names = OLD_COLUMNS if first.count("\t") + 1 == len(OLD_COLUMNS) else COLUMNS
    lines = Table(path, "gavel", required=names, known=names, delimiter="tab", quoting=False, names=names)
    lines.book.counts[_WORK.format(reference=rates.reference, name=rates.name)] = 1
    columns = lines.gather(lambda rows: _parse(rows, names, rates, types or {}))
    return lines.finish({name: column for name, column in columns.items() if by_type or name != "speedup"})


def _parse(rows: Rows, names: tuple[str, ...], paces: Throughputs, types: Mapping[str, str]) -> Columns:
    rows = rows.without(_written_twice(rows, names), _TWICE)
    gangs = rows.numbers("scale_factor")
    for index in np.flatnonzero((gangs < 1) | (gangs != np.floor(gangs))):
        rows.problem(index, "scale_factor", f"{gangs[index]:g} is not a whole number of GPUs, 1 or more")
    known = [_measured(paces, model, gang) for model, gang in zip(rows.texts("job_type"), gangs, strict=True)]
    rows = rows.without((not yes for yes in known), _UNMEASURED.format(reference=paces.reference))
    gangs, steps = rows.numbers("scale_factor"), rows.numbers("total_steps")
    submit = rows.numbers("arrival")
    speedups = [
        paces.speedup(model, gang, step, types) if step > 0 else None
        for model, gang, step in zip(rows.texts("job_type"), gangs.tolist(), steps.tolist(), strict=True)
    ]
    duration = np.array([speedup.duration if speedup else 0.0 for speedup in speedups])
    columns = {
        "row": rows.row,
        "submit": submit,
        "duration": duration,
        "accelerators": gangs,
        "model": rows.objects("job_type"),
        "speedup": as_objects(speedups),
        "steps": steps,
    }
    if names is OLD_COLUMNS:
        return columns
    slo = rows.numbers("slo", low=-1.0)
    deadline = np.where(slo < 0, math.inf, submit + np.where(slo < 0, 0.0, slo) * duration)
    return columns | {"priority": rows.numbers("priority_weight"), "deadline": deadline}


def _written_twice(rows: Rows, names: tuple[str, ...]) -> list[bool]:
    """Tell whether row 2 says what row 1 does; numbers may be written differently."""
    if len(rows) < 2 or rows.row[0] != 1:
        return [False] * len(rows)
    one, two = ([_plain(rows.texts(name)[row]) for name in names] for row in (0, 1))
    return [False, one == two, *[False] * (len(rows) - 2)]


def _plain(cell: str) -> str | float:
    try:
        return float(cell)
    except ValueError:
        return cell


def _measured(paces: Throughputs, model: str, accelerators: float) -> bool:
    rates = paces.packed.get(model, {}).get(int(accelerators) if accelerators >= 1 else 0, {})
    return rates.get(paces.reference, 0.0) > 0


def _throughputs(path: Path, given: str | Path, reference: str | None) -> Throughputs:
    paces = table(str(given)) if str(given) in tables() else read_throughputs(path.parent / given)
    if reference is None:
        return paces
    if reference not in paces.types:
        raise InputError(f"reference: there is no type {reference!r}. {did_you_mean(reference, paces.types)}")
    return replace(paces, reference=reference)


def read_throughputs(path: Path) -> Throughputs:
    """Read steps/s from Gavel's JSON; ``InputError`` for whatever is wrong with the file.

    Pairs of jobs that share GPUs, which the same file may have, are not looked at. The reference is v100 where it is
    there, else the first type.
    """
    check_file(path, json=True)
    try:
        data = json.loads("".join(text_lines(path, pieces=True)))
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(f"this is not JSON: {error}", file=str(path))) from None
    if not isinstance(data, dict) or not all(isinstance(rates, dict) for rates in data.values()) or not data:
        raise InputError(Problem("this is not an object of type -> (model, GPUs) -> steps/s", file=str(path)))
    types = tuple(name for name in data if not name.endswith(_SPREAD))
    models: dict[tuple[str, int], None] = {}
    rates = {
        name: {_key(path, key): _rate(path, key, rate) for key, rate in part.items()} for name, part in data.items()
    }
    for part in rates.values():
        models |= dict.fromkeys(part)
    packed: dict[str, dict[int, dict[str, float]]] = {}
    spread: dict[str, dict[int, dict[str, float]]] = {}
    for model, gpus in models:
        packed.setdefault(model, {})[gpus] = {name: rates[name].get((model, gpus), 0.0) for name in types}
        wide = {name: rates.get(name + _SPREAD, rates[name]) for name in types}
        spread.setdefault(model, {})[gpus] = {name: wide[name].get((model, gpus), 0.0) for name in types}
    first = "v100" if "v100" in types else types[0]
    return Throughputs(path.name, "steps/s of whole gangs", str(path), types, first, packed, spread)


def _key(path: Path, text: str) -> tuple[str, int]:
    """Read a key such as ``('LM (batch size 5)', 2)``."""
    try:
        model, gpus = ast.literal_eval(text)
        return str(model), int(gpus)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise InputError(
            Problem(f"{text!r} is not a key such as \"('LM (batch size 5)', 2)\"", file=str(path))
        ) from None


def _rate(path: Path, key: str, rate: Any) -> float:
    value = rate.get("null") if isinstance(rate, dict) else rate
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(Problem(f"{value!r} for {key} is not a number of steps/s", file=str(path)))
    return float(value)
