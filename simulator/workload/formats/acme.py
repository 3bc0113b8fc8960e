"""Shanghai AI Laboratory "Acme": the logs of jobs of the clusters Seren (Slurm) and Kalos (Kubernetes), 2023.

Seren: ``job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time``;
Kalos has ``mem_per_pod_GB,shared_mem_per_pod,fail_time,stop_time`` too. Times carry their zone, +08:00 in Seren and
+00:00 in Kalos. ``duration`` should be end - start, but Kalos counts the queue in, against what its page says: both
example rows there do so. Source: InternLM/AcmeTrace, README at commit 6d6ac9c (Hu et al., NSDI 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from simulator.workload.formats import reader
from simulator.workload.rows import Rows
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

SEREN = (
    "job_id", "user", "node_num", "gpu_num", "cpu_num", "type", "state", "submit_time", "start_time", "end_time",
    "duration", "queue", "gpu_time",
)  # fmt: skip
KALOS = ("mem_per_pod_GB", "shared_mem_per_pod", "fail_time", "stop_time")
STATES = (
    "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", "PREEMPTED",
    "REQUEUED", "REVOKED", "SUSPENDED",
)  # fmt: skip
"""Those that the source names first, then the others that Slurm has for jobs that have ended."""
_GB = 1e9
_ASIDE: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "never started: there is no start_time": lambda start, end, told: np.isnan(start),
    "neither an end_time nor a duration: how long it ran is not known": lambda start, end, told: (
        np.isnan(end) & np.isnan(told)
    ),
    "ends before it starts": lambda start, end, told: end < start,
}
_QUEUE_IN = "rows whose duration is not end_time - start_time, which is taken: {n}"
_NO_TIMES = "rows without an end_time, which run for what duration says{less}: {n}"


@reader("acme", header=SEREN)
def read(path: str | Path) -> Trace:
    """Shanghai AI Laboratory Acme, trace_seren.csv or trace_kalos.csv; no options.

    The run is ``end_time - start_time``; ``duration`` only where there is no end, in Kalos less the ``queue`` that it
    counts in. Memory (Kalos only) is ``mem_per_pod_GB`` x ``node_num``. ``where(type="Other")`` and
    ``where(state="FAILED")`` work; the user is the tenant too, since these logs have no other. Dates keep their zone.
    """
    table = Table(path, "acme", required=SEREN, known=(*SEREN, *KALOS))
    kalos = any(name in table.header for name in KALOS)
    if kalos:
        table = Table(path, "acme", required=(*SEREN, *KALOS), known=(*SEREN, *KALOS))
    return table.trace(lambda rows: _parse(rows, kalos))


def _parse(rows: Rows, kalos: bool) -> Columns:
    times = _times(rows)
    for reason, applies in _ASIDE.items():
        out = applies(*times)
        rows, times = rows.without(out, reason), times[:, ~out]
    start, end, told = times
    rows.count(_QUEUE_IN, np.sum(np.abs(end - start - told) > 1.0))
    if kalos:
        told = np.maximum(told - rows.numbers("queue", empty=0.0), 0.0)
    nodes = rows.numbers("node_num", empty=1.0)
    users = rows.objects("user")
    rows.count(_NO_TIMES.replace("{less}", " less the queue" * kalos), np.isnan(end).sum())
    return {
        "row": rows.row,
        "id": rows.objects("job_id"),
        "submit": rows.times("submit_time"),
        "duration": np.where(np.isnan(end), told, end - start),
        "accelerators": rows.gangs("gpu_num", rows.numbers("gpu_num", empty=0.0)),
        "cores": rows.numbers("cpu_num", empty=0.0),
        "nodes": nodes,
        "tenant": users,
        "user": users,
        "type": rows.objects("type"),
        "state": rows.choices("state", STATES, "a state of an Acme job"),
    } | ({"memory": rows.numbers("mem_per_pod_GB", 0.0, _GB) * nodes} if kalos else {})


def _times(rows: Rows) -> np.ndarray:
    """Return start, end, and the duration that the row tells, in seconds, NaN where there is none; shape (3, rows)."""
    start, end = (rows.times(name, empty=True) for name in ("start_time", "end_time"))
    return np.array([start, end, rows.numbers("duration", empty=np.nan)])
