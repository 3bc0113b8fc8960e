"""SenseTime Helios: one log of Slurm jobs for each of the clusters Earth, Saturn, Uranus and Venus, 2020.

Columns ``job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue``: times on the
local clock without a zone, ``duration`` and ``queue`` in seconds. Beside it lies ``cluster_gpu_number.csv``, the GPUs
of each virtual cluster by day. Source: S-Lab-System-Group/HeliosData, README at commit 106713b (Hu et al., SC 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.files import write_rows
from simulator.workload.formats import reader
from simulator.workload.jobs import BatchJob
from simulator.workload.options import one_of
from simulator.workload.rows import NO_TIME, Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

COLUMNS = (
    "job_id", "user", "vc", "gpu_num", "cpu_num", "node_num", "state", "submit_time", "start_time", "end_time",
    "duration", "queue",
)  # fmt: skip
STATES = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "SUSPENDED")
_CPU_JOBS = ("keep", "set aside")
_NO_GPU = "asks for no GPU"
_NEVER = "never started: there is no start_time"
_OTHER = "rows with a duration other than end_time - start_time, duration is taken: {n}"


@reader("helios", header=COLUMNS)
def read(path: str | Path, cpu_jobs: Literal["keep", "set aside"] = "keep", partitions: bool = False) -> Trace:
    """SenseTime Helios cluster_log.csv; options: cpu_jobs (keep | set aside), partitions (true | false).

    The virtual cluster is the tenant; with ``partitions`` it is also the partition that a job is bound to, and the
    topology must have these. More than half of the jobs ask for no GPU; ``cpu_jobs="set aside"`` leaves them out.
    ``where(state="COMPLETED")`` works. ``node_num`` is kept in the column ``nodes`` and binds nothing.
    """
    drop = one_of("cpu_jobs", cpu_jobs, _CPU_JOBS) == "set aside"
    return Table(path, "helios", required=COLUMNS, known=COLUMNS).trace(lambda rows: _parse(rows, drop, partitions))


def _parse(rows: Rows, drop: bool, partitions: bool) -> Columns:
    rows = rows.without((cell in NO_TIME for cell in rows.texts("start_time")), _NEVER)
    if drop:
        rows = rows.without(rows.numbers("gpu_num") == 0, _NO_GPU)
    submit = rows.times("submit_time")
    duration = rows.numbers("duration")
    run = rows.times("end_time", empty=True) - rows.times("start_time")
    rows.count(_OTHER, np.sum(np.abs(run - duration) > 1.0))
    clusters = rows.objects("vc")
    return {
        "row": rows.row,
        "id": rows.objects("job_id"),
        "submit": submit,
        "duration": duration,
        "accelerators": rows.gangs("gpu_num", rows.numbers("gpu_num")),
        "cores": rows.numbers("cpu_num"),
        "nodes": rows.numbers("node_num"),
        "tenant": clusters,
        "user": rows.objects("user"),
        "state": rows.choices("state", STATES, "a state of a Helios job"),
    } | ({"partition": clusters} if partitions else {})


class Sizes(NamedTuple):
    """GPUs of one virtual cluster: ``gpus[i]`` from the start of ``dates[i]`` on."""

    dates: tuple[date, ...]
    gpus: np.ndarray


def read_sizes(path: str | Path) -> Mapping[str, Sizes]:
    """Read ``cluster_gpu_number.csv``: the GPUs of each virtual cluster, and of all (``total``), day by day.

    Virtual clusters grow, shrink, come and go; partitions that stay as they were on one day are wrong on the others.
    Raises ``InputError`` for days out of order.
    """
    table = Table(path, "helios", required=("date",))
    clusters = [name for name in table.header if name != "date"]
    columns = table.gather(lambda rows: {"date": _days(rows)} | {name: rows.numbers(name) for name in clusters})
    days = columns["date"].tolist()
    for before, after in pairwise(days):
        if after <= before:
            raise InputError(f"{path}: {after} stands after {before}; the days are in order, each once")
    return {name: Sizes(tuple(days), columns[name]) for name in clusters}


def _days(rows: Rows) -> np.ndarray:
    days = []
    for index, cell in enumerate(rows.texts("date")):
        try:
            days.append(date.fromisoformat(cell))
        except ValueError:
            rows.problem(index, "date", f"{cell!r} is not a date such as 2020-09-01")
            days.append(date.min)
    return as_objects(days)


def write(trace: Trace, path: str | Path) -> None:
    """Write a trace as a Helios log in which nobody waits, dates to the microsecond; ``InputError`` without an origin.

    What the format cannot hold (estimates, memory, types) is left out; jobs without a state are COMPLETED.
    """
    if trace.origin is None:
        raise InputError(f"trace {trace.name!r} has no dates, and the helios format needs them: give it an origin")
    states = trace.columns["state"].tolist() if "state" in trace.columns else [""] * len(trace)
    nodes = trace.columns["nodes"].tolist() if "nodes" in trace.columns else [1.0] * len(trace)
    rows = zip(trace.jobs("helios-job"), states, nodes, strict=True)
    write_rows(path, COLUMNS, (_row(trace.origin, job, state, servers) for job, state, servers in rows))


def _row(origin: datetime, job: BatchJob, state: str, nodes: float) -> tuple[str, ...]:
    start = origin + timedelta(seconds=job.submit)
    counts = (_plain(job.accelerators), _plain(job.cores), _plain(nodes))
    times = (str(start), str(start), str(start + timedelta(seconds=job.duration)))
    return (job.id, job.user, job.tenant, *counts, state or STATES[0], *times, _plain(job.duration), "0")


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
