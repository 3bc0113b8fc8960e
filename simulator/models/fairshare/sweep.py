"""Max-min rates kept up to date by one sweep over the levels, from low to high, that meets only what moves.

A change of a network moves no rate below the lowest level that it touches itself, and a flow that moves touches others
at its own old or new rate or above. So one pass over the touched links, in the order of their levels, gives each flow
that moves its rate, once:

- The *level* of a link is what the flows that it holds back, and those that have started to move, would get of it if
  all others stayed as they are. A touched link is looked at when the pass reaches its level, or the one at which it
  held flows back so far, whichever is lower.
- Where a link has more to give than what those it holds have, these start to move: their rates are open from here up.
- Else it is full at its level. Open flows across it get that, and so do those that were faster.
- Every flow that moves touches its links.

An open flow gets its rate as in progressive filling (Bertsekas and Gallager, Data Networks, section 6.5.2), so the
rates are the max-min ones. Nobody looks at flows that nothing reaches: of thousands of flows on a large fat-tree, the
end of one moves a few dozen.

The code keeps to what numba compiles, and runs as it is too: either way it does the same operations in the same order,
and gives the same bits. ``links``, ``flows``, ``entries`` and ``nodes`` are the rows of a ``Net``.
"""

from __future__ import annotations

import math

from simulator.models.fairshare.heap import put
from simulator.models.fairshare.net import Entry, Flows, Link, Node
from simulator.models.fairshare.rows import advance, due

_SLACK = 1e-12
"""Relative: levels that differ by less are equal."""
_SAME = 1e-12
"""Relative: a rate that changes by less has not changed."""
_STAYS, _OPEN, _FIXED = 0, 1, 2
"""A class that stays as it is, one that moves and has no rate yet, and one that has."""


def sweep(
    links: list[Link],
    flows: list[Flows],
    entries: list[Entry],
    nodes: list[Node],
    goals: list[Node],
    loose: list[int],
    new: int,
    touched: list[int],
    now: float,
    timed: int,
) -> tuple[int, int, int, int]:
    """Bring all rates up to date after a change.

    ``loose`` are the classes whose rates are open from the start: those that came, the first ``new`` of the list, and
    those whose limit changed. ``touched`` are the links that changed otherwise: in capacity, or in the number or usage
    of the flows of a class, or because a class left. Classes of ``loose`` have links. ``timed`` is the size of the heap
    of goals.

    Returns how many classes are new or have another rate than before; how many of them are to be told, whose slots are
    the fields ``moved`` of the first rows of ``flows``; how many entries were looked at; and the size of the heap of
    goals.
    """
    size, work, n, begin = 0, 0, 0, 0
    for link in touched:
        size, looked = _touch(links, flows, entries, nodes, link, size)
        work += looked
    for slot in loose:
        flows[slot].part = _OPEN
        flows[n].moved = slot
        n += 1
    while True:
        size, looked = _touch_moved(links, flows, entries, nodes, begin, n, size)
        work += looked
        begin = n
        if size == 0:
            break
        node = nodes[0].heap
        if node >= len(links):
            slot = node - len(links)
            size = put(nodes, node, math.inf, size)
            if flows[slot].part == _OPEN:
                _close(links, flows, entries, slot, flows[slot].limit, -1)
            continue
        if links[node].opened == 0 and not links[node].tight:
            size = put(nodes, node, math.inf, size)
            continue
        level, holds, looked = _level(links, flows, entries, node)
        work += looked
        if min(level, holds) > nodes[node].key * (1.0 + _SLACK):
            size = put(nodes, node, min(level, holds), size)
        elif level > holds * (1.0 + _SLACK):
            n = _open(links, flows, entries, node, n)
            size = put(nodes, node, level, size)
        else:
            size = put(nodes, node, math.inf, size)
            nodes[node].key = level
            n = _fill(links, flows, entries, node, level, n)
    for link in touched:
        links[link].full = False
    changed, told, timed = _commit(links, flows, entries, goals, n, new, now, timed)
    return changed, told, work, timed


def _level(links: list[Link], flows: list[Flows], entries: list[Entry], link: int) -> tuple[float, float, int]:
    """Return the level of a link, the one at which it holds classes back now, and how many entries it has.

    Either is infinity where the link holds back nobody.
    """
    fixed = demand = others = weights = fastest = 0.0
    holds = math.inf
    looked = 0
    at = links[link].first
    while at >= 0:
        entry = entries[at]
        there = flows[entry.slot]
        weight = entry.weight
        if there.part == _FIXED:
            fixed += weight * there.fresh
        elif there.part == _OPEN:
            demand += weight
        elif there.held == link:
            demand += weight
            if there.rate < holds:
                holds = there.rate
        else:
            others += weight * there.rate
            weights += weight
            if there.rate > fastest:
                fastest = there.rate
        at = entry.after
        looked += 1
    links[link].tight = holds < math.inf
    room = max(links[link].capacity - fixed, 0.0)
    if demand == 0.0 and (weights == 0.0 or room - others >= -_SLACK * (fixed + others)):
        return math.inf, holds, looked
    if room - others >= fastest * demand:
        return (room - others) / demand, holds, looked
    links[link].tight = True
    return _squeezed(links, flows, entries, link, room, demand, room / (demand + weights)), holds, 2 * looked


