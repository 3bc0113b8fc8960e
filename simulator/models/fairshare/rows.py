"""What happens to the rows of a ``Net`` between sweeps: classes come and go, links change, bytes are counted.

Like all code of the sweep it keeps to what numba compiles (see ``sweep``). Times in seconds.
"""

from __future__ import annotations

import math

from simulator.models.fairshare.heap import put
from simulator.models.fairshare.net import Entry, Flows, Link, Node

_ALL = 1 + 1e-10
"""A link that all its flows together can overfill by less than this part is large enough for them."""


def attach(
    links: list[Link],
    flows: list[Flows],
    entries: list[Entry],
    slot: int,
    number: float,
    limit: float,
    told: bool,
    now: float,
) -> None:
    """Put a class of so many flows on its links, at rate 0; ``told``: whether somebody wants to know of its rate."""
    here = flows[slot]
    here.flows = number
    here.limit = limit
    here.told = told
    here.rate = 0.0
    here.sent = 0.0
    here.since = now
    here.goal = math.inf
    here.held = -1
    for at in range(here.start, here.start + here.length):
        entry = entries[at]
        link = links[entry.link]
        entry.weight = entry.usage * number
        entry.after = link.first
        entry.before = -1
        if link.first >= 0:
            entries[link.first].before = at
        link.first = at
        _count(link, entry.weight, limit, 1)


def detach(links: list[Link], flows: list[Flows], entries: list[Entry], slot: int) -> None:
    """Take a class off its links."""
    here = flows[slot]
    for at in range(here.start, here.start + here.length):
        entry = entries[at]
        link = links[entry.link]
        if entry.before >= 0:
            entries[entry.before].after = entry.after
        else:
            link.first = entry.after
        if entry.after >= 0:
            entries[entry.after].before = entry.before
        _count(link, entry.weight, here.limit, -1)


def weigh(links: list[Link], flows: list[Flows], entries: list[Entry], slot: int, number: float, limit: float) -> None:
    """Change the number of flows of a class, and their limit."""
    here = flows[slot]
    for at in range(here.start, here.start + here.length):
        entry = entries[at]
        link = links[entry.link]
        _count(link, entry.weight, here.limit, -1)
        entry.weight = entry.usage * number
        _count(link, entry.weight, limit, 1)
    here.flows = number
    here.limit = limit


def resize(links: list[Link], link: int, capacity: float) -> None:
    """Change the capacity of a link."""
    here = links[link]
    here.capacity = capacity
    here.binds = here.unlimited > 0 or here.asked > capacity * _ALL


def load(links: list[Link], flows: list[Flows], entries: list[Entry], link: int) -> float:
    """Bytes/s that all classes together put on a link."""
    total = 0.0
    at = links[link].first
    while at >= 0:
        entry = entries[at]
        total += entry.weight * flows[entry.slot].rate
        at = entry.after
    return total


def crossing(links: list[Link], link: int) -> float:
    """Flows that cross a link, each counted by its usage of it."""
    return links[link].crossing


def holder(flows: list[Flows], slot: int) -> int:
    """The link that holds a class back, or -1."""
    return flows[slot].held


def advance(flows: list[Flows], slot: int, now: float) -> float:
    """Return how many bytes one flow of a class has sent until now (s), and count from here on."""
    here = flows[slot]
    if now > here.since:
        here.sent += here.rate * (now - here.since)
        here.since = now
    return here.sent


def aim(flows: list[Flows], goals: list[Node], slot: int, goal: float, now: float, size: int) -> int:
    """Give a class a goal: bytes sent by one of its flows; return the size of the heap of goals."""
    advance(flows, slot, now)
    flows[slot].goal = goal
    return put(goals, slot, due(flows[slot]), size)


def next_goal(goals: list[Node], size: int) -> float:
    """When the next goal is reached (s); infinity for never."""
    return goals[goals[0].heap].key if size > 0 else math.inf


def reached(flows: list[Flows], goals: list[Node], now: float, size: int) -> tuple[int, int]:
    """Take off the next goal if it is reached by now; return its slot, or -1, and the size of the heap of goals."""
    if size == 0 or goals[goals[0].heap].key > now:
        return -1, size
    slot = goals[0].heap
    here = flows[slot]
    here.sent = here.goal
    here.since = now
    here.goal = math.inf
    return slot, put(goals, slot, math.inf, size)


def rescale(flows: list[Flows], slot: int, factor: float, now: float) -> float:
    """Count the bytes of a class in another unit, ``factor`` of which make one of the old; return its rate."""
    advance(flows, slot, now)
    here = flows[slot]
    here.rate *= factor
    here.sent *= factor
    here.goal *= factor
    return here.rate


def take_up(
    links: list[Link], flows: list[Flows], entries: list[Entry], goals: list[Node], slot: int, size: int
) -> tuple[bool, int]:
    """Let a new class run at its limit if that fits beside the others.

    Returns whether it does, and the size of the heap of goals.
    """
    here = flows[slot]
    if here.limit == math.inf and here.length > 0:
        return False, size
    for at in range(here.start, here.start + here.length):
        entry = entries[at]
        link = links[entry.link]
        wanted = entry.weight * here.limit
        if link.binds and load(links, flows, entries, entry.link) + wanted > link.capacity:
            return False, size
    here.rate = here.limit
    return True, put(goals, slot, due(here), size)


def due(here: Flows) -> float:
    """When a class reaches its goal at its present rate (s)."""
    left = here.goal - here.sent
    if left <= 0.0:
        return here.since
    return here.since + left / here.rate if here.rate > 0.0 and left < math.inf else math.inf


def _count(link: Link, weight: float, limit: float, sign: int) -> None:
    """Count a class among those that could fill a link, or no longer."""
    if link.first < 0:
        link.asked = 0.0
        link.crossing = 0.0
    else:
        link.crossing += sign * weight
        if limit < math.inf:
            link.asked += sign * weight * limit
    if limit == math.inf:
        link.unlimited += sign
    link.binds = link.unlimited > 0 or link.asked > link.capacity * _ALL
