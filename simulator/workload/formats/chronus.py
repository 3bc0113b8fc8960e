"""Chronus: training jobs of Philly with models and with strict, soft or no deadlines.

``expect_time_list`` holds times after submission joined by ``-``, ``expect_value_list`` what the job is worth when done
by each; ``job_type`` is strict (one deadline), soft (worth less and less) or best (effort; its expected time is but the
time of submission). The unit of the times is not documented. Source: S-Lab-System-Group/ChronusArtifact, code/data/exp
and code/main.py at commit bc7e15f (Gao et al., SoCC 2021).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import UnitError, parse
from simulator.workload.formats import reader
from simulator.workload.rows import Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

COLUMNS = (
    "job_id", "user", "num_gpu", "submit_time", "iterations", "model_name", "duration", "interval",
    "expect_time_list", "expect_value_list", "best_effort", "job_type",
)  # fmt: skip
KINDS = ("strict", "soft", "best")
_UNIT = "the unit of the times is not documented, {unit} is taken (option unit)"
_UNLIKE = "rows whose best_effort disagrees with their job_type, job_type is taken: {n}"
_EARLY = "jobs whose deadline is nearer than their run is long, so that nothing can meet it: {n}"


@reader("chronus", header=COLUMNS)
def read(path: str | Path, unit: str = "min") -> Trace:
    """Chronus jobs with deadlines; options: unit (of all times, which is not documented; min).

    ``deadline`` is the first expected time of strict and soft jobs. ``expect_times`` (s after submission) and
    ``expect_values`` keep the whole lists, ``iterations`` is a column of numbers. The virtual cluster in ``user`` is
    the tenant (that project assigned it at random); ``where(job_type="strict")`` works.
    """
    try:
        seconds = parse(f"1 {unit}", "time")
    except UnitError:
        raise InputError(f"unit: {unit!r} is not a unit of time; write s, min or h") from None
    table = Table(path, "chronus", required=COLUMNS, known=COLUMNS)
    table.book.counts[_UNIT.format(unit=unit)] = 1
    return table.trace(lambda rows: _parse(rows, seconds))


def _parse(rows: Rows, seconds: float) -> Columns:
    kinds = rows.texts("job_type")
    for index, kind in enumerate(kinds):
        if kind not in KINDS:
            rows.problem(index, "job_type", f"{kind!r} is none of {', '.join(KINDS)}")
    best = np.array([kind == "best" for kind in kinds], dtype=bool)
    rows.count(_UNLIKE, int(np.sum(best != (rows.numbers("best_effort") == 1))))
    submit = rows.numbers("submit_time", scale=seconds)
    duration = rows.numbers("duration", scale=seconds)
    times = _lists(rows, "expect_time_list")
    values = _lists(rows, "expect_value_list")
    for index, (when, worth) in enumerate(zip(times, values, strict=True)):
        if len(when) != len(worth):
            told = f"{len(worth)} values, but expect_time_list has {len(when)} times"
            rows.problem(index, "expect_value_list", told)
    first = np.array([when[0] if when else 0.0 for when in times]) * seconds
    rows.count(_EARLY, int(np.sum(~best & (first < duration))))
    return {
        "row": rows.row,
        "id": rows.objects("job_id"),
        "submit": submit,
        "duration": duration,
        "accelerators": rows.gangs("num_gpu", rows.numbers("num_gpu")),
        "tenant": rows.objects("user"),
        "model": rows.objects("model_name"),
        "iterations": rows.numbers("iterations"),
        "deadline": np.where(best, np.inf, submit + first),
        "job_type": rows.objects("job_type"),
        "expect_times": as_objects(tuple(each * seconds for each in when) for when in times),
        "expect_values": as_objects(values),
    }


def _lists(rows: Rows, column: str) -> list[tuple[float, ...]]:
    """Read cells such as 159-189-229; what is no list of numbers is a problem."""
    found: list[tuple[float, ...]] = []
    for index, cell in enumerate(rows.texts(column)):
        try:
            numbers = tuple(float(part) for part in cell.split("-"))
        except ValueError:
            numbers = ()
        if not numbers or not all(number < np.inf for number in numbers):
            rows.problem(index, column, f"{cell!r} is not a list of numbers such as 159-189-229")
        found.append(numbers)
    return found
