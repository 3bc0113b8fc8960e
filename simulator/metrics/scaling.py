"""What controllers of numbers did in a run: the changes of each number, from decisions and from events."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.metrics.oscillation import UNDO, Swings, swings
from simulator.metrics.statistics import mean
from simulator.metrics.window import Window

SIZING = ("scale", "grow", "remove", "replace")
"""Actions of the table of decisions that change a number of replicas or nodes."""
TOGETHER = "nodes"
"""What a decision is on whose number is that of all groups together."""
_NODES = "autoscaler of nodes"
"""What the controller of a node group is called in a record that does not name it."""


@dataclass(frozen=True, slots=True)
class Path:
    """A number of replicas or nodes that a controller decides on, change by change (arrays of one length)."""

    controller: str
    subject: str
    kind: str
    """``replicas`` or ``nodes``."""
    time: np.ndarray
    """When it was changed, in s, in order; decisions that change nothing are left out."""
    before: np.ndarray
    after: np.ndarray


def paths(window: Window) -> list[Path]:
    """Every number that a controller decided on, in order of first appearance, over the whole run.

    Node groups are told of by the events ``scale-up`` and ``scale-down``, where there are any, all else by decisions: a
    controller that answers with a number over all groups is told of by what became of it in each, summed from 0. Nodes
    that the provider took back and nodes that failed are nobody's decision and change no path. A controller that never
    changed its number has a path without rows.
    """
    of_nodes, known = _of_groups(window), {*fleets(window), *window.services}
    names = {path.subject for path in of_nodes}
    controller, subject = window.column("decisions", "controller"), window.column("decisions", "subject")
    before, after = window.column("decisions", "before"), window.column("decisions", "applied")
    sized = np.asarray(window.column("decisions", "action") == "scale", dtype=bool) & ~np.isnan(before + after)
    found = []
    for key in dict.fromkeys(zip(controller[sized].tolist(), subject[sized].tolist(), strict=True)):
        if key[1] in names:
            continue
        rows = sized & np.asarray((controller == key[0]) & (subject == key[1]), dtype=bool) & (before != after)
        kind = "replicas" if key[1] in known else "nodes"
        if kind == "nodes" and of_nodes:
            continue
        found.append(Path(*key, kind, window.column("decisions", "time")[rows], before[rows], after[rows]))
    return found + of_nodes


def _of_groups(window: Window) -> list[Path]:
    event, subject = window.column("events", "event"), window.column("events", "subject")
    up, down = (np.asarray(event == name, dtype=bool) for name in ("scale-up", "scale-down"))
    moves = np.where(up, 1.0, -1.0) * window.column("events", "amount")
    moves[down] += _broken(window, np.flatnonzero(down))
    found = []
    for group in dict.fromkeys([*groups(window), *subject[up | down].tolist()]):
        rows = (up | down) & (moves != 0) & np.asarray(subject == group, dtype=bool)
        after = np.cumsum(moves[rows])
        after += max(0.0, -float(after.min(initial=0.0)))
        time = window.column("events", "time")[rows]
        found.append(Path(controller_of(window, group), group, "nodes", time, after - moves[rows], after))
    return found


def _broken(window: Window, rows: np.ndarray) -> np.ndarray:
    """How many of the nodes that each of these events ``scale-down`` counts had failed, and were let go for it."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    if not len(rows) or not np.asarray(event == "failure", dtype=bool).any():
        return np.zeros(len(rows))
    spells: dict[str, list[tuple[float, bool]]] = {}
    for row in np.flatnonzero(np.isin(event.astype(str), ("failure", "repair"))).tolist():
        node = str(subject[row]).rpartition(" ")[2]
        spells.setdefault(node, []).append((float(window.column("events", "time")[row]), event[row] == "failure"))
    gone: dict[tuple[float, str], float] = {}
    of = {server: group for group, facts in groups(window).items() for server in _servers(facts)}
    names, when = window.column("decisions", "subject"), window.column("decisions", "time")
    for row in np.flatnonzero(np.asarray(window.column("decisions", "action") == "remove", dtype=bool)).tolist():
        node, now = str(names[row]), float(when[row])
        past = [down for time, down in spells.get(node, ()) if time <= now]
        if past and past[-1] and node in of:
            gone[now, of[node]] = gone.get((now, of[node]), 0.0) + 1.0
    keys = zip(window.column("events", "time")[rows].tolist(), subject[rows].tolist(), strict=True)
    counts = np.array([gone.get(key, 0.0) for key in keys])
    return np.asarray(np.minimum(counts, window.column("events", "amount")[rows]))


@dataclass(frozen=True, slots=True)
class Taken:
    """Nodes of a group that the provider took back after the warm-up, and those that were asked for meanwhile."""

    group: str
    back: int
    asked: int
    stay: float
    """Median seconds from when such a node took work until it was called back; NaN where none had."""


