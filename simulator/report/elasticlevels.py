"""What figures of elasticity and failures show over time: step functions from events, decisions and series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.metrics import churn, scaling
from simulator.metrics.window import Window
from simulator.report.panels import Levels, moves, on

HELD, FREE, DRAINING, BOOTING, FAILED = "held by work", "free", "draining", "booting", "failed"
"""What accelerators that are paid for do."""
UNNOTICED, REPAIRED, SLOW = "failed, unnoticed", "failed, being repaired", "slow"
"""What failures make of accelerators."""


def scaled(window: Window) -> list[str]:
    """Fleets of replicas or executors on whose number an autoscaler decided, in order of first appearance."""
    action, subject = window.column("decisions", "action"), window.column("decisions", "subject")
    asked = dict.fromkeys(subject[np.asarray(action == "scale", dtype=bool)].tolist())
    known = scaling.fleets(window)
    return [str(name) for name in asked if name in known]


def wanted(window: Window, fleet: str) -> Levels:
    """Replicas that the autoscaler of a fleet asked for, within its bounds; without times where none decided.

    None from when the last replica has ended, as the fleet's work has then.
    """
    subject, action = window.column("decisions", "subject"), window.column("decisions", "action")
    rows = np.asarray((subject == fleet) & (action == "scale"), dtype=bool)
    time, before, applied = (window.column("decisions", name)[rows] for name in ("time", "before", "applied"))
    kept = ~np.isnan(applied)
    if not kept.any():
        return Levels(np.empty(0), np.empty(0))
    names = [str(name).rpartition("/")[0] == fleet for name in window.column("jobs", "id").tolist()]
    over = float(np.max(window.column("jobs", "end")[np.array(names, dtype=bool)], initial=0.0))
    times, values = np.append(0.0, time[kept]), np.append(before[kept][0], applied[kept])
    if over < window.end and over >= times[-1]:
        return Levels(np.append(times, over), np.append(values, 0.0))
    return Levels(times, values)


def ready(window: Window, fleet: str) -> Levels:
    """Replicas of a fleet that take work: from ``replica-ready`` until they drain, stop or end."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time = window.column("events", "time")
    chosen = np.isin(event.astype(str), ("replica-ready", "replica-drain", "preempt", "end"))
    there: dict[str, None] = {}
    times: list[float] = []
    changes: list[float] = []
    for row in np.flatnonzero(chosen).tolist():
        name = str(subject[row])
        if name.rpartition("/")[0] != fleet or (event[row] == "replica-ready") == (name in there):
            continue
        if event[row] == "replica-ready":
            there[name] = None
        else:
            del there[name]
        times.append(float(time[row]))
        changes.append(1.0 if name in there else -1.0)
    return moves(times, changes)


def paid(window: Window) -> dict[str, Levels]:
    """Accelerators that are paid for, by what they do; they add up to ``provisioned`` of the table of series.

    What boots is paid for and not up, less what has failed; what drains is up and free on a node that takes no work.
    """
    time = window.column("series", "time")
    allocated, capacity, provisioned = (
        window.column("series", name).astype(float) for name in ("allocated", "capacity", "provisioned")
    )
    broken, gone = outages(window)[REPAIRED], draining(window)
    out = np.maximum(provisioned - capacity, 0.0)
    failed = np.minimum(on(time, broken), out)
    up = np.minimum(capacity, provisioned)
    free = np.maximum(up - allocated, 0.0)
    drain = np.minimum(on(time, gone), free)
    levels = {HELD: np.minimum(allocated, up), FREE: free - drain, DRAINING: drain, BOOTING: out - failed}
    return {name: Levels(time, values) for name, values in (levels | {FAILED: failed}).items()}


