"""What must hold of every load and every data job."""

from __future__ import annotations

import numpy as np

from simulator.core.errors import InvariantError
from simulator.metrics.checking import CLOCK, RELATIVE, Check, require
from simulator.metrics.window import Window, number


def _conserved(window: Window) -> None:
    names, amount = window.column("waits", "workload"), window.column("waits", "amount")
    fate = window.column("waits", "fate")
    for name, facts in dict(window.record.facts.get("fleets") or {}).items():
        if facts.get("kind") != "load":
            continue
        came = number(facts.get("demand"), 0.0)
        slack = RELATIVE * max(came, 1.0)
        own = np.asarray(names == name, dtype=bool)
        told = {key: number(facts.get(key), 0.0) for key in ("served", "dropped", "waiting")}
        if abs(sum(told.values()) - came) > slack:
            raise InvariantError(f"load {name!r}: {came} came, {told} are not as many")
        for key, value in told.items():
            found = float(amount[own & np.asarray(fate == key, dtype=bool)].sum())
            if abs(found - value) > slack:
                raise InvariantError(f"load {name!r}: {value} {key}, the rows of waits have {found}")


def _within_capacity(window: Window) -> None:
    time, names, capacity, served, demand = (
        window.column("loads", name) for name in ("time", "workload", "capacity", "served", "demand")
    )
    for name in dict.fromkeys(names.tolist()):
        own = np.flatnonzero(np.asarray(names == name, dtype=bool))
        grown, most = np.diff(served[own]), np.diff(time[own]) * capacity[own][:-1]
        slack = RELATIVE * np.maximum(served[own][1:], 1.0) + CLOCK * window.end * (capacity + demand)[own][:-1]
        if number((window.record.facts.get("fleets") or {}).get(name, {}).get("record_interval"), 0.0) > 0:
            continue  # what lies between two rows is not there

        def tell(row: int, own: np.ndarray = own, grown: np.ndarray = grown, most: np.ndarray = most) -> str:
            return f"{names[own[row]]}: {grown[row]} served from {time[own[row]]} s on, its replicas serve {most[row]}"

        require((grown <= most + slack) & (grown >= -slack), tell)


def _in_order(window: Window) -> None:
    names, since, until, first, last = (
        window.column("waits", name) for name in ("workload", "since", "until", "first", "last")
    )
    slack = CLOCK * max(window.end, 1.0) + RELATIVE

    def tell(row: int) -> str:
        return f"{names[row]}: what came from {since[row]} to {until[row]} s waited {first[row]} to {last[row]} s"

    require((until >= since) & (first >= -slack) & (last >= -slack) & (until + last >= since + first - slack), tell)


def _tasks(window: Window) -> None:
    names, tasks, done, end = (window.column("applications", name) for name in ("name", "tasks", "done", "end"))

    def tell(row: int) -> str:
        return f"data job {names[row]!r}: {done[row]} of {tasks[row]} tasks are done, its end is {end[row]} s"

    require((done <= tasks) & ((done == tasks) == ~np.isnan(end)), tell)


LOAD_INVARIANTS: tuple[tuple[str, Check], ...] = (
    ("demand of a load = served + dropped + waiting", _conserved),
    ("a load is never served faster than its replicas can", _within_capacity),
    ("what came to a load earlier was not served later", _in_order),
)
TASK_INVARIANTS: tuple[tuple[str, Check], ...] = (("a data job ends when all its tasks have, and each once", _tasks),)
"""Statement and test of each; of records that have loads, or data jobs."""
