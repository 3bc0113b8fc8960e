"""Rows of the tables of decisions and events as sentences, each in plain words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simulator.experiment.story import Line, duration, listed, many, plain
from simulator.metrics.scaling import TOGETHER

WAITS = {
    "wait_capacity": "too few accelerators were free",
    "wait_fragmentation": "what was free lay scattered or was of another kind",
    "wait_order": "the policy let others go first",
    "wait_policy": "the policy held it back, for a quota or another reason that it gave",
    "wait_held": "its begin, its dependencies or its place in an array were not there yet",
}
"""Columns that the time in the queue is the sum of, and what a sentence says of them."""


class Decided(NamedTuple):
    """A row of the table of decisions; numbers are NaN where nothing is counted."""

    time: float
    controller: str
    subject: str
    action: str
    before: float
    wanted: float
    applied: float
    rule: str
    runner_up: str
    inputs: str


class Happened(NamedTuple):
    """A row of the table of events."""

    time: float
    event: str
    subject: str
    amount: float


def decided(row: Decided, nodes: bool = False) -> Line:
    """The line of a decision; ``nodes`` when its numbers are nodes of a group, not replicas."""
    text = _headline(row, "node" if nodes else "replica") + _reason(row) + "."
    facts = {
        "controller": row.controller, "action": row.action, "before": row.before, "wanted": row.wanted,
        "applied": row.applied, "rule": row.rule, "runner_up": row.runner_up, "inputs": numbers(row.inputs),
    }  # fmt: skip
    return Line(row.time, "decision", row.subject, text, facts)


def numbers(inputs: str) -> dict[str, Any]:
    """The numbers behind a decision, by name; empty when there are none."""
    try:
        found = json.loads(inputs) if inputs else {}
    except ValueError:
        return {"inputs": inputs}
    return found if isinstance(found, dict) else {"inputs": found}


def _headline(row: Decided, noun: str) -> str:
    who, what = row.controller, row.subject
    if noun == "node":
        what = "all groups" if row.subject == TOGETHER else f"group {row.subject}"
        who = "the group itself" if row.controller == row.subject else row.controller
    if row.action in ("scale", "grow") and not math.isnan(row.before + row.applied):
        return _resized(row, who, what, noun)
    if row.action == "grow":
        return f"{who} asked for {many(_count(row), 'node')} of {what}"
    if row.action == "refuse" and row.applied == row.before:
        return f"{who} wanted {many(row.wanted, noun)} of {what}, which stayed at {row.before:,g}"
    if row.action == "replace" and row.applied > row.before:
        return f"{who} asked for {many(row.applied - row.before, 'node')} of {what}, to take the place of others"
    if row.action == "remove":
        left = "" if math.isnan(row.applied) else f", which left {row.applied:,g} in its group"
        return f"{who} took {what} away{left}"
    done = {"scale": "resized", "replace": "replaced", "evict": "evicted", "place": "placed", "refuse": "refused"}
    return f"{who} {done[row.action]} {what}" if row.action in done else f"{who}: {row.action} {what}"


def _resized(row: Decided, who: str, what: str, noun: str) -> str:
    before, wanted, applied = row.before, row.wanted, row.applied
    if wanted == before == applied:
        return f"{who} left {what} at {many(before, noun)}"
    if before == wanted == 0 < applied and row.rule == "ScalingDisabled":
        return f"{what} began with {many(applied, noun)}, the minimum of {who}"
    allowed = "" if wanted == applied or math.isnan(wanted) else f" and was allowed {applied:,g}"
    goal = applied if math.isnan(wanted) else wanted
    return f"{who} wanted {many(goal, noun)} of {what} instead of {before:,g}{allowed}"


def _count(row: Decided) -> float:
    return next((value for value in (row.applied, row.wanted) if not math.isnan(value)), 1.0)


def _reason(row: Decided) -> str:
    """Rule, inputs and runner-up of a decision, in brackets; empty when none is told."""
    told = ", ".join(f"{name} {_value(value)}" for name, value in numbers(row.inputs).items())
    why = ": ".join(part for part in (row.rule, told) if part)
    other = "for" if row.action == "refuse" else "otherwise"
    parts = [why, f"{other} {_value(row.runner_up)}" if row.runner_up else ""]
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def _value(value: Any) -> str:
    return plain(value) if isinstance(value, float) else str(value)


def happened(rows: Sequence[Happened], more: Mapping[str, str]) -> Line:
    """The line of events of one kind at one time; ``more`` adds to what is said of a subject."""
    first = rows[0]
    names = [row.subject for row in rows]
    amount = math.fsum(row.amount for row in rows)
    pattern = _EVENTS.get(first.event, "{event}: {names} ({amount}).")
    if first.event == "start" and amount == 0:
        pattern = "{names} {were} placed."
    text = pattern.format_map(_words(rows, names, amount))
    told = [more[name] for name in dict.fromkeys(names) if more.get(name)]
    if told:
        each = " each" if len(told) > 1 and len(dict.fromkeys(told)) == 1 else ""
        text = text.removesuffix(".") + f": {'; '.join(dict.fromkeys(told))}{each}."
    return Line(first.time, first.event, listed(names), text, {"subjects": names, "amount": amount})


def _words(rows: Sequence[Happened], names: Sequence[str], amount: float) -> dict[str, str]:
    """What the patterns of events are filled with."""
    alone = len(names) == 1

    return {
        "event": rows[0].event, "names": listed(names), "amount": f"{amount:,g}", "more": f"{amount:+,g}",
        "were": "was" if alone else "were", "are": "was" if amount == 1 else "were",
        "node": "Node" if alone else "Nodes", "some_nodes": many(amount, "node"), "all": "" if alone else " in all",
        "accelerators": many(amount, "accelerator"), "requests": many(amount, "request"), "jobs": many(amount, "job"),
        "now": many(rows[-1].amount, "replica"), "subjects": many(len(names), "request"),
        "seconds": duration(max(row.amount for row in rows)), "rate": f"{rows[0].amount * 8e-9:,.3g} Gb/s",
    }  # fmt: skip


_EVENTS = {
    "submit": "{names} joined the queue, for {accelerators}{all}.",
    "start": "{names} got {accelerators}{all}.",
    "preempt": "{names} {were} stopped.",
    "end": "{names} ended.",
    "timeout": "{names} {were} killed at the limit.",
    "reject": "{names} {were} rejected.",
    "resize": "{names} {were} resized by {more} accelerators.",
    "replica-ready": "{names} took requests, {now} now did.",
    "replica-drain": "{names} took no more requests, with {requests} left{all}.",
    "cold-start": "{names} was through after {seconds}.",
    "scale-up": "{some_nodes} of group {names} {are} asked for.",
    "scale-down": "{some_nodes} of group {names} {are} let go.",
    "stock-out": "{some_nodes} of group {names} {are} not to be had.",
    "node-up": "{node} {names} took work.",
    "node-down": "{node} {names} {were} gone.",
    "node-warm": "{node} {names} {were} ready to be kept warm.",
    "node-boot": "{names} was through after {seconds}.",
    "node-drain": "{node} {names} {were} drained, with {jobs} left{all}.",
    "interruption": "{node} {names} {were} called back, with {seconds} of notice.",
    "failure": "{names} failed, which took {accelerators}{all}.",
    "detect": "The failure of {names} was noticed after {seconds}.",
    "straggle": "{names} became slow, which held up {accelerators}{all}.",
    "quicken": "{names} {were} as fast as before after {seconds}.",
    "repair": "{names} {were} repaired after {seconds}.",
    "capacity": "The link {names} could carry {rate}.",
    "evict": "{subjects} had to leave a batch.",
    "resume": "{subjects} went on.",
}
"""What is said of events of one kind at one time."""
