"""What was paid for and not used, in US dollars by cause; of the whole run, as money is.

The parts do not overlap. Those of nodes are the hours that a node group spent in each state at the price of its nodes,
or at their share of all costs where they have no price; where a record has no groups, or servers beside them without a
price, the accelerators of the table ``series`` at their share of all costs. Replicas beyond
what the computing of their service needed (``optimum.service_seconds``) hold accelerators that would else be idle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from simulator.metrics.measure import ratio
from simulator.metrics.optimum import service_seconds
from simulator.metrics.scaling import groups
from simulator.metrics.window import Window, number

CAUSES = {
    "booting": "nodes that were paid for while they booted",
    "idle": "nodes that were up with nothing on them",
    "headroom": "accelerators that were free on nodes with work, as headroom or fragments",
    "draining": "nodes that took no more work and were not gone yet",
    "warm": "nodes kept warm in a pool",
    "failed": "nodes that had failed and were still paid for",
    "replicas": "replicas beyond what the computing of their service kept busy",
}
"""Causes of waste, and what a sentence says of them."""
_STATES = {"booting": "boot", "idle": "idle", "draining": "drain", "failed": "failed"}
"""Cause -> state of a node in the hours of its group, which is paid for at the price of the group."""
_WARM = "warm"
"""The state that has a price of its own: what is left of what was paid."""
_HOUR = 3600.0
_NEARLY = 0.999
"""Share of what was paid for from which on groups are said to hold all of it."""


def dollars(window: Window) -> dict[str, float]:
    """US dollars by cause, the order as in ``CAUSES``; empty when the record tells no costs.

    Causes that the record says nothing about are left out, so that 0 means that nothing was wasted.
    """
    told = groups(window)
    found = _of_groups(window, told) if _priced(told) or _all(window, told) else _of_series(window)
    if not found:
        return {}
    beyond = _replicas(window)
    if not math.isnan(beyond):
        found["replicas"] = beyond * _price(window, told)
    return {cause: found[cause] for cause in CAUSES if not math.isnan(found.get(cause, math.nan))}


def idle_hours(hours: Mapping[str, float], price: float) -> dict[str, float]:
    """US dollars by cause of a node group: node-hours by state (boot, idle, drain, failed) at ``price`` $/s.

    >>> idle_hours({"boot": 1.0, "busy": 9.0, "idle": 2.0}, price=0.001)
    {'booting': 3.6, 'idle': 7.2}
    """
    return {
        cause: float(hours[state]) * _HOUR * price
        for cause, state in _STATES.items()
        if state in hours and hours[state] is not None
    }


def _priced(told: Mapping[str, Mapping[str, object]]) -> bool:
    return any(group.get("hours") and number(group.get("price"), 0.0) > 0 for group in told.values())


def _all(window: Window, told: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether the groups hold all that was paid for."""
    return math.fsum(map(_accelerator_seconds, told.values())) >= _NEARLY * window.fact("provisioned_seconds")


def _of_groups(window: Window, told: Mapping[str, Mapping[str, object]]) -> dict[str, float]:
    priced, share = _priced(told), _price(window, told)
    if math.isnan(share):
        return {}
    totals: dict[str, float] = {}
    for group in told.values():
        hours = group.get("hours")
        if isinstance(hours, Mapping):
            price = number(group.get("price"), 0.0) if priced else share * number(group.get("accelerators"), 0.0)
            found = idle_hours(hours, price) | {_WARM: _kept_warm(group, hours)}
            for cause, spent in found.items():
                totals[cause] = totals.get(cause, 0.0) + spent
    free = _free_beside_work(window, told)
    return totals | ({} if math.isnan(free) else {"headroom": free * share})


def _kept_warm(group: Mapping[str, object], hours: Mapping[str, float]) -> float:
    """What warm nodes cost: all that was paid, less the other hours at their price; 0 without warm nodes."""
    others = math.fsum(number(value, 0.0) for state, value in hours.items() if state != _WARM)
    rest = number(group.get("paid"), 0.0) - others * _HOUR * number(group.get("price"), 0.0)
    return max(0.0, rest) if number(hours.get(_WARM), 0.0) > 0 else 0.0


def _free_beside_work(window: Window, told: Mapping[str, Mapping[str, object]]) -> float:
    """Accelerator-seconds that were free on nodes with work: of busy nodes, less what jobs held.

    What jobs held on draining nodes is taken from here, as all of these counts as draining: the sum of both is exact.
    """
    busy = 0.0
    for group in told.values():
        hours = group.get("hours")
        if isinstance(hours, Mapping):
            busy += number(hours.get("busy"), 0.0) * _HOUR * number(group.get("accelerators"), 0.0)
    allocated = window.integral("allocated", since=0.0)
    if math.isnan(allocated) or not _all(window, told):
        return math.nan
    return max(0.0, busy - allocated)


def _of_series(window: Window) -> dict[str, float]:
    price = _price(window, {})
    if math.isnan(price):
        return {}
    allocated, capacity, paid = (window.integral(name, since=0.0) for name in ("allocated", "capacity", "provisioned"))
    event = window.column("events", "event").astype(str)
    boots = bool(np.isin(event, ("node-up", "node-boot")).any())
    down = "booting" if boots or "failure" not in event else "failed"
    return {down: max(0.0, paid - capacity) * price, "idle": (capacity - allocated) * price}


def _price(window: Window, told: Mapping[str, Mapping[str, object]]) -> float:
    """$ of one accelerator-second: of node groups if they have accelerators, else the share of all costs."""
    seconds = math.fsum(_accelerator_seconds(group) for group in told.values())
    paid = math.fsum(number(group.get("paid"), 0.0) for group in told.values())
    if seconds > 0 and paid > 0:
        return paid / seconds
    parts = [number(value) for value in (window.record.facts.get("cost") or {}).values()]
    known = [value for value in parts if not math.isnan(value)]
    return ratio(math.fsum(known), window.fact("provisioned_seconds")) if known else math.nan


def _accelerator_seconds(group: Mapping[str, object]) -> float:
    """Accelerator-seconds of a group that were paid for, warm nodes left out."""
    hours = group.get("hours")
    if not isinstance(hours, Mapping):
        return 0.0
    known = [number(value, 0.0) for state, value in hours.items() if state != _WARM]
    return math.fsum(known) * _HOUR * number(group.get("accelerators"), 0.0)


def _replicas(window: Window) -> float:
    """Accelerator-seconds of replicas beyond what their services needed; NaN without services that computed."""
    beyond = []
    told = {**window.services, **dict(window.record.facts.get("fleets") or {})}
    for name, facts in told.items():
        used, least = service_seconds(window, name)
        beyond.append(max(0.0, used - least) * number(facts.get("accelerators")))
    known = np.array(beyond)
    return float(known[~np.isnan(known)].sum()) if known.size and not np.isnan(known).all() else math.nan
