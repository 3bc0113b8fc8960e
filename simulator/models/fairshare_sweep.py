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

from simulator.models.fairshare_net import Entry, Flows, Link, Node

_SLACK = 1e-12
"""Relative: levels that differ by less are equal."""
_SAME = 1e-12
"""Relative: a rate that changes by less has not changed."""
_ALL = 1 + 1e-10
"""A link that all its flows together can overfill by less than this part is large enough for them."""
_STAYS, _OPEN, _FIXED = 0, 1, 2
"""A class that stays as it is, one that moves and has no rate yet, and one that has."""


def attach(links: list[Link], flows: list[Flows], entries: list[Entry], slot: int, number: float, limit: float) -> None:
    """Put a class of so many flows on its links, at rate 0."""
    here = flows[slot]
    here.flows = number
    here.limit = limit
    here.rate = 0.0
    here.held = -1
    for at in range(here.start, here.start + here.length):
        entry = entries[at]
        link = links[entry.link]
        entry.after = link.first
        entry.before = -1
        if link.first >= 0:
            entries[link.first].before = at
        link.first = at
        _count(link, entry.usage, number, limit, 1)


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
        _count(link, entry.usage, -here.flows, here.limit, -1)


def weigh(links: list[Link], flows: list[Flows], entries: list[Entry], slot: int, number: float, limit: float) -> None:
    """Change the number of flows of a class, and their limit."""
    here = flows[slot]
    for at in range(here.start, here.start + here.length):
        entry = entries[at]
        link = links[entry.link]
        _count(link, entry.usage, -here.flows, here.limit, -1)
        _count(link, entry.usage, number, limit, 1)
    here.flows = number
    here.limit = limit


def resize(links: list[Link], link: int, capacity: float) -> None:
    """Change the capacity of a link."""
    here = links[link]
    here.capacity = capacity
    here.binds = here.unlimited > 0 or here.asked > capacity * _ALL


def rescale(flows: list[Flows], slot: int, factor: float) -> float:
    """Multiply the rate of a class, as its unit changes; return it."""
    flows[slot].rate *= factor
    return flows[slot].rate


def load(links: list[Link], flows: list[Flows], entries: list[Entry], link: int) -> float:
    """Bytes/s that all classes together put on a link."""
    total = 0.0
    at = links[link].first
    while at >= 0:
        entry = entries[at]
        total += entry.usage * flows[entry.slot].flows * flows[entry.slot].rate
        at = entry.after
    return total


def crossing(links: list[Link], link: int) -> float:
    """Flows that cross a link, each counted by its usage of it."""
    return links[link].crossing


def holder(flows: list[Flows], slot: int) -> int:
    """The link that holds a class back, or -1."""
    return flows[slot].held


def take_up(links: list[Link], flows: list[Flows], entries: list[Entry], slot: int) -> bool:
    """Let a new class run at its limit if that fits beside the others; return whether it does."""
    here = flows[slot]
    if here.limit == math.inf and here.length > 0:
        return False
    for at in range(here.start, here.start + here.length):
        entry = entries[at]
        link = links[entry.link]
        wanted = entry.usage * here.flows * here.limit
        if link.binds and load(links, flows, entries, entry.link) + wanted > link.capacity:
            return False
    here.rate = here.limit
    return True


