"""Tables of elasticity on the page: the account of each group of nodes."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.experiment.results import Results
from simulator.metrics import scaling
from simulator.metrics.display import scale
from simulator.metrics.window import number
from simulator.report import panels
from simulator.report.text import Cell, Grid

STATES = ("busy", "idle", "boot", "drain", "failed", "warm")
"""States that nodes of a group are paid for in, in the order of the columns."""
_HEADS = {
    "busy": "with work", "idle": "idle", "boot": "booting", "drain": "draining", "failed": "failed", "warm": "warm",
}  # fmt: skip


def groups(results: Results) -> Grid | None:
    """Node-hours by state and dollars of each group, in the first replication; None without groups.

    States in which no node ever was are left out, as are dollars where no group has a price.
    """
    told = {name: scaling.groups(panels.first(results, name)) for name in results}
    rows = [(alternative, name, group) for alternative, found in told.items() for name, group in found.items()]
    if not rows:
        return None
    states = [state for state in STATES if state == "busy" or any(_hours(group, state) > 0 for _, _, group in rows)]
    priced = any(number(group.get("price"), 0.0) > 0 for _, _, group in rows)
    counted = [key for key in ("interrupted", "missing") if any(number(group.get(key), 0.0) for _, _, group in rows)]
    several = len(results) > 1
    heads = (
        *(["alternative"] if several else []), "group", "nodes, mean",
        *(f"{_HEADS[state]}, node-hours" for state in states), *(["price of a node", "paid"] if priced else []),
        *({"interrupted": "taken back", "missing": "not to be had"}[key] for key in counted),
    )  # fmt: skip
    lines = []
    for alternative, name, group in rows:
        cells = [*([alternative] if several else []), name, _text(number(group.get("nodes_mean")))]
        cells += [_text(_hours(group, state)) for state in states]
        if priced:
            price, paid = number(group.get("price"), 0.0), number(group.get("paid"), 0.0)
            cells += [scale([price], "price").text(price), scale([paid], "money").text(paid)]
        cells += [f"{number(group.get(key), 0.0):,.0f}" for key in counted]
        lines.append(tuple(Cell(cell) for cell in cells))
    return Grid(heads, tuple(lines))


def _hours(group: Mapping[str, object], state: str) -> float:
    hours = group.get("hours")
    return number(hours.get(state), 0.0) if isinstance(hours, Mapping) else 0.0


def _text(value: float) -> str:
    return scale([value], "count").text(value)
