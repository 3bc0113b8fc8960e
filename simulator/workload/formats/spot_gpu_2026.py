"""Alibaba spot GPU trace 2026: high-priority and spot jobs of half a year, and the nodes they ran on.

Jobs ``job_name,organization,gpu_model,cpu_request,gpu_request,worker_num,submit_time,duration,job_type``: requests are
of one worker, times in seconds from the first job. Nodes ``gpu_model,gpu_capacity_num,cpu_num,node_name``, in this
order in the file and in another on its page. Source: alibaba/clusterdata, cluster-trace-v2026-spot-gpu, README at
commit 7deb28c (Duan et al., "GFS", ASPLOS 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from simulator.workload.files import write_rows
from simulator.workload.formats import reader
from simulator.workload.instances import Fractions, Models, checked_fractions, gang_sizes
from simulator.workload.jobs import BatchJob
from simulator.workload.rows import Rows
from simulator.workload.servers import named_servers
from simulator.workload.table import Table
from simulator.workload.trace import Columns, ServerRow, Trace

COLUMNS = (
    "job_name", "organization", "gpu_model", "cpu_request", "gpu_request", "worker_num", "submit_time", "duration",
    "job_type",
)  # fmt: skip
NODE_COLUMNS = ("gpu_model", "gpu_capacity_num", "cpu_num", "node_name")
KINDS = ("HP", "Spot")
_ALREADY = "jobs submitted in the first second, many of which ran before the trace began: {n}"


@reader("spot-gpu-2026", header=COLUMNS)
def read(
    path: str | Path, nodes: str | Path | None = None, types: Mapping[str, str] | None = None,
    fractions: Fractions = "pack",
) -> Trace:  # fmt: skip
    """Alibaba spot GPU 2026; options: nodes (node list beside the jobs), types (model: catalog id), fractions.

    Demand is ``gpu_request`` x ``worker_num``. HP jobs have priority 1 and may not be stopped, Spot jobs priority 0 and
    may; ``where(job_type="Spot")`` works. Models bind where ``types`` names them, and all of them with ``nodes``, which
    fills ``Trace.servers``. ``fractions``: ``pack``, ``round-up`` or ``split``, for workers with a part of a GPU.
    """
    rule = checked_fractions(fractions)
    servers = () if nodes is None else read_nodes(Path(path).parent / nodes, types)
    models = Models(types or {}, binding=bool(servers))
    table = Table(path, "spot-gpu-2026", required=COLUMNS, known=COLUMNS)
    trace = table.trace(lambda rows: _parse(rows, models, rule), servers)
    models.check()
    return trace


def _parse(rows: Rows, models: Models, rule: str) -> Columns:
    each, workers = rows.numbers("gpu_request"), rows.wholes("worker_num")
    accelerators, times = gang_sizes(rows, each, workers, rule)
    submit = rows.numbers("submit_time")
    kind = rows.choices("job_type", KINDS, "a type of job of this trace")
    rows.count(_ALREADY, (submit < 1).sum())
    columns = {
        "row": rows.row,
        "id": rows.objects("job_name"),
        "submit": submit,
        "duration": rows.numbers("duration"),
        "accelerators": accelerators,
        "accelerator_types": models.wanted(rows, "gpu_model"),
        "cores": rows.numbers("cpu_request") * np.where(times > 1, 1, workers),
        "tenant": rows.objects("organization"),
        "priority": np.where(kind == "HP", 1.0, 0.0),
        "preemptible": kind == "Spot",
        "job_type": kind,
        "gpu_model": rows.objects("gpu_model"),
    }
    return {name: np.repeat(column, times) for name, column in columns.items()}


def read_nodes(path: str | Path, types: Mapping[str, str] | None = None) -> tuple[ServerRow, ...]:
    """Read ``node_info_df.csv``, models called as ``types`` says; ``InputError`` for a node that stands there twice."""
    table = Table(path, "spot-gpu-2026", required=NODE_COLUMNS, known=NODE_COLUMNS)
    columns = table.gather(
        lambda rows: {
            "name": rows.objects("node_name"),
            "accelerators": rows.numbers("gpu_capacity_num"),
            "model": rows.objects("gpu_model"),
            "cores": rows.numbers("cpu_num"),
        }
    )
    return named_servers(path, columns, types)


def write(trace: Trace, path: str | Path) -> None:
    """Write a trace in this format: whole gangs as so many workers of one GPU, shares and jobs without as one worker.

    Spot are the jobs that may be stopped and have no priority, all others HP; what the format cannot hold is left out.
    """
    write_rows(path, COLUMNS, (_row(job) for job in trace.jobs("spot-gpu-job")))


def _row(job: BatchJob) -> tuple[str, ...]:
    workers = int(job.accelerators) if job.accelerators > 1 else 1
    model = job.accelerator_types[0] if job.accelerator_types else ""
    requests = (_plain(job.cores / workers), _plain(job.accelerators / workers), str(workers))
    times = (_plain(job.submit), _plain(job.duration))
    return (job.id, job.tenant, model, *requests, *times, KINDS[job.preemptible and job.priority <= 0])


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