def sweep(
    links: list[Link],
    flows: list[Flows],
    entries: list[Entry],
    nodes: list[Node],
    loose: list[int],
    new: int,
    touched: list[int],
) -> tuple[int, int]:
    """Bring all rates up to date after a change.

    ``loose`` are the classes whose rates are open from the start: those that came, the first ``new`` of the list, and
    those whose limit changed. ``touched`` are the links that changed otherwise: in capacity, or in the number or usage
    of the flows of a class, or because a class left. Classes of ``loose`` have links. Returns how many classes are new
    or have another rate than before, and how many entries were looked at; the fields ``moved`` of the first rows of
    ``flows`` are the slots of the former.
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
            size = _put(nodes, node, math.inf, size)
            if flows[slot].part == _OPEN:
                _fix(flows[slot], flows[slot].limit, -1)
            continue
        level, holds, looked = _level(links, flows, entries, node)
        work += looked
        if min(level, holds) > nodes[node].key * (1.0 + _SLACK):
            size = _put(nodes, node, min(level, holds), size)
        elif level > holds * (1.0 + _SLACK):
            n = _open(links, flows, entries, node, n)
            size = _put(nodes, node, level, size)
        else:
            size = _put(nodes, node, math.inf, size)
            nodes[node].key = level
            n = _fill(links, flows, entries, node, level, n)
    for link in touched:
        links[link].full = False
    return _commit(links, flows, entries, n, new), work


def _count(link: Link, usage: float, number: float, limit: float, classes: int) -> None:
    """Count so many flows more (or less) among those that could fill a link."""
    if link.first < 0:
        link.asked = 0.0
        link.crossing = 0.0
    else:
        link.crossing += usage * number
        if limit < math.inf:
            link.asked += usage * number * limit
    if limit == math.inf:
        link.unlimited += classes
    link.binds = link.unlimited > 0 or link.asked > link.capacity * _ALL


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
        weight = entry.usage * there.flows
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
    room = max(links[link].capacity - fixed, 0.0)
    if demand == 0.0 and (weights == 0.0 or room - others >= -_SLACK * (fixed + others)):
        return math.inf, holds, looked
    if room - others >= fastest * demand:
        return (room - others) / demand, holds, looked
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
                weight = entry.usage * there.flows
                if there.rate <= level:
                    slower += weight * there.rate
                else:
                    weights += weight
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
            _fix(there, level, link)
        elif there.part == _STAYS and there.rate > level * (1.0 + _SLACK):
            _fix(there, level, link)
            flows[n].moved = entry.slot
            n += 1
        at = entry.after
    return n


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
            size = _put(nodes, len(links) + slot, here.limit, size)
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
    return _put(nodes, link, min(level, holds), size), looked


def _commit(links: list[Link], flows: list[Flows], entries: list[Entry], n: int, new: int) -> int:
    """Take over the rates found; return how many are new or different, and list their slots first."""
    changed = 0
    for mover in range(n):
        slot = flows[mover].moved
        here = flows[slot]
        for at in range(here.start, here.start + here.length):
            links[entries[at].link].full = False
        here.part = _STAYS
        here.held = here.holder
        if mover < new or abs(here.fresh - here.rate) > _SAME * here.rate:
            here.rate = here.fresh
            flows[changed].moved = slot
            changed += 1
    return changed


def _put(nodes: list[Node], node: int, key: float, size: int) -> int:
    """Give a node a key: put it on the heap, move it there, or for infinity take it off; return the heap's size."""
    here = nodes[node]
    place = here.place
    if key == math.inf:
        if place < 0:
            return size
        size -= 1
        here.place = -1
        last = nodes[size].heap
        if last != node:
            if nodes[last].key < here.key:
                _rise(nodes, last, place)
            else:
                _sink(nodes, last, place, size)
        return size
    before = here.key
    here.key = key
    if place < 0:
        _rise(nodes, node, size)
        return size + 1
    if key < before:
        _rise(nodes, node, place)
    elif key > before:
        _sink(nodes, node, place, size)
    return size


def _rise(nodes: list[Node], node: int, place: int) -> None:
    """Put a node on the heap at a place, or nearer to the top as its key demands."""
    key = nodes[node].key
    while place > 0:
        above = (place - 1) >> 1
        other = nodes[above].heap
        if nodes[other].key <= key:
            break
        nodes[place].heap = other
        nodes[other].place = place
        place = above
    nodes[place].heap = node
    nodes[node].place = place


def _sink(nodes: list[Node], node: int, place: int, size: int) -> None:
    """Put a node on the heap at a place, or farther from the top as its key demands."""
    key = nodes[node].key
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and nodes[nodes[below + 1].heap].key < nodes[nodes[below].heap].key:
            below += 1
        other = nodes[below].heap
        if nodes[other].key >= key:
            break
        nodes[place].heap = other
        nodes[other].place = place
        place = below
    nodes[place].heap = node
    nodes[node].place = place
