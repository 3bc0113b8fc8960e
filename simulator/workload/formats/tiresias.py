"""Tiresias: the example trace of that scheduler's simulator, which many later simulators took over.

Columns ``job_id,num_gpu,submit_time,iterations,model_name,duration,interval``, in seconds; ``interval`` is the time
since the job before and says nothing new. Source: SymbioticLab/Tiresias, simulator/60_job.csv at commit 959f9b0
(Gu et al., NSDI 2019).
"""

from __future__ import annotations

from pathlib import Path

from simulator.workload.formats import reader
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

COLUMNS = ("job_id", "num_gpu", "submit_time", "iterations", "model_name", "duration", "interval")


@reader("tiresias", header=COLUMNS)
def read(path: str | Path) -> Trace:
    """Tiresias job list: job_id,num_gpu,submit_time,iterations,model_name,duration,interval, in seconds.

    ``iterations`` stays a column of numbers, ``model_name`` becomes ``model``.
    """
    return Table(path, "tiresias", required=COLUMNS, known=COLUMNS).trace(_parse)


def _parse(rows: Rows) -> Columns:
    return {
        "row": rows.row,
        "id": rows.objects("job_id"),
        "submit": rows.numbers("submit_time"),
        "duration": rows.numbers("duration"),
        "accelerators": rows.gangs("num_gpu", rows.numbers("num_gpu")),
        "model": rows.objects("model_name"),
        "iterations": rows.numbers("iterations"),
    }
