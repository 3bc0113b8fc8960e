"""The story of a service around a time: its replicas then, who resized it, and how long the new ones took and why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulator.experiment.log import OF_NODES, Log, together
from simulator.experiment.sentences import WAITS, Decided, Happened, decided
from simulator.experiment.story import Line, duration, listed, many, plain
from simulator.metrics.window import Window

CHAINS = 3
"""Scale-ups whose consequences are told, those nearest to the time."""
_AT_ONCE = 1e-6
"""Seconds up to which a wait is none."""


def standing(log: Log, service: str, at: float) -> tuple[list[str], dict[str, Any]]:
    """How a service stood at a time (s): sentences, and the numbers in them."""
    replicas = replicas_at(log, service, at)
    counts = {state: sum(here == state for here in replicas.values()) for state in _STATES}
    place = _place(log.window, list(replicas))
    parts = [f"{many(counts['ready'], 'replica')} took requests"]
    parts += [
        f"{counts[state]} {_STATES[state].split('|')[counts[state] > 1]}".replace("accelerators", place)
        for state in ("starting", "waiting", "draining") if counts[state]
    ]  # fmt: skip
    said = [f"{', '.join(parts)}."]
    numbers: dict[str, Any] = {"replicas": counts, **requests_at(log.window, service, at)}
    if "requests_running" in numbers:
        said.append(
            f"{many(numbers['requests_running'], 'request')} of {service} ran, {numbers['requests_waiting']:,} waited; "
            f"{numbers['requests_last_minute']:,} came in the minute before."
        )
    load = load_at(log.window, service, at)
    if load:
        said.append(
            f"{plain(load['demand'])} requests of {service} came a second, {plain(load['capacity'])} could be served; "
            f"{plain(load['backlog'])} waited."
        )
    return said, numbers | load


_STATES = {
    "ready": "took requests|took requests", "starting": "was starting|were starting",
    "waiting": "waited for accelerators|waited for accelerators", "draining": "was draining|were draining",
}  # fmt: skip
"""Where a replica may be, and what is said of one and of several."""


def replicas_at(log: Log, service: str, at: float) -> dict[str, str]:
    """The replicas of a service at a time (s), what is of that instant included: ready, starting, waiting, draining."""
    now: dict[str, str] = {}
    for row in log.events:
        if row.time > at:
            break
        state = _BECOMES.get(row.event)
        if state is None or log.fleets.get(row.subject.rpartition("/")[0]) != service:
            continue
        if state == "gone":
            now.pop(row.subject, None)
        elif not (state == "starting" and now.get(row.subject) == "draining"):
            now[row.subject] = state
    return now


_BECOMES = {
    "submit": "waiting", "start": "starting", "replica-ready": "ready", "replica-drain": "draining",
    "preempt": "waiting", "end": "gone", "reject": "gone", "timeout": "gone",
}  # fmt: skip


def requests_at(window: Window, service: str, at: float) -> dict[str, int]:
    """Requests of a service that ran and waited at a time, and that came in the minute before; empty without any."""
    mine = np.asarray(window.column("requests", "workload") == service, dtype=bool)
    if not mine.any():
        return {}
    came, start, end = (window.column("requests", name)[mine] for name in ("arrival", "start", "end"))
    there = (came <= at) & ~(end <= at)
    running = there & (start <= at)
    return {
        "requests_running": int(running.sum()), "requests_waiting": int((there & ~running).sum()),
        "requests_last_minute": int(((came > at - 60.0) & (came <= at)).sum()),
    }  # fmt: skip


def load_at(window: Window, service: str, at: float) -> dict[str, float]:
    """What the table of loads says of a time: ``demand``, ``capacity`` (1/s), ``backlog``; empty for no load."""
    rows = np.flatnonzero(np.asarray(window.column("loads", "workload") == service, dtype=bool))
    before = rows[window.column("loads", "time")[rows] <= at]
    if not before.size:
        return {}
    found = {name: float(window.column("loads", name)[before[-1]]) for name in ("demand", "capacity", "backlog")}
    since = at - float(window.column("loads", "time")[before[-1]])
    return found | {"backlog": max(0.0, found["backlog"] + (found["demand"] - found["capacity"]) * since)}


def lines(log: Log, service: str, since: float, until: float) -> tuple[Line, ...]:
    """Everything between two times (s) that has to do with a service, node groups and failures included."""
    mine = {name for name, of in log.fleets.items() if of == service} | {service}

    def about(subject: str) -> bool:
        return subject in mine or subject.partition(": ")[0].rpartition("/")[0] in mine

    def decision(row: Decided) -> bool:
        return about(row.subject) or row.subject in log.nodes or log.sized_group(row)

    def event(row: Happened) -> bool:
        return about(row.subject) or row.event in _AROUND

    return log.lines(since, until, decision, event)


_AROUND = (*OF_NODES, "node-boot")


def chains(log: Log, service: str, at: float, since: float, until: float) -> tuple[tuple[Line, ...], ...]:
    """What each scale-up of a service between two times led to; those nearest to ``at``, in order of time."""
    ups = [
        row
        for row in log.decisions
        if row.action == "scale" and log.fleets.get(row.subject, row.subject) == service
        and since <= row.time <= until and row.applied > row.before
    ]  # fmt: skip
    chosen = sorted(sorted(ups, key=lambda row: abs(row.time - at))[:CHAINS], key=lambda row: row.time)
    return tuple(_chain(log, row) for row in chosen)


def _chain(log: Log, row: Decided) -> tuple[Line, ...]:
    """From a decision to the last of its replicas that took requests."""
    born = _born(log, row)
    steps = [decided(row)]
    if not born:
        return (*steps, Line(row.time, "note", row.subject, "No replica came of it within the run."))
    waited = {name: start - row.time for name, start, _ in born}
    late = [name for name, wait in waited.items() if wait > _AT_ONCE or math.isnan(wait)]
    steps += _queued(log, row, [name for name in waited if name not in late], late)
    if late:
        last = max((start for name, start, _ in born if name in late and start == start), default=log.end)
        steps += _supply(log, row.time, last, _why(log.window, late))
        steps += _started(log.window, row, [(name, start) for name, start, _ in born if name in late])
    steps += _ready(log, row, born)
    return tuple(steps)


def _born(log: Log, row: Decided) -> list[tuple[str, float, float]]:
    """Replicas that a decision brought: name, first start and first readiness, in s; NaN for what did not come."""
    asked = [
        each.subject
        for each in log.events
        if each.event == "submit" and each.time == row.time and each.subject.rpartition("/")[0] == row.subject
    ]
    firsts: dict[tuple[str, str], float] = {}
    for each in log.events:
        if each.time >= row.time and each.event in ("start", "replica-ready"):
            firsts.setdefault((each.subject, each.event), each.time)
    return [(n, firsts.get((n, "start"), math.nan), firsts.get((n, "replica-ready"), math.nan)) for n in asked]


def _queued(log: Log, row: Decided, prompt: list[str], late: list[str]) -> list[Line]:
    said = []
    if prompt:
        said.append(Line(row.time, "start", listed(prompt), f"{listed(prompt)} {_got(log.window, prompt)} at once."))
    if late:
        why = _why(log.window, late)
        text = f"{listed(late)} had to wait for {_place(log.window, late)}{f', as {why}' if why else ''}."
        said.append(Line(row.time, "queue", listed(late), text))
    return said


def _why(window: Window, names: list[str]) -> str:
    """For what reason these jobs waited longest; empty when the record does not say."""
    mine = np.isin(window.column("jobs", "id").astype(str), names)
    spent = {reason: float(np.nansum(window.column("jobs", reason)[mine])) for reason in WAITS}
    longest = max(spent, key=lambda reason: spent[reason])
    return WAITS[longest] if spent[longest] > 0 else ""


def _place(window: Window, names: list[str]) -> str:
    """What these replicas hold when they have a place."""
    mine = np.isin(window.column("jobs", "id").astype(str), names)
    held = window.column("jobs", "accelerators")[mine]
    return "a place" if len(held) and not held.any() else "accelerators"


def _got(window: Window, names: list[str]) -> str:
    if _place(window, names) == "accelerators":
        return "got accelerators"
    return "was placed" if len(names) == 1 else "were placed"


def _supply(log: Log, since: float, until: float, why: str) -> list[Line]:
    """What was done meanwhile so that there would be room: groups that grew, nodes that came, evictions.

    Where nothing was done, and ``why`` does not tell the reason for the wait, so it is said.
    """
    known = [
        row for row in log.decisions
        if since <= row.time <= until and (
            row.action in ("grow", "evict")
            or (log.sized_group(row) and (row.applied > row.before or row.action == "refuse"))
        )
    ]  # fmt: skip
    told = {(row.time, row.subject) for row in known}
    rows = [
        each for each in log.events
        if since <= each.time <= until and each.event in ("scale-up", "stock-out", "node-up", "preempt")
        and not (each.event == "scale-up" and (each.time, each.subject) in told)
    ]  # fmt: skip
    found = [decided(row, log.sized_group(row)) for row in known] + [log.line(some) for some in together(rows)]
    if not found and not why:
        return [Line(since, "note", "", "No node group grew meanwhile: they waited for others to leave.")]
    return sorted(found, key=lambda line: line.time)


def _started(window: Window, row: Decided, born: list[tuple[str, float]]) -> list[Line]:
    never = [name for name, start in born if start != start]
    said = []
    for start, names in _by_value([(name, start) for name, start in born if start == start]):
        text = f"{listed(names)} {_got(window, names)}, {duration(start - row.time)} after the decision."
        said.append(Line(start, "start", listed(names), text))
    if never:
        text = f"{listed(never)} never got {_place(window, never)} within the run."
        said.append(Line(row.time, "note", listed(never), text))
    return said


def _ready(log: Log, row: Decided, born: list[tuple[str, float, float]]) -> list[Line]:
    said = []
    told = {(start, ready, log.told(name, ready)): None for name, start, ready in born if ready == ready}
    for start, ready, phases in sorted(told, key=lambda each: (each[1], each[0])):
        names = [n for n, s, r in born if (s, r) == (start, ready) and log.told(n, r) == phases]
        late = f" and {duration(ready - start)} after the accelerators" if start - row.time > _AT_ONCE else ""
        text = f"{listed(names)} took requests, {duration(ready - row.time)} after the decision{late}"
        text += f": {phases}." if phases else "."
        said.append(Line(ready, "replica-ready", listed(names), text))
    short = [(name, start) for name, start, ready in born if ready != ready and start == start]
    for start, names in _by_value(short):
        said.append(Line(start, "note", listed(names), f"{listed(names)} took no request within the run."))
    return said


def _by_value(pairs: list[tuple[str, float]]) -> list[tuple[float, list[str]]]:
    """Names by their value, in order of it."""
    found: dict[float, list[str]] = {}
    for name, value in pairs:
        found.setdefault(value, []).append(name)
    return sorted(found.items())
