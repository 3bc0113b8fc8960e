"""What must hold in every record, whatever the policy, the trace or the hardware: a broken one is a bug of ours."""

from __future__ import annotations

import numpy as np

from simulator.core.errors import InvariantError
from simulator.metrics.checking import CLOCK, RELATIVE, Check, require
from simulator.metrics.loadchecks import LOAD_INVARIANTS, TASK_INVARIANTS
from simulator.metrics.recorder import DECLARED, Record
from simulator.metrics.requestchecks import REQUEST_INVARIANTS
from simulator.metrics.window import RUNNING, Window

STATES = ("COMPLETED", "REJECTED", "UNFINISHED", "FAILED", "TIMEOUT")

WAITS = ("wait_capacity", "wait_fragmentation", "wait_order", "wait_policy", "wait_held")


def check(record: Record) -> list[str]:
    """Check every invariant and return their statements, in a fixed order; those of requests and loads where such are.

    Raises ``InvariantError`` with statement, place and numbers at the first that does not hold. Takes about half a
    second for a million jobs.
    """
    window = Window(record)
    tables = {"requests": REQUEST_INVARIANTS, "loads": LOAD_INVARIANTS, "applications": TASK_INVARIANTS}
    checks = (*INVARIANTS, *(each for name in tables if name in record.tables for each in tables[name]))
    for statement, test in checks:
        try:
            test(window)
        except InvariantError as error:
            raise InvariantError(f"broken invariant: {statement}: {error}") from None
    return [statement for statement, _ in checks]


def _complete(window: Window) -> None:
    for table, columns in window.record.tables.items():
        declared = [column.name for column in DECLARED.get(table, ())]
        if sorted(columns) != sorted(declared):
            raise InvariantError(f"table {table!r} has columns {sorted(columns)}, declared are {sorted(declared)}")
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvariantError(f"columns of table {table!r} differ in length: {lengths}")


def _one_end(window: Window) -> None:
    state, names = window.column("jobs", "state"), window.column("jobs", "id")
    known = np.zeros(len(state), dtype=bool)
    for final in STATES:
        known |= np.asarray(state == final, dtype=bool)
    require(known, lambda row: f"job {names[row]!r} ended as {state[row]!r}, not as one of {', '.join(STATES)}")
    events = window.column("events", "event")
    _count(events, "submit", len(state), "jobs in the table")
    _count(events, "reject", int(np.count_nonzero(state == "REJECTED")), "rejected jobs in the table")
    _count(events, "preempt", int(window.column("jobs", "preemptions").sum()), "preemptions in the job table")


def _count(events: np.ndarray, kind: str, expected: int, meaning: str) -> None:
    found = int(np.count_nonzero(events == kind))
    if events.size and found != expected:
        raise InvariantError(f"{found:,} {kind} events, but {expected:,} {meaning}")


def _causal(window: Window) -> None:
    names = window.column("jobs", "id")
    submit, start, end, state = (window.column("jobs", name) for name in ("submit", "start", "end", "state"))
    done = np.asarray(state == "COMPLETED", dtype=bool)
    slack = CLOCK * max(abs(window.end), 1.0) if np.isfinite(window.end) else 0.0

    def tell(row: int) -> str:
        return f"job {names[row]!r}: submit {submit[row]}, start {start[row]}, end {end[row]} s ({state[row]})"

    require(np.isfinite(submit), tell)
    require(~done | (np.isfinite(start) & np.isfinite(end)), tell)
    require(np.isnan(end) | (state != "UNFINISHED"), tell)
    require(np.isnan(start) | (start >= submit), tell)
    require(np.isnan(end) | ((end >= submit) & ~(end < start)), tell)
    if np.isfinite(window.end):
        require(np.isnan(end) | (end <= window.end + slack), lambda row: f"{tell(row)}, the run ended at {window.end}")


def _attributed(window: Window) -> None:
    names, end, jct = (window.column("jobs", name) for name in ("id", "end", "jct"))
    done = np.asarray(window.column("jobs", "state") == "COMPLETED", dtype=bool)
    slack = RELATIVE * np.abs(jct) + CLOCK * np.abs(end)
    parts = {name: window.column("jobs", name) for name in ("wait", *RUNNING)}
    total = np.sum(list(parts.values()), axis=0) if names.size else np.empty(0)
    sojourn = end - window.column("jobs", "submit")

    def tell(row: int) -> str:
        told = ", ".join(f"{name} {values[row]}" for name, values in parts.items())
        return f"job {names[row]!r}: {told} s sum to {total[row]}; jct {jct[row]}, end - submit {sojourn[row]} s"

    require(~done | (np.abs(sojourn - jct) <= slack), tell)
    require(~done | (np.abs(total - jct) <= slack), tell)
    for values in parts.values():
        require(~done | (values >= -slack), tell)


