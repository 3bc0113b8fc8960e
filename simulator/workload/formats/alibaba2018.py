"""Alibaba 2018 batch tasks, cluster-trace-v2018: jobs that are graphs of tasks, each task a gang of instances.

``batch_task.csv`` has no header line; its columns are
``task_name,instance_num,job_name,task_type,status,start_time,end_time,plan_cpu,plan_mem``. The name of a task tells
for which others of its job it waits: ``R4_2`` is task 4 and waits for task 2, ``M5_3_4`` for 3 and 4, letters say
nothing, and names without a number (``task_Nzg3...``, ``MergeTask``) are of independent tasks. Times are seconds of 8
days, 0 is one outside of them; ``plan_cpu`` 100 is a core of an instance, ``plan_mem`` percent of the largest server.
Source: alibaba/clusterdata, cluster-trace-v2018, trace_2018.md at commit 01251c2 and schema.txt at commit 0e5a6a7.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from simulator.core.units import Bytes
from simulator.workload.formats import reader
from simulator.workload.instances import gang_sizes
from simulator.workload.options import one_of
from simulator.workload.rows import Book, Rows, as_objects
from simulator.workload.table import Table
from simulator.workload.trace import Columns, Trace

COLUMNS = (
    "task_name", "instance_num", "job_name", "task_type", "status", "start_time", "end_time", "plan_cpu", "plan_mem",
)  # fmt: skip
STATUSES = ("Terminated", "Failed", "Cancelled", "Interrupted", "Running", "Ready", "Waiting")
_PERCENT = 0.01
_CPUS = ("cores", "accelerators")
_NUMBERED = re.compile(r"[A-Za-z]+(\d+)((?:_\w+)*)")
_ASIDE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "no start_time, or 0: it started outside of the 8 days or never": lambda start, end: np.isnan(start),
    "no end_time, or 0: it ended outside of the 8 days": lambda start, end: np.isnan(end),
    "ends before it starts": lambda start, end: end < start,
    "ran for 0 s: there is nothing to replay": lambda start, end: end == start,
}
_NOWHERE = "predecessors that the file does not have, for which nobody waits: {n}"
_SKIPPED = "predecessors that were set aside, in place of which theirs are waited for: {n}"
_CIRCLE = "tasks in a circle of waiting or behind one, which do not wait for what is in it: {n}"
_TWICE = "tasks with a number that another task of the job has, for which nobody waits: {n}"
_NO_MEMORY = "tasks that ask for memory, of which only the share of a server is known (option server_memory): {n}"


@reader("alibaba-2018", header=COLUMNS)
def read(
    path: str | Path, cpus: Literal["cores", "accelerators"] = "cores", server_memory: Bytes | None = None
) -> Trace:
    """Alibaba 2018 batch_task.csv, jobs as graphs of tasks; options: cpus (cores | accelerators), server_memory.

    Each task becomes a job with the id ``job/task``, submitted when the first task of its job started, and waiting for
    its predecessors (``after``); it has the cores of all its instances, and no accelerator. ``cpus="accelerators"``
    takes each core for an accelerator, parts of one packed together: so a task can spread over servers. 100 percent of
    memory stand for ``server_memory`` bytes; without, no memory is asked for. ``where(state="Terminated")`` works.
    """
    slots = one_of("cpus", cpus, _CPUS) == "accelerators"
    table = Table(path, "alibaba-2018", required=COLUMNS, known=COLUMNS, names=COLUMNS)
    graphs = Graphs(table.book)
    columns = table.gather(lambda rows: _parse(rows, graphs, slots, server_memory))
    columns["after"] = graphs.waits(columns)
    columns["submit"] = _first_starts(columns)
    return table.finish(columns)


def _parse(rows: Rows, graphs: Graphs, slots: bool, server_memory: float | None) -> Columns:
    graphs.add(rows)
    times = np.array([_seconds(rows, "start_time"), _seconds(rows, "end_time")])
    for reason, applies in _ASIDE.items():
        out = applies(*times)
        rows, times = rows.without(out, reason), times[:, ~out]
    count = rows.wholes("instance_num", empty=1.0)
    each = rows.numbers("plan_cpu", 0.0, _PERCENT)
    memory = rows.numbers("plan_mem", 0.0, _PERCENT) * count
    if server_memory is None:
        rows.count(_NO_MEMORY, (memory > 0).sum())
    jobs = rows.objects("job_name")
    return {
        "row": rows.row,
        "id": as_objects(f"{job}/{task}" for job, task in zip(jobs, rows.texts("task_name"), strict=True)),
        "submit": times[0],
        "duration": times[1] - times[0],
        "accelerators": gang_sizes(rows, each, count, "pack")[0] if slots else np.zeros(len(rows)),
        "cores": np.zeros(len(rows)) if slots else each * count,
        "memory": memory * (server_memory or 0.0),
        "instances": count,
        "job": jobs,
        "task_type": rows.objects("task_type"),
        "state": rows.choices("status", STATUSES, "a status of a batch task"),
    }


def _seconds(rows: Rows, column: str) -> np.ndarray:
    values = rows.numbers(column, empty=np.nan)
    return np.where(values == 0, np.nan, values)


def _first_starts(columns: Columns) -> np.ndarray:
    first: dict[str, float] = {}
    jobs, starts = columns["job"].tolist(), columns["submit"].tolist()
    for job, start in zip(jobs, starts, strict=True):
        first[job] = min(start, first.get(job, start))
    return np.array([first[job] for job in jobs], dtype=float)


def numbers_in(name: str) -> tuple[int, tuple[int, ...]] | None:
    """Return the number of a task and those of the tasks that it waits for; None for an independent task.

    >>> numbers_in("M5_3_4"), numbers_in("M1"), numbers_in("task_Nzg3ODAw")
    ((5, (3, 4)), (1, ()), None)
    """
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    return int(match[1]), tuple(int(part) for part in match[2].split("_") if part.isdecimal())


class Graphs:
    """Which tasks of a job wait for which: all rows go in, whatever becomes of them, and lists of ids come out."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._tasks: dict[str, dict[int, tuple[int, tuple[int, ...]]]] = {}
        """By job and number of the task: its row, and the numbers of its predecessors."""
        self._others: list[tuple[str, int, tuple[int, ...]]] = []
        """Job, row and predecessors of tasks whose number is taken."""

    def add(self, rows: Rows) -> None:
        """Take note of the names of tasks."""
        names = zip(rows.objects("job_name"), rows.texts("task_name"), rows.row.tolist(), strict=True)
        for job, name, row in names:
            numbers = numbers_in(name)
            if numbers is None:
                continue
            tasks = self._tasks.setdefault(job, {})
            if numbers[0] in tasks:
                self._others.append((job, row, numbers[1]))
            else:
                tasks[numbers[0]] = (row, numbers[1])

    def waits(self, columns: Columns) -> np.ndarray:
        """Return the ids that each job waits for, as tuples, and count in notes what the names leave open."""
        kept = dict(zip(columns["row"].tolist(), columns["id"].tolist(), strict=True))
        found: dict[int, tuple[str, ...]] = {}
        resolved: dict[str, dict[int, tuple[str, ...]]] = {}
        for job, tasks in self._tasks.items():
            if any(before for _, before in tasks.values()):
                resolved[job] = self._resolve(tasks, kept)
                found.update((tasks[number][0], ids) for number, ids in resolved[job].items())
        self._book.count(_TWICE, len(self._others))
        for job, row, before in self._others:
            found[row] = self._ids(before, self._tasks[job], kept, resolved.get(job, {}))
        return as_objects(found.get(row, ()) for row in columns["row"].tolist())

    def _resolve(
        self, tasks: dict[int, tuple[int, tuple[int, ...]]], kept: dict[int, str]
    ) -> dict[int, tuple[str, ...]]:
        """Return what each task of one job waits for, by its number, going through the tasks in an order that works."""
        waits: dict[int, tuple[str, ...]] = {}
        left = {number: [other for other in before if other in tasks] for number, (_, before) in tasks.items()}
        while left:
            ready = [number for number, before in left.items() if all(other in waits for other in before)]
            if not ready:
                self._book.count(_CIRCLE, len(left))
                ready = list(left)
            done = frozenset(waits)
            for number in ready:
                before = tuple(other for other in tasks[number][1] if other in done or other not in tasks)
                waits[number] = self._ids(before, tasks, kept, waits)
                del left[number]
        return waits

    def _ids(
        self, before: tuple[int, ...], tasks: dict[int, tuple[int, tuple[int, ...]]], kept: dict[int, str],
        waits: dict[int, tuple[str, ...]],
    ) -> tuple[str, ...]:  # fmt: skip
        ids: dict[str, None] = {}
        for number in before:
            if number not in tasks:
                self._book.count(_NOWHERE)
            elif tasks[number][0] in kept:
                ids[kept[tasks[number][0]]] = None
            else:
                self._book.count(_SKIPPED)
                ids.update(dict.fromkeys(waits.get(number, ())))
        return tuple(ids)
