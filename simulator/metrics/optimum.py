"""What the same work would have needed at the least of somebody who knew it all and scaled in no time.

All are bounds of those who let nobody wait, and are bounds: nothing that has to boot, or to guess, reaches them.

* **Nodes.** Each job starts when it may, on a cluster that has at every instant just the nodes that its jobs fill,
  ceil(accelerators asked for / accelerators of a node), and lasts as long as it worked: restarts and lost work are
  left out.
* **Replicas of a load.** The whole number that its demand needs at every instant; the run itself tells it.
* **Replicas of a service.** In every minute it has just the replicas that the computing of that minute keeps busy,
  ceil(seconds of computing / 60 s). The batches are those of the run; fuller ones could do with less, so this bounds
  what the same batches need. Bounds on latency are not asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from simulator.metrics.measure import ratio
from simulator.metrics.scaling import fleets, groups
from simulator.metrics.serving import replica_seconds
from simulator.metrics.window import Window, number

CELL = 60.0
"""Seconds over which the computing of a service is summed to say how many replicas it keeps busy (ours)."""
_ROUNDING = 1e-9
"""Share of a node or replica by which sums may miss a whole number."""
_WORK = ("compute", "network", "checkpointing")
_LOST = ("overhead", "rework", "hung")


def least(demand: np.ndarray, seconds: np.ndarray, unit: float = 1.0) -> float:
    """Unit-seconds of a number that follows ``demand`` at once: the sum of ceil(demand / unit) x seconds.

    ``demand`` holds for ``seconds`` each (arrays of one length).

    >>> least(np.array([0.0, 3.0, 8.0]), np.array([10.0, 10.0, 1.0]), unit=4.0)
    12.0
    """
    return float(np.ceil(demand / unit - _ROUNDING) @ seconds)


def regret(used: float, optimum: float) -> float:
    """By what share more was used than the optimum: used / optimum - 1; NaN where the optimum is 0 or unknown.

    >>> regret(15.0, 12.0)
    0.25
    """
    return ratio(used, optimum) - 1.0


def demand(start: np.ndarray, end: np.ndarray, amount: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of amounts that hold from ``start`` to ``end`` (s): its values, and the seconds for which each holds.

    >>> demand(np.array([0.0, 5.0]), np.array([10.0, 7.0]), np.array([2.0, 1.0]))
    (array([2., 3., 2.]), array([5., 2., 3.]))
    """
    times = np.concatenate([start, end])
    order = np.argsort(times, kind="stable")
    level = np.cumsum(np.concatenate([amount, -amount])[order])
    held = np.diff(times[order])
    lasting = held > 0
    return np.maximum(level[:-1][lasting], 0.0), held[lasting]


def computing(since: np.ndarray, seconds: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Seconds of computing between each two of ``edges`` (s), of spells that begin at ``since`` and last ``seconds``.

    >>> computing(np.array([0.0, 50.0]), np.array([30.0, 20.0]), np.array([0.0, 60.0, 120.0]))
    array([40., 10.])
    """

    def until(moments: np.ndarray) -> np.ndarray:
        starts = np.sort(moments)
        sums = np.append(0.0, np.cumsum(starts))
        count = np.searchsorted(starts, edges, "right")
        total: np.ndarray = count * edges - sums[count]
        return total

    return np.asarray(np.diff(until(since) - until(since + seconds)))


def node_seconds(window: Window) -> tuple[float, float]:
    """Accelerator-seconds that were paid for, and the least that would have done; of the whole run.

    NaN where the record has no series, or no nodes come and go. Where nodes differ in their accelerators the bound is
    what was asked for itself, not rounded up to whole nodes.
    """
    used = window.integral("provisioned", since=0.0)
    size = node_size(window)
    if math.isnan(size):
        return math.nan, math.nan
    start = window.column("jobs", "submit") + np.nan_to_num(window.column("jobs", "wait_held"))
    ran = np.sum(
        [np.nan_to_num(window.column("jobs", name)) for name in (*_WORK, "overhead", "rework", "hung")], axis=0
    )
    worked = np.sum([np.nan_to_num(window.column("jobs", name)) for name in _WORK], axis=0)
    accelerators = np.divide(
        np.nan_to_num(window.column("jobs", "service")), ran, out=np.zeros(len(start)), where=ran > 0
    )
    held = worked > 0
    levels, seconds = demand(start[held], start[held] + worked[held], accelerators[held])
    return used, least(levels, seconds, size) * size if size > 0 else float(levels @ seconds)


def node_size(window: Window) -> float:
    """Accelerators of a node of the groups that come and go; 0 where they differ, NaN where no nodes come and go."""
    event = window.column("events", "event")
    sized = np.asarray((event == "scale-up") | (event == "scale-down"), dtype=bool)
    told = [number(group.get("accelerators")) for group in groups(window).values()]
    if not sized.any() and not told:
        return math.nan
    came = np.asarray((event == "node-up") | (event == "node-down"), dtype=bool)
    sizes = sorted({*(size for size in told if size > 0), *window.column("events", "amount")[came].tolist()} - {0.0})
    return float(sizes[0]) if len(sizes) == 1 else 0.0


def service_seconds(window: Window, service: str) -> tuple[float, float]:
    """Replica-seconds that a service or load held, and the least that would have done; of the whole run.

    NaN for a service without iterations.
    """
    told = dict(window.record.facts.get("fleets") or {}).get(service)
    if isinstance(told, Mapping) and told.get("optimum") is not None:
        return number(told.get("replica_seconds")), number(told["optimum"])
    mine = np.asarray(window.column("iterations", "workload") == service, dtype=bool)
    if not mine.any():
        return math.nan, math.nan
    of_service = np.asarray(window.replicas["workload"] == service, dtype=bool)
    used = float(replica_seconds(window, 0.0, window.end)[of_service].sum())
    since, count, first, growth = (
        window.column("iterations", name)[mine] for name in ("time", "count", "first", "growth")
    )
    seconds = np.minimum(count * first + growth * (count * (count - 1) / 2.0), np.maximum(window.end - since, 0.0))
    edges = np.append(np.arange(0.0, window.end, CELL), window.end)
    cells = np.diff(edges)
    busy = np.divide(computing(since, seconds, edges), cells, out=np.zeros(len(cells)), where=cells > 0)
    return used, least(busy, cells)


def scaled(window: Window) -> list[str]:
    """Services and loads whose number of replicas changed, or that an autoscaler decided on."""
    action, subject = window.column("decisions", "action"), window.column("decisions", "subject")
    asked = dict.fromkeys(subject[np.asarray(action == "scale", dtype=bool)].tolist())
    event, named = window.column("events", "event"), window.column("events", "subject")
    drained = named[np.asarray(event == "replica-drain", dtype=bool)].tolist()
    asked |= dict.fromkeys(str(name).rpartition("/")[0] for name in drained)
    of = fleets(window)
    mine = dict.fromkeys(of.get(name, name) for name in asked)
    return [name for name in dict.fromkeys([*window.services, *of.values()]) if name in mine]
