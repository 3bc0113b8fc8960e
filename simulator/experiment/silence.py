"""What is said where a number cannot be: replications that are all the same run, energy of servers of unknown power."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.cluster.topology import Topology
from simulator.metrics.window import Window, number

REPEATED = (
    "The replications are the same: nothing in this scenario is random. They do not tell how sure a number is, so "
    "intervals are those of one run; `resample` makes a trace vary."
)
OF_POWER = ("energy.kwh", "joules.per_token", "cost.electricity")
"""Measures that need the power of the servers."""
UNKNOWN_POWER = "unknown_power"
"""The fact that names the records whose power is not known."""
_COMPARED = ("requests", "jobs", "flows", "iterations", "series", "events")


def same(windows: Sequence[Window]) -> bool:
    """Whether there are several runs, and all left the same tables."""
    first = windows[0]
    return len(windows) > 1 and all(_equal(first, other) for other in windows[1:])


def _equal(ours: Window, theirs: Window) -> bool:
    for table in _COMPARED:
        left, right = (window.record.tables.get(table, {}) for window in (ours, theirs))
        if left.keys() != right.keys():
            return False
        for name, column in left.items():
            numbers = column.dtype.kind == "f"
            if not np.array_equal(column, right[name], equal_nan=numbers):
                return False
    return ours.end == theirs.end


def without_power(topology: Topology) -> list[str]:
    """Servers of a cluster whose power the catalog does not know, by the id of their record, each once."""
    lines = [line for line in topology.bill() if line.kind == "server" and line.power is None]
    return sorted({line.item for line in lines})


def unpowered(names: Sequence[str], windows: Sequence[Window]) -> list[str]:
    """Why these measures, which need power, have no value in these runs; empty where that has another reason."""
    power = [window.record.facts.get("power") or {} for window in windows]
    if not any(math.isnan(number(each.get("busy"))) for each in power):
        return []
    found = sorted({str(item) for window in windows for item in window.record.facts.get(UNKNOWN_POWER) or ()} - {""})
    if found:
        why = f"the catalog does not know the power of the server {', '.join(found)}"
        then = "a record of your own with `power` (docs/catalog.md), or a server whose power is known, gives one"
    else:
        why = "the cluster is not built of servers whose power is known"
        then = "a `node` of the catalog that has a power, such as dgx-h100, gives one"
    return [f"{', '.join(names)}: no value, as {why}; {then}."]
