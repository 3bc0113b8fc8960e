"""The story of a node group, or of one node: how it stood, who sized it, what came, went and broke."""

from __future__ import annotations

from typing import Any

from simulator.experiment.log import OF_GROUPS, OF_NODES, OF_PARTS, Log
from simulator.experiment.sentences import Decided, Happened
from simulator.experiment.story import Line, clock, duration, many
from simulator.metrics.scaling import TOGETHER, Life, groups, lives
from simulator.metrics.window import number


def group_standing(log: Log, group: str, at: float) -> tuple[list[str], dict[str, Any]]:
    """How a node group stood at a time (s): sentences, and the numbers in them."""
    told = groups(log.window).get(group, {})
    size = size_at(log, group, at)
    said = [f"Group {group} had {many(size, 'node')}."] if size >= 0 else []
    hours = told.get("hours")
    if isinstance(hours, dict) and any(number(value, 0.0) for value in hours.values()):
        spent = ", ".join(
            f"{number(value):,.1f} {_STATES.get(state, state)}" for state, value in hours.items() if value
        )
        said.append(f"Node-hours over the run: {spent}.")
    paid = number(told.get("paid"))
    said += [f"It cost ${paid:,.2f}."] if paid > 0 else []
    return said, {"size": None if size < 0 else size, **{k: v for k, v in told.items() if k != "nodes"}}


_STATES = {"boot": "booting", "drain": "draining", "failed": "broken", "warm": "kept warm"}


def size_at(log: Log, group: str, at: float) -> float:
    """Nodes of a group at a time (s): as its facts or else its decisions and events tell; -1 when nothing does.

    A decision says how many there are; after it, events say how many were let go, or taken back by the provider.
    """
    told = groups(log.window).get(group, {}).get("nodes")
    if isinstance(told, list | tuple):
        before = [size for time, size in told if time <= at]
        if before:
            return float(before[-1])
    counted = [row for row in log.decisions if row.subject == group and row.applied == row.applied]
    if counted and counted[0].time > at:
        return counted[0].before
    past = [row for row in counted if row.time <= at]
    since, size = (past[-1].time, past[-1].applied) if past else (-1.0, -1.0)
    for row in log.events:
        if row.time > at:
            break
        if row.time > since and row.event in _SIZES and row.subject == group:
            size = max(size, 0.0) + _SIZES[row.event] * row.amount
        elif row.time > since and row.event == "interruption" and log.group_of(row.subject) == group:
            size = max(size - 1.0, 0.0)
    return size


_SIZES = {"scale-up": 1.0, "scale-down": -1.0}
"""By how many nodes an event of a group changes it, for each that it counts."""


def group_lines(log: Log, group: str, since: float, until: float) -> tuple[Line, ...]:
    """Everything between two times (s) on a group and the nodes that are known to be of it."""

    def decision(row: Decided) -> bool:
        return row.subject in (group, TOGETHER) or (row.subject in log.nodes and log.group_of(row.subject) == group)

    def event(row: Happened) -> bool:
        if row.event in OF_GROUPS:
            return row.subject == group
        if row.event not in OF_NODES and row.event != "node-boot":
            return False
        node = log.part_of(row.subject) if row.event in OF_PARTS else row.subject.partition(": ")[0]
        return log.group_of(node) == group

    return log.lines(since, until, decision, event)


def node_standing(log: Log, node: str, at: float) -> tuple[list[str], dict[str, Any]]:
    """What a node was doing at a time (s): sentences, and the numbers in them."""
    stays = [life for life in lives(log.window) if life.server == node]
    here = [life for life in stays if life.up <= at < life.down]
    group = log.group_of(node)
    said = [f"Node {node} is of group {group}."] if group else []
    broken = _broken_since(log, node, at)
    if broken == broken:
        said.append(f"It had been broken for {duration(at - broken)}.")
    elif here:
        said.append(f"It had been up for {duration(at - here[-1].up)}.")
    elif stays:
        said.append("It was not there." if at >= stays[0].up else f"It was not there before {clock(stays[0].up)}.")
    said += [_stays(stays)] if stays else []
    return said, {"group": group, "stays": len(stays), "broken_since": broken}


def _stays(stays: list[Life]) -> str:
    booted = [life.boot for life in stays if life.boot > 0]
    mean = f", booting {duration(sum(booted) / len(booted))} each" if booted else ""
    return f"It came {many(len(stays), 'time')} in the run{mean}."


def _broken_since(log: Log, node: str, at: float) -> float:
    broken: dict[str, float] = {}
    for row in log.events:
        if row.time > at:
            break
        if row.event == "failure" and log.at_node(row, node):
            broken.setdefault(row.subject, row.time)
        elif row.event == "repair":
            broken.pop(row.subject, None)
    return min(broken.values(), default=float("nan"))


def node_lines(log: Log, node: str, since: float, until: float) -> tuple[Line, ...]:
    """Everything between two times (s) on one node and its parts."""
    return log.lines(since, until, lambda row: row.subject == node, lambda row: log.at_node(row, node))