def taken(window: Window) -> list[Taken]:
    """What the provider took back of each group of which the record names the servers, groups in their order."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time, after = window.column("events", "time"), window.column("events", "time") >= window.warmup
    lost, asked = (np.asarray(event == name, dtype=bool) & after for name in ("interruption", "scale-up"))
    starts: dict[str, list[float]] = {}
    for life in lives(window):
        starts.setdefault(life.server, []).append(life.up)
    found = []
    for group, facts in groups(window).items():
        rows = np.flatnonzero(lost & np.isin(subject, _servers(facts)))
        stays = [_since(starts.get(str(subject[row]), []), float(time[row])) for row in rows.tolist()]
        known = [stay for stay in stays if not math.isnan(stay)]
        count = float(window.column("events", "amount")[asked & np.asarray(subject == group, dtype=bool)].sum())
        found.append(Taken(group, len(rows), int(count), float(np.median(known)) if known else math.nan))
    return found


def _since(starts: list[float], now: float) -> float:
    """Seconds since the last of these times (s, in order); NaN before the first."""
    place = bisect.bisect_right(starts, now)
    return now - starts[place - 1] if place else math.nan


def _servers(group: Mapping[str, object]) -> list[str]:
    """Names of the nodes of a group, where the record tells them."""
    servers = group.get("servers")
    return list(servers) if isinstance(servers, list | tuple) else []


def controller_of(window: Window, group: str) -> str:
    """Who decides on a node group: the controller of the first decision that resizes it, or all groups together.

    What a group does by itself, to keep its minimum, is nobody's decision.
    """
    subject, action = window.column("decisions", "subject"), window.column("decisions", "action")
    controller = window.column("decisions", "controller")
    for row in np.flatnonzero(np.asarray((subject == group) | (subject == TOGETHER), dtype=bool)).tolist():
        if action[row] in SIZING and controller[row] != group:
            return str(controller[row])
    return _NODES


def groups(window: Window) -> dict[str, dict[str, object]]:
    """What the record says of each group of nodes, by name; empty when it says nothing."""
    return dict(window.record.facts.get("groups") or {})


def fleets(window: Window) -> dict[str, str]:
    """Fleets of replicas by name, and the workload that each is of; a service may have several.

    They are told by the names of replicas, which are ``FLEET/NUMBER``.
    """
    workload, names = window.column("jobs", "workload"), window.column("jobs", "id")
    told = dict(window.record.facts.get("fleets") or {})
    found: dict[str, str] = {}
    for of, name in zip(workload.tolist(), names.tolist(), strict=True):
        fleet = str(name).rpartition("/")[0]
        if of in window.services or fleet in told:
            found.setdefault(fleet, str(of))
    return found


def replica_hours(window: Window) -> float:
    """Hours for which replicas of fleets had their places after the warm-up, summed; NaN without replicas.

    What a replica held is taken to be even from its first start to its end.
    """
    of = fleets(window)
    names = [str(name).rpartition("/")[0] for name in window.column("jobs", "id").tolist()]
    rows = np.array([row for row, name in enumerate(names) if name in of], dtype=int)
    if not rows.size:
        return math.nan
    start, end, accelerators, service = (
        window.column("jobs", name)[rows] for name in ("start", "end", "accelerators", "service")
    )
    last = np.where(np.isnan(end), window.end, end)
    span, inside = last - start, np.maximum(last - np.maximum(start, window.warmup), 0.0)
    whole = accelerators * span
    share = np.divide(service, whole, out=np.ones(len(rows)), where=whole > 0)
    return float(np.nansum(inside * share)) / 3600.0


def found(window: Window) -> list[Swings]:
    """How each number moved from the warm-up to the end; a scale-up has the time that starting takes to be undone."""
    span = (window.warmup, window.end)
    delays = {"replicas": mean(cold_starts(window)), "nodes": mean(boots(window))}
    return [
        swings(path.time, path.before, path.after, span, _within(delays[path.kind]), path.controller, path.subject)
        for path in paths(window)
    ]


def _within(delay: float) -> float:
    return UNDO if math.isnan(delay) else max(UNDO, delay)


def cold_starts(window: Window, fleet: str | None = None) -> np.ndarray:
    """Seconds from when each replica had its accelerators until it took requests, of those that did after the warm-up.

    Of all fleets, or of one. A replica that was stopped and started again counts each time.
    """
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time = window.column("events", "time")
    chosen = np.flatnonzero(np.asarray((event == "start") | (event == "replica-ready"), dtype=bool))
    began: dict[str, float] = {}
    taken = []
    for row in chosen.tolist():
        name = str(subject[row])
        if event[row] == "start":
            began[name] = float(time[row])
        elif name in began:
            since = began.pop(name)
            if time[row] >= window.warmup and fleet in (None, name.rpartition("/")[0]):
                taken.append(float(time[row]) - since)
    return np.array(taken)


def boots(window: Window) -> np.ndarray:
    """Seconds that each node needed from being asked for until it took work, by the sums of its ``node-boot`` events.

    Of nodes that came up after the warm-up. Empty where the record has no phases of nodes.
    """
    return np.array([life.boot for life in lives(window) if life.boot > 0 and life.up >= window.warmup])


@dataclass(frozen=True, slots=True)
class Life:
    """One stay of a node in the cluster: its name, the seconds it booted, when it came up and when it went (s).

    ``down`` is infinite for a node that was there at the end.
    """

    server: str
    boot: float
    up: float
    down: float


def lives(window: Window) -> list[Life]:
    """Every stay of a node that came up within the run, in order of coming up."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time, amount = window.column("events", "time"), window.column("events", "amount")
    kinds = ("node-boot", "node-warm", "node-up", "node-down")
    chosen = np.flatnonzero(np.isin(event.astype(str), kinds)) if len(event) else np.empty(0, int)
    booted: dict[str, float] = {}
    there: dict[str, tuple[float, float, int]] = {}
    stays: list[Life] = []
    for row in chosen.tolist():
        name = str(subject[row])
        if event[row] == "node-boot":
            server = name.rpartition(": ")[0] or name
            booted[server] = booted.get(server, 0.0) + float(amount[row])
        elif event[row] == "node-warm":
            booted.pop(name, None)
        elif event[row] == "node-up":
            boot = booted.pop(name, 0.0)
            there[name] = (boot, float(time[row]), len(stays))
            stays.append(Life(name, boot, float(time[row]), math.inf))
        elif name in there:
            boot, up, place = there.pop(name)
            stays[place] = Life(name, boot, up, float(time[row]))
    return stays
