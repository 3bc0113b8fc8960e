"""Alibaba PAI 2020, cluster-trace-gpu-v2020: tasks of machine-learning jobs, each a gang of instances.

The tables have no header line; their columns stand in ``.header`` files beside them and are built in here. Times are
seconds, shifted by a constant that keeps the time of day and the weekday in UTC+8. ``plan_cpu`` and ``plan_gpu`` are
percent of one core and one GPU, ``plan_mem`` GiB (called GB, but 29.296875 in the example row is 30,000 MiB), each of
one instance. Source: alibaba/clusterdata, cluster-trace-gpu-v2020, README at commit 02a1be1, data/*.header, and
analysis/utils.py for 0 as no time (Weng et al., "MLaaS in the Wild", NSDI 2022).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.workload.formats import reader
from simulator.workload.instances import Fractions, Models, checked_fractions, gang_sizes
from simulator.workload.rows import Book, Rows, as_objects
from simulator.workload.servers import named_servers
from simulator.workload.table import Table
from simulator.workload.trace import Columns, ServerRow, Trace

JOB = ("job_name", "inst_id", "user", "status", "start_time", "end_time")
TASK = (
    "job_name", "task_name", "inst_num", "status", "start_time", "end_time", "plan_cpu", "plan_mem", "plan_gpu",
    "gpu_type",
)  # fmt: skip
INSTANCE = (
    "job_name", "task_name", "inst_name", "worker_name", "inst_id", "status", "start_time", "end_time", "machine",
)  # fmt: skip
MACHINE = ("machine", "gpu_type", "cap_cpu", "cap_mem", "cap_gpu")
STATUSES = ("Terminated", "Failed", "Running", "Waiting")
"""Only Terminated is success."""
_PERCENT = 0.01
_GIB = 2.0**30
_ASIDE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "never started: no start_time, or 0, which stands for none": lambda start, end: np.isnan(start),
    "no end_time, or 0: how long it would have run is not known": lambda start, end: np.isnan(end),
    "ends before it starts": lambda start, end: end < start,
}
_ROLES = "tasks of jobs of several tasks (ps, worker, ...), each a job of its own: {n}"
_NO_JOB = "tasks whose job is not in the table of jobs, submitted when they start: {n}"
_NO_INSTANCE = "tasks without an instance that started and ended, which run from their own start to their end: {n}"
_NO_COUNT = "tasks that do not say how many instances they have, taken for one: {n}"

Span = tuple[float, float]


@reader("pai-2020", header=TASK)
def read(
    path: str | Path, jobs: str | Path | None = None, instances: str | Path | None = None,
    machines: str | Path | None = None, types: Mapping[str, str] | None = None, fractions: Fractions = "pack",
) -> Trace:  # fmt: skip
    """Alibaba PAI 2020 task table; options: jobs, instances, machines (tables beside it), types, fractions.

    Each task is a job with the id ``job/task``. With ``jobs`` (pai_job_table.csv) it has a user and is submitted when
    its job was; without, when the task starts. With ``instances`` (pai_instance_table.csv) it runs from the first start
    of an instance to the last end; without, from the task's own start to its end, which counts its wait for machines.
    ``machines`` (pai_machine_spec.csv) fills ``Trace.servers`` and makes the models binding, else only those that
    ``types`` calls by a catalog id are. ``fractions``: ``pack``, ``round-up`` or ``split``, for instances with a part
    of a GPU each. ``where(state="Terminated")`` works.
    """
    rule = checked_fractions(fractions)
    folder = Path(path).parent
    known = {} if jobs is None else _read_jobs(folder / jobs)
    spans = {} if instances is None else _read_spans(folder / instances)
    servers = () if machines is None else read_machines(folder / machines, types)
    models = Models(types or {}, binding=bool(servers))
    table = Table(path, "pai-2020", required=TASK, known=TASK, names=TASK)
    columns = table.gather(lambda rows: _parse(rows, models, rule, spans, instances is not None))
    _place_in_jobs(columns, known)
    _tell(table.book, columns, known)
    models.check()
    return table.finish(columns, servers)


def _parse(rows: Rows, models: Models, rule: str, spans: Mapping[tuple[str, str], Span], all_spans: bool) -> Columns:
    times = _times(rows, spans)
    for reason, applies in _ASIDE.items():
        out = applies(times.start, times.end)
        rows, times = rows.without(out, reason), Times(*(column[~out] for column in times))
    if all_spans:
        rows.count(_NO_INSTANCE, (~times.spanned).sum())
    count = rows.wholes("inst_num", empty=1.0)
    rows.count(_NO_COUNT, sum(not cell for cell in rows.texts("inst_num")))
    accelerators, copies = gang_sizes(rows, rows.numbers("plan_gpu", 0.0, _PERCENT), count, rule)
    together = np.where(copies > 1, 1, count)
    names = rows.objects("job_name")
    columns = {
        "row": rows.row,
        "id": as_objects(f"{job}/{task}" for job, task in zip(names, rows.texts("task_name"), strict=True)),
        "submit": np.where(np.isnan(times.own), times.start, times.own),
        "duration": times.end - times.start,
        "accelerators": accelerators,
        "accelerator_types": models.wanted(rows, "gpu_type"),
        "cores": rows.numbers("plan_cpu", 0.0, _PERCENT) * together,
        "memory": rows.numbers("plan_mem", 0.0, _GIB) * together,
        "instances": count,
        "job": names,
        "task": rows.objects("task_name"),
        "gpu_type": rows.objects("gpu_type"),
        "state": rows.choices("status", STATUSES, "a status of a PAI task"),
    }
    return {name: np.repeat(column, copies) for name, column in columns.items()}


class Times(NamedTuple):
    """When tasks ran (s; NaN: not known): ``own`` is the start that the table of tasks tells.

    ``start`` and ``end`` are of the instances where these are known (``spanned``).
    """

    start: np.ndarray
    end: np.ndarray
    own: np.ndarray
    spanned: np.ndarray


def _times(rows: Rows, spans: Mapping[tuple[str, str], Span]) -> Times:
    start, end = _seconds(rows, "start_time"), _seconds(rows, "end_time")
    tasks = zip(rows.texts("job_name"), rows.texts("task_name"), strict=True)
    ran = np.array([spans.get(task, (np.nan, np.nan)) for task in tasks]).reshape(-1, 2)
    spanned = ~np.isnan(ran[:, 0])
    return Times(np.where(spanned, ran[:, 0], start), np.where(spanned, ran[:, 1], end), start, spanned)


def _seconds(rows: Rows, column: str) -> np.ndarray:
    values = rows.numbers(column, empty=np.nan)
    return np.where(values == 0, np.nan, values)


def _place_in_jobs(columns: Columns, jobs: Mapping[str, tuple[str, float]]) -> None:
    """Give tasks the user of their job, and the time at which it was submitted where that is known."""
    if not jobs:
        return
    found = [jobs.get(job, ("", np.nan)) for job in columns["job"]]
    submit = np.array([start for _, start in found], dtype=float)
    columns["submit"] = np.where(np.isnan(submit), columns["submit"], submit)
    columns["user"] = columns["tenant"] = as_objects(user for user, _ in found)


def _tell(book: Book, columns: Columns, jobs: Mapping[str, tuple[str, float]]) -> None:
    tasks = dict(zip(columns["row"].tolist(), columns["job"].tolist(), strict=True))
    sizes = Counter(tasks.values())
    book.count(_ROLES, sum(number for number in sizes.values() if number > 1))
    if jobs:
        book.count(_NO_JOB, sum(job not in jobs for job in tasks.values()))


def _read_jobs(path: Path) -> dict[str, tuple[str, float]]:
    """Return user and time of submission (NaN: not known) of each job."""
    columns = Table(path, "pai-2020", required=JOB, known=JOB, names=JOB).gather(
        lambda rows: {
            "name": rows.objects("job_name"),
            "user": rows.objects("user"),
            "start": _seconds(rows, "start_time"),
        }
    )
    users = zip(columns["user"].tolist(), columns["start"].tolist(), strict=True)
    return dict(zip(columns["name"].tolist(), users, strict=True))


def _read_spans(path: Path) -> dict[tuple[str, str], Span]:
    """Return of each task the first start of an instance and the last end, of those that have both."""
    spans: dict[tuple[str, str], Span] = {}

    def widen(rows: Rows) -> Columns:
        start, end = _seconds(rows, "start_time"), _seconds(rows, "end_time")
        tasks = zip(rows.objects("job_name"), rows.objects("task_name"), start.tolist(), end.tolist(), strict=True)
        for job, task, first, last in tasks:
            if first <= last:
                before = spans.get((job, task), (first, last))
                spans[job, task] = (min(before[0], first), max(before[1], last))
        return {"row": rows.row[:0]}

    Table(path, "pai-2020", required=INSTANCE, known=INSTANCE, names=INSTANCE).gather(widen)
    return spans


def read_machines(path: str | Path, types: Mapping[str, str] | None = None) -> tuple[ServerRow, ...]:
    """Read ``pai_machine_spec.csv``, models called as ``types`` says; ``InputError`` for a machine listed twice."""
    columns = Table(path, "pai-2020", required=MACHINE, known=MACHINE, names=MACHINE).gather(
        lambda rows: {
            "name": rows.objects("machine"),
            "accelerators": rows.numbers("cap_gpu"),
            "model": rows.objects("gpu_type"),
            "cores": rows.numbers("cap_cpu"),
            "memory": rows.numbers("cap_mem", scale=_GIB),
        }
    )
    return named_servers(path, columns, types)
