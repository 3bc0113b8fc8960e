"""Alibaba GPU cluster trace 2023 ("openb"): Kubernetes pods, and the list of nodes they ran on.

Times are seconds from the start of the trace. ``gpu_milli`` is per GPU, and below 1000 only for a pod that shares a
single one; ``gpu_spec`` joins the GPU models that will do with ``|``. Source: alibaba/clusterdata,
cluster-trace-gpu-v2023/csv (Weng et al., USENIX ATC 2023). Of the resampled lists those called ``multigpu`` have the
first five columns only: what pods ask for, and no times.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np

from simulator.core.errors import InputError, Problem
from simulator.core.units import Seconds, format_quantity
from simulator.workload.files import write_rows
from simulator.workload.formats import reader
from simulator.workload.jobs import BatchJob
from simulator.workload.options import one_of
from simulator.workload.rows import Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, ServerRow, Trace

DEMANDS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
TIMES = ("creation_time", "deletion_time", "scheduled_time")
COLUMNS = (*DEMANDS, "gpu_spec", "qos", "pod_phase", *TIMES)
NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
_MIB = 2.0**20
_PENDING = ("set aside", "keep")
_NEVER_SCHEDULED = "never scheduled (pod_phase Pending): how long it would have run is not known"
_KEPT_PENDING = "pods that were never scheduled, kept as if they ran from creation to deletion: {n}"
_NO_TIMES = "pods of a list without times, taken to come at once and to run {run}: {{n}}"
_CENSORED = "pods still running at the end of the trace (pod_phase Running), so their run is a lower bound: {n}"


@reader("openb", header=DEMANDS)
def read(
    path: str | Path,
    nodes: str | Path | None = None,
    pending: Literal["set aside", "keep"] = "set aside",
    run: Seconds = 3600.0,
) -> Trace:
    """Alibaba openb 2023 pods; options: nodes (node list beside the pods), pending (set aside | keep), run.

    The run is ``deletion_time - scheduled_time``. ``nodes`` is a path relative to the folder of the pod list and fills
    ``Trace.servers``. Pods that were never scheduled are set aside, or with ``pending="keep"`` taken to run from
    creation to deletion, which is for packing studies only. ``where(qos="LS")`` and ``where(state="Failed")`` work.
    A list without times is a packing list: all its pods come at second 0, in order, and each runs ``run`` seconds.
    """
    keep = one_of("pending", pending, _PENDING) == "keep"
    if not 0 < run < math.inf:
        raise InputError(f"run: {run!r} is not a time above 0")
    servers = () if nodes is None else read_nodes(Path(path).parent / nodes)
    table = Table(path, "openb", required=DEMANDS, known=COLUMNS)
    missing = [name for name in COLUMNS[len(DEMANDS) :] if name not in table.header]
    timed = len(missing) < len(COLUMNS) - len(DEMANDS)
    if timed and missing:
        told = f"no column {missing[0]!r}; a list has all eleven columns, or the five that say what pods ask for"
        raise InputError(Problem(told, file=str(path), line=1))
    return table.trace(lambda rows: _timed(rows, keep) if timed else _untimed(rows, run), servers)


def _timed(rows: Rows, keep_pending: bool) -> Columns:
    if not keep_pending:
        rows = rows.without((not cell for cell in rows.texts("scheduled_time")), _NEVER_SCHEDULED)
    created = rows.numbers("creation_time")
    scheduled = rows.numbers("scheduled_time", empty=np.nan)
    never = np.isnan(scheduled)
    scheduled = np.where(never, created, scheduled)
    phase = rows.objects("pod_phase")
    rows.count(_CENSORED, np.sum(phase == "Running"))
    rows.count(_KEPT_PENDING, never.sum())
    specs = (tuple(dict.fromkeys(spec.split("|"))) if spec else () for spec in rows.texts("gpu_spec"))
    return _demands(rows) | {
        "submit": created,
        "duration": _runs(rows, scheduled, rows.numbers("deletion_time")),
        "accelerator_types": as_objects(specs),
        "qos": rows.objects("qos"),
        "state": phase,
    }


def _untimed(rows: Rows, run: float) -> Columns:
    rows.count(_NO_TIMES.format(run=format_quantity(run, "time")), len(rows))
    return _demands(rows) | {"submit": np.zeros(len(rows)), "duration": np.full(len(rows), float(run))}


def _demands(rows: Rows) -> Columns:
    return {
        "row": rows.row,
        "id": rows.objects("name"),
        "accelerators": _gpus(rows),
        "cores": rows.numbers("cpu_milli", scale=1e-3),
        "memory": rows.numbers("memory_mib", scale=_MIB),
        "max_servers": np.ones(len(rows), dtype=np.int64),
    }


def _runs(rows: Rows, scheduled: np.ndarray, deleted: np.ndarray) -> np.ndarray:
    for index in np.flatnonzero(deleted < scheduled):
        text = f"deleted at {deleted[index]:g} s, before it was scheduled at {scheduled[index]:g} s"
        rows.problem(index, "deletion_time", text)
    run: np.ndarray = deleted - scheduled
    return run


def _gpus(rows: Rows) -> np.ndarray:
    count, milli = rows.numbers("num_gpu"), rows.numbers("gpu_milli")
    wrong = np.where(count > 1, milli != 1000, (count == 1) & ((milli == 0) | (milli > 1000)))
    for index in np.flatnonzero(wrong):
        text = f"{milli[index]:g} with num_gpu {count[index]:g}: it is 1 to 1000, and below 1000 for one GPU only"
        rows.problem(index, "gpu_milli", text)
    return rows.gangs("num_gpu", np.where(count == 1, milli / 1000, count))


def read_nodes(path: str | Path) -> tuple[ServerRow, ...]:
    """Read a node list ``sn,cpu_milli,memory_mib,gpu,model``; an empty model is a server without accelerators."""
    table = Table(path, "openb", required=NODE_COLUMNS, known=NODE_COLUMNS)
    columns = table.gather(
        lambda rows: {
            "name": rows.objects("sn"),
            "accelerators": rows.numbers("gpu"),
            "model": rows.objects("model"),
            "cores": rows.numbers("cpu_milli", scale=1e-3),
            "memory": rows.numbers("memory_mib", scale=_MIB),
        }
    )
    names = columns["name"].tolist()
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise InputError(f"{path}: node {twice!r} stands there twice")
    fields = (columns[name].tolist() for name in ("name", "accelerators", "model", "cores", "memory"))
    return tuple(ServerRow(*values) for values in zip(*fields, strict=True))


def write(trace: Trace, path: str | Path, nodes: str | Path | None = None) -> None:
    """Write a trace as an openb pod list and, with ``nodes``, its servers as a node list.

    Times are rounded to seconds, cores and shares to 1/1000, memory to MiB; pods are scheduled when they are created.
    """
    texts = [trace.columns[name].tolist() if name in trace.columns else [""] * len(trace) for name in ("qos", "state")]
    write_rows(path, COLUMNS, (_pod(*row) for row in zip(trace.jobs("openb-pod"), *texts, strict=True)))
    if nodes is not None:
        write_rows(nodes, NODE_COLUMNS, map(_node, trace.servers))


def _pod(job: BatchJob, qos: str, phase: str) -> tuple[str | int, ...]:
    count = 1 if 0 < job.accelerators < 1 else round(job.accelerators)
    milli = round(job.accelerators * 1000) if count == 1 else 1000 * (count > 0)
    times = (round(job.submit), round(job.submit) + round(job.duration), round(job.submit))
    types = "|".join(job.accelerator_types)
    return (job.id, round(job.cores * 1e3), round(job.memory / _MIB), count, milli, types, qos, phase, *times)


def _node(server: ServerRow) -> tuple[str | int, ...]:
    count = round(server.accelerators)
    return (server.name, round(server.cores * 1e3), round(server.memory / _MIB), count, server.model)