def _squeezed(
    links: list[Link], flows: list[Flows], entries: list[Entry], link: int, room: float, demand: float, level: float
) -> float:
    """Return the level of a link at which some are too fast that it does not hold now, from a level below it."""
    while True:
        slower, weights = 0.0, demand
        at = links[link].first
        while at >= 0:
            entry = entries[at]
            there = flows[entry.slot]
            if there.part == _STAYS and there.held != link:
                if there.rate <= level:
                    slower += entry.weight * there.rate
                else:
                    weights += entry.weight
            at = entry.after
        if weights == 0.0:
            return math.inf
        higher = max(room - slower, 0.0) / weights
        if higher <= level * (1.0 + 1e-15):
            return higher
        level = higher


def _open(links: list[Link], flows: list[Flows], entries: list[Entry], link: int, n: int) -> int:
    """Let the classes move that a link holds back."""
    at = links[link].first
    while at >= 0:
        entry = entries[at]
        there = flows[entry.slot]
        if there.part == _STAYS and there.held == link:
            there.part = _OPEN
            flows[n].moved = entry.slot
            n += 1
        at = entry.after
    return n


def _fill(links: list[Link], flows: list[Flows], entries: list[Entry], link: int, level: float, n: int) -> int:
    """Give the open classes of a link, and those that are too fast for it, its level."""
    links[link].full = True
    at = links[link].first
    while at >= 0:
        entry = entries[at]
        there = flows[entry.slot]
        if there.part == _OPEN:
            _close(links, flows, entries, entry.slot, level, link)
        elif there.part == _STAYS and there.rate > level * (1.0 + _SLACK):
            _fix(there, level, link)
            flows[n].moved = entry.slot
            n += 1
        at = entry.after
    return n


def _close(links: list[Link], flows: list[Flows], entries: list[Entry], slot: int, rate: float, link: int) -> None:
    """Give an open class its rate."""
    here = flows[slot]
    _fix(here, rate, link)
    for at in range(here.start, here.start + here.length):
        links[entries[at].link].opened -= 1


def _fix(there: Flows, rate: float, link: int) -> None:
    there.part = _FIXED
    there.fresh = rate
    there.holder = link


def _touch_moved(
    links: list[Link], flows: list[Flows], entries: list[Entry], nodes: list[Node], begin: int, end: int, size: int
) -> tuple[int, int]:
    """Touch the links of the classes that moved from ``begin`` to ``end``, each once; return heap size and work."""
    queued = 0
    for mover in range(begin, end):
        slot = flows[mover].moved
        here = flows[slot]
        if here.part == _OPEN and here.limit < math.inf:
            size = put(nodes, len(links) + slot, here.limit, size)
        for at in range(here.start, here.start + here.length):
            number = entries[at].link
            link = links[number]
            if link.full:
                # the pass is level with this link, which has not seen this class move
                if here.part == _OPEN:
                    _fix(here, nodes[number].key, number)
            elif link.binds and not link.listed:
                link.listed = True
                links[queued].queue = number
                queued += 1
        if here.part == _OPEN:
            for at in range(here.start, here.start + here.length):
                links[entries[at].link].opened += 1
    work = end - begin
    for place in range(queued):
        number = links[place].queue
        links[number].listed = False
        size, looked = _touch(links, flows, entries, nodes, number, size)
        work += looked
    return size, work


def _touch(
    links: list[Link], flows: list[Flows], entries: list[Entry], nodes: list[Node], link: int, size: int
) -> tuple[int, int]:
    """Note where the pass must stop at a link; return the size of the heap and how many entries were looked at."""
    level, holds, looked = _level(links, flows, entries, link)
    return put(nodes, link, min(level, holds), size), looked


def _commit(
    links: list[Link],
    flows: list[Flows],
    entries: list[Entry],
    goals: list[Node],
    n: int,
    new: int,
    now: float,
    timed: int,
) -> tuple[int, int, int]:
    """Take over the rates found, list the slots that are to be told; return the first two and the last of a sweep."""
    changed, told = 0, 0
    for mover in range(n):
        slot = flows[mover].moved
        here = flows[slot]
        for at in range(here.start, here.start + here.length):
            links[entries[at].link].full = False
        here.part = _STAYS
        here.held = here.holder
        if mover < new or abs(here.fresh - here.rate) > _SAME * here.rate:
            changed += 1
            if here.goal < math.inf:
                advance(flows, slot, now)
            here.rate = here.fresh
            if here.goal < math.inf:
                timed = put(goals, slot, due(here), timed)
            if here.told:
                flows[told].moved = slot
                told += 1
    return changed, told, timed