def _within_capacity(window: Window) -> None:
    time, allocated, capacity, provisioned = (
        window.column("series", name) for name in ("time", "allocated", "capacity", "provisioned")
    )
    slack = RELATIVE * np.maximum(capacity, 1.0)

    def tell(row: int) -> str:
        return (
            f"at {time[row]} s: {allocated[row]} accelerators allocated, {capacity[row]} up, "
            f"{provisioned[row]} paid for"
        )

    require(allocated >= -slack, tell)
    require(allocated <= capacity + slack, tell)
    require(capacity <= provisioned + slack, tell)
    queued, running = window.column("series", "queued"), window.column("series", "running")
    require(
        (queued >= 0) & (running >= 0),
        lambda row: f"at {time[row]} s: {queued[row]} jobs queued, {running[row]} running",
    )


def _waits(window: Window) -> None:
    names, wait = window.column("jobs", "id"), window.column("jobs", "wait")
    parts = {name: window.column("jobs", name) for name in WAITS}
    total = np.sum(list(parts.values()), axis=0) if names.size else np.empty(0)
    submit, end = window.column("jobs", "submit"), window.column("jobs", "end")
    until = window.end if np.isfinite(window.end) else 0.0
    slack = RELATIVE * np.abs(wait) + CLOCK * (np.abs(submit) + np.nan_to_num(np.abs(end)) + abs(until))

    def tell(row: int) -> str:
        told = ", ".join(f"{name} {values[row]}" for name, values in parts.items())
        return f"job {names[row]!r}: {told} s sum to {total[row]}, wait is {wait[row]}"

    require(np.abs(total - wait) <= slack, tell)


def _held(window: Window) -> None:
    if not window.column("series", "time").size or not np.isfinite(window.end):
        return
    expected = float(window.column("jobs", "service").sum())
    found = window.integral("allocated", since=min(0.0, float(window.column("series", "time")[0])))
    if np.isfinite(found) and abs(found - expected) > 1e-6 * max(expected, found):
        raise InvariantError(f"the series hold {found} accelerator-seconds, the jobs held {expected}")


def _forward(window: Window) -> None:
    _monotone("series", window.column("series", "time"))
    _monotone("events", window.column("events", "time"))


def _monotone(table: str, time: np.ndarray) -> None:
    require(np.diff(time) >= 0, lambda row: f"{table}: {time[row + 1]} s comes after {time[row]} s")


def _flows_end(window: Window) -> None:
    names, start, end, size = (window.column("flows", name) for name in ("id", "start", "end", "bytes"))

    def tell(row: int) -> str:
        return f"transfer {names[row]!r}: start {start[row]}, end {end[row]} s, {size[row]} bytes"

    require(np.isfinite(start) & (size >= 0), tell)
    require(np.isnan(end) | (end >= start), tell)


def _carried(window: Window) -> None:
    time, link, load, capacity = (window.column("links", name) for name in ("time", "link", "load", "capacity"))

    def tell(row: int) -> str:
        return f"link {link[row]} at {time[row]} s: {load[row]} bytes/s, capacity {capacity[row]}"

    require((load >= 0) & (load <= capacity * (1 + RELATIVE)), tell)


INVARIANTS: tuple[tuple[str, Check], ...] = (
    ("every table has its declared columns, all of one length", _complete),
    ("every job that was submitted ends in exactly one state", _one_end),
    ("submit <= start <= end for every job, within the run", _causal),
    ("wait + compute + network + overhead + rework + checkpointing + hung = jct for every completed job", _attributed),
    ("the parts of every wait, by reason, add up to it", _waits),
    ("time never runs backwards", _forward),
    ("0 <= accelerators allocated <= accelerators up <= accelerators paid for, at all times", _within_capacity),
    ("accelerator-seconds held by the jobs = accelerator-seconds allocated over time", _held),
    ("no transfer ends before it starts", _flows_end),
    ("0 <= load <= capacity on every recorded link, at all times", _carried),
)
"""Statement and test of each."""
