"""What could not be placed: replicas without a place, jobs that waited for nodes or repairs, work that never began."""

from __future__ import annotations

import numpy as np

from simulator.experiment.sentences import WAITS
from simulator.experiment.story import duration, many
from simulator.metrics.scaling import fleets, groups
from simulator.metrics.window import Window

PATIENCE = 600.0
"""Seconds that a replica without a place waits at least before it is told of (ours)."""
UNPLACED = 0.1
"""Share of the time of all replicas of a service that was waiting from which on it is told (ours)."""
UNSERVED = 0.05
"""Share of the demand of a load that was not served from which on replicas that were refused are told of (ours)."""
WAITED = 0.25
"""Share of the time of a job that it waited for accelerators from which on it is told (ours)."""

_Found = tuple[str, str, str, dict[str, float]]
"""Kind, subject, sentence, numbers."""
_ROOM = ("wait_capacity", "wait_fragmentation")


def of_run(window: Window) -> list[_Found]:
    """What could not be placed in one run: kind, subject, sentence and numbers of each finding."""
    names, of = window.column("jobs", "id"), fleets(window)
    service = [of.get(str(name).rpartition("/")[0], "") for name in names.tolist()]
    owner = np.array(service, dtype=object)
    found = [each for name in dict.fromkeys(of.values()) for each in _unplaced(window, name, _mask(owner == name))]
    jobs = _mask(owner == "")
    return [*found, *_never(window, jobs), *_waited(window, jobs)]


def _mask(rows: object) -> np.ndarray:
    return np.asarray(rows, dtype=bool)


def _unplaced(window: Window, service: str, rows: np.ndarray) -> list[_Found]:
    """Replicas of a service that waited for a place for long, or never had one."""
    start, wait = window.column("jobs", "start"), np.nan_to_num(window.column("jobs", "wait"))
    long = rows & (wait >= PATIENCE)
    ran = np.nan_to_num(window.column("jobs", "jct"), nan=0.0)
    ends = np.where(np.isnan(window.column("jobs", "end")), window.end - window.column("jobs", "submit"), ran)
    whole, waited = float(ends[rows].sum()), float(wait[long].sum())
    refused = rows & np.isnan(start) & _mask(window.column("jobs", "state") == "REJECTED")
    share = unserved(window, service)
    if not waited >= UNPLACED * whole > 0:
        if not (refused.any() and share >= UNSERVED):
            return []
        long = refused
    never = int(np.count_nonzero(np.isnan(start[long])))
    spent = {reason: float(np.nansum(window.column("jobs", reason)[long])) for reason in WAITS}
    reason = max(spent, key=lambda each: spent[each])
    why = f", as {WAITS[reason]}" if spent[reason] > 0 else ""
    lost = f", and {_percent(share)} of its demand was not served" if share > 0 else ""
    count = f"{int(long.sum()):,} of {many(int(rows.sum()), 'replica')} of {service}"
    most = float(wait[long].max())
    head = f"{count} waited up to {duration(most)} for a place{why}; {never:,} never had one"
    head = f"{count} {'was' if int(long.sum()) == 1 else 'were'} refused a place" if most <= 0 else head
    text = f"{head}{lost}: there was no room for them (look at max, capacity, quota and the size of nodes)."
    numbers = {"replicas": float(long.sum()), "never": float(never), "waited": waited, "unserved": share}
    return [("unplaced", service, text, numbers)]


def unserved(window: Window, load: str) -> float:
    """Share of the demand of a load that gave up or waited at the end of the run; 0 for a service of requests."""
    rows = np.flatnonzero(_mask(window.column("loads", "workload") == load))
    if not rows.size:
        return 0.0
    served, dropped, backlog = (float(window.column("loads", c)[rows[-1]]) for c in ("served", "dropped", "backlog"))
    whole = served + dropped + backlog
    return (dropped + backlog) / whole if whole > 0 else 0.0


def _never(window: Window, jobs: np.ndarray) -> list[_Found]:
    """Jobs that had not begun when the run ended."""
    state = window.column("jobs", "state")
    rows = jobs & np.isnan(window.column("jobs", "start")) & _mask(state == "UNFINISHED")
    count = int(rows.sum())
    if not count:
        return []
    most = float(window.column("jobs", "accelerators")[rows].max())
    up = window.column("series", "capacity")
    room = f"; at most {float(up.max()):,g} were up at once" if len(up) else ""
    first = str(window.column("jobs", "id")[rows][0])
    head = f"{first} never started" if count == 1 else f"{many(count, 'job')} never started, {first} among them"
    asked = "it asked for" if count == 1 else "they asked for up to"
    text = f"{head}: {asked} {many(most, 'accelerator')}{room}."
    return [("never-started", first, text, {"jobs": float(count), "accelerators": most})]


def _waited(window: Window, jobs: np.ndarray) -> list[_Found]:
    """The job that waited for accelerators for most of its time, where nodes come and go or fail."""
    event = window.column("events", "event")
    fails = bool(_mask(event == "failure").any())
    if not fails and not groups(window):
        return []
    room = np.sum([np.nan_to_num(window.column("jobs", reason)) for reason in _ROOM], axis=0)
    submit, end = window.column("jobs", "submit"), window.column("jobs", "end")
    whole = np.where(np.isnan(end), window.end, end) - submit
    stopped = np.nan_to_num(window.column("jobs", "preemptions")) > 0
    rows = np.flatnonzero(jobs & stopped & (room >= WAITED * whole) & (room >= PATIENCE))
    if not rows.size:
        return []
    worst = int(rows[np.argmax(room[rows])])
    name, share = str(window.column("jobs", "id")[worst]), float(room[worst] / whole[worst])
    cause = " and ".join([*(["nodes to come"] if groups(window) else []), *(["repairs"] if fails else [])])
    more = f" ({many(len(rows), 'job')} waited for a quarter of the time or more)" if len(rows) > 1 else ""
    text = (
        f"{name} waited {duration(float(room[worst]))}, {_percent(share)} of its time, for accelerators: it was "
        f"stopped and waited for {cause}{more}; spares or nodes that stay let it go on at once."
    )
    numbers = {"jobs": float(len(rows)), "waited": float(room[worst]), "share": share}
    return [("waiting", name, text, numbers)]


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
