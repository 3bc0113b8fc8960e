"""Muri: training jobs of Philly with models, and the time that an iteration spends on each kind of resource.

All times are MILLIseconds: ``submit_time``, ``duration``, ``iteration_time`` and ``resource_time_0``, ``_1``, ... (one
iteration on resource k, which that project does not name in its files). ``priority`` 0 is a job with a guarantee, 1 an
opportunistic one. Source: Rivendile/Muri, simulator/trace-data and simulator/jobs.py at commit 4e69a78 (Zhao et al.,
SIGCOMM 2022).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulator.workload.formats import reader
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

COLUMNS = (
    "job_id", "num_gpu", "submit_time", "iterations", "model_name", "duration", "interval", "iteration_time",
)  # fmt: skip
STAGES = tuple(f"resource_time_{number}" for number in range(4))
_OPTIONAL = ("batch_size", "priority", *STAGES)
_MS = 1e-3
_NO_PRODUCT = "rows whose duration is not iterations x iteration_time to within an iteration, duration is taken: {n}"
_OPPORTUNISTIC = "opportunistic jobs (priority 1 in the file), given priority -1 where others have 0: {n}"


@reader("muri", header=COLUMNS)
def read(path: str | Path) -> Trace:
    """Muri job list in milliseconds, with the time that an iteration spends on each resource (resource_time_k).

    ``iterations``, ``batch_size``, ``iteration_time`` and ``resource_time_k`` (s) stay columns of numbers,
    ``model_name`` becomes ``model``. A higher priority is the more urgent here, so opportunistic jobs get -1.
    """
    table = Table(path, "muri", required=COLUMNS, known=(*COLUMNS, *_OPTIONAL))
    return table.trace(lambda rows: _parse(rows, table.header))


def _parse(rows: Rows, header: list[str]) -> Columns:
    duration = rows.numbers("duration", scale=_MS)
    iterations = rows.numbers("iterations")
    each = rows.numbers("iteration_time", scale=_MS)
    rows.count(_NO_PRODUCT, np.sum(np.abs(duration - iterations * each) > np.maximum(each, _MS)))
    columns = {
        "row": rows.row,
        "id": rows.objects("job_id"),
        "submit": rows.numbers("submit_time", scale=_MS),
        "duration": duration,
        "accelerators": rows.gangs("num_gpu", rows.numbers("num_gpu")),
        "model": rows.objects("model_name"),
        "iterations": iterations,
        "iteration_time": each,
    }
    columns |= {name: rows.numbers(name, scale=_MS) for name in STAGES if name in header}
    if "batch_size" in header:
        columns["batch_size"] = rows.numbers("batch_size")
    return columns | ({"priority": _priorities(rows)} if "priority" in header else {})


def _priorities(rows: Rows) -> np.ndarray:
    given = rows.numbers("priority")
    for index in np.flatnonzero((given != 0) & (given != 1)):
        rows.problem(index, "priority", f"{given[index]:g} is neither 0 (with a guarantee) nor 1 (opportunistic)")
    rows.count(_OPPORTUNISTIC, np.sum(given == 1))
    return np.where(given == 1, -1.0, 0.0)