def draining(window: Window) -> Levels:
    """Accelerators of nodes that take no more work and are not gone yet."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time, amount = window.column("events", "time"), window.column("events", "amount")
    size = {str(subject[row]): float(amount[row]) for row in np.flatnonzero(_is(event, "node-down")).tolist()}
    there: dict[str, None] = {}
    times: list[float] = []
    changes: list[float] = []
    for row in np.flatnonzero(_is(event, "node-drain") | _is(event, "node-down")).tolist():
        name = str(subject[row])
        if event[row] == "node-drain" and name not in there and name in size:
            there[name] = None
            times.append(float(time[row]))
            changes.append(size[name])
        elif event[row] == "node-down" and name in there:
            del there[name]
            times.append(float(time[row]))
            changes.append(-size[name])
    return moves(times, changes)


def by_group(window: Window) -> dict[str, Levels]:
    """Nodes that are up, by group; empty where the record does not tell which node is of which group.

    Nodes of the start are those that go without having come, and those of which nothing is told but the time that
    their group was paid for.
    """
    told = scaling.groups(window)
    event, subject = window.column("events", "event"), window.column("events", "subject")
    rows = np.flatnonzero(_is(event, "node-up") | _is(event, "node-down")).tolist()
    names = {str(subject[row]): churn.group_of(str(subject[row]), told) for row in rows}
    if len(told) < 2 or not rows or not all(names.values()):
        return {}
    time = window.column("events", "time")
    found = {}
    for group, facts in told.items():
        mine = [row for row in rows if names[str(subject[row])] == group]
        changes = [1.0 if event[row] == "node-up" else -1.0 for row in mine]
        came = moves([float(time[row]) for row in mine], changes)
        found[group] = Levels(came.times, came.values + _at_start(window, facts, came))
    return found


def _at_start(window: Window, facts: dict[str, object], came: Levels) -> float:
    """Nodes that a group had at 0 s: the whole number by which its node-hours exceed those that are told of."""
    hours = facts.get("hours")
    known = hours if isinstance(hours, Mapping) else {}
    up = [float(value) for state, value in known.items() if state not in ("boot", "warm")]
    told = float(came.values @ np.diff(np.append(came.times, window.end)))
    rest = round((sum(up) * 3600.0 - told) / window.end) if window.end > 0 else 0
    return float(max(rest, -float(came.values.min(initial=0.0)), 0.0))


def outages(window: Window) -> dict[str, Levels]:
    """Accelerators that failures took, by whether anybody has noticed, and those that failures made slow."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time, amount = window.column("events", "time"), window.column("events", "amount")
    late = dict.fromkeys(subject[_is(event, "detect")].tolist())
    kinds = _is(event, "failure") | _is(event, "detect") | _is(event, "repair") | _is(event, "straggle")
    lost: dict[str, tuple[str, float]] = {}
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in (REPAIRED, UNNOTICED, SLOW)}

    def move(kind: str, now: float, change: float) -> None:
        found[kind][0].append(now)
        found[kind][1].append(change)

    for row in np.flatnonzero(kinds).tolist():
        name, now, what = str(subject[row]), float(time[row]), event[row]
        if name in lost and what in ("detect", "repair"):
            kind, taken = lost.pop(name)
            move(kind, now, -taken)
            if what == "detect":
                lost[name] = (REPAIRED, taken)
                move(REPAIRED, now, taken)
        elif name not in lost and what in ("failure", "straggle"):
            kind = SLOW if what == "straggle" else UNNOTICED if name in late else REPAIRED
            lost[name] = (kind, float(amount[row]))
            move(kind, now, float(amount[row]))
    return {name: moves(*each) for name, each in found.items()}


def failures(window: Window) -> np.ndarray:
    """When hardware failed (s)."""
    times: np.ndarray = window.column("events", "time")[_is(window.column("events", "event"), "failure")]
    return times


def cold_phases(window: Window) -> dict[str, float]:
    """Mean seconds of each phase of a cold start, over the starts that came to their end after the warm-up."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time, amount = window.column("events", "time"), window.column("events", "amount")
    after = time >= window.warmup
    starts = int(np.count_nonzero(after & _is(event, "replica-ready")))
    totals: dict[str, float] = {}
    for row in np.flatnonzero(after & _is(event, "cold-start")).tolist():
        phase = str(subject[row]).rpartition(": ")[2]
        totals[phase] = totals.get(phase, 0.0) + float(amount[row])
    return {phase: total / starts for phase, total in totals.items()} if starts else {}


def _is(event: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(event == name, dtype=bool)
