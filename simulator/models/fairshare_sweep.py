"""Max-min rates kept up to date by one sweep over the levels, from low to high, that meets only what moves.

A change of a network moves no rate below the lowest level that it touches itself, and a flow that moves touches others
at its own old or new rate or above. So one pass over the touched links, in the order of their levels, gives each flow
that moves its rate, once:

- The *level* of a link is what the flows that it holds back, and those that have started to move, would get of it if
  all others stayed as they are. A touched link is looked at when the pass reaches its level, or the one at which it
  held flows back so far, whichever is lower.
- Where a link has more to give than those that it holds have, these start to move: their rates are open from here up.
- Else it is full at its level. Open flows across it get that, and so do those that were faster.
- Every flow that moves touches its links.

An open flow gets its rate as in progressive filling (Bertsekas and Gallager, Data Networks, section 6.5.2), so the
rates are the max-min ones. Nobody looks at flows that nothing reaches: of thousands of flows on a large fat-tree, the
end of one moves a few dozen.

The code keeps to what numba compiles, and works on lists as well: compiled or not, it does the same operations in the
same order, and gives the same bits.
"""

from __future__ import annotations

import math

from simulator.models.fairshare_net import Net

_SLACK = 1e-12
"""Relative: levels that differ by less are equal."""
_SAME = 1e-12
"""Relative: a rate that changes by less has not changed."""
_STAYS, _OPEN, _FIXED = 0, 1, 2
"""A class that stays as it is, one that moves and has no rate yet, and one that has."""


def attach(net: Net, slot: int) -> None:
    """Hang the entries of a class into the chains of its links."""
    for entry in range(net.start[slot], net.start[slot] + net.length[slot]):
        link = net.link[entry]
        head = net.first[link]
        net.after[entry] = head
        net.before[entry] = -1
        if head >= 0:
            net.before[head] = entry
        net.first[link] = entry


def detach(net: Net, slot: int) -> None:
    """Take the entries of a class out of the chains of its links."""
    for entry in range(net.start[slot], net.start[slot] + net.length[slot]):
        previous, following = net.before[entry], net.after[entry]
        if previous >= 0:
            net.after[previous] = following
        else:
            net.first[net.link[entry]] = following
        if following >= 0:
            net.before[following] = previous


def load(net: Net, link: int) -> float:
    """Bytes/s that all classes together put on a link."""
    total = 0.0
    entry = net.first[link]
    while entry >= 0:
        slot = net.slot[entry]
        total += net.usage[entry] * net.flows[slot] * net.rate[slot]
        entry = net.after[entry]
    return total


def sweep(net: Net, loose: list[int], new: int, touched: list[int]) -> tuple[int, int]:
    """Bring all rates up to date after a change.

    ``loose`` are the classes whose rates are open from the start: those that came, the first ``new`` of the list, and
    those whose limit changed. ``touched`` are the links that changed otherwise: in capacity, or in the number or usage
    of the flows of a class, or because a class left. Classes of ``loose`` have links and are attached; who left is
    detached. Returns how many classes are new or have another rate than before, and how many entries were looked at;
    ``net.moved`` begins with the slots of the former.
    """
    size, work = 0, 0
    for link in touched:
        size, looked = _touch(net, link, size)
        work += looked
    n = 0
    for slot in loose:
        net.part[slot] = _OPEN
        net.moved[n] = slot
        n += 1
    begin = 0
    while True:
        size, looked = _touch_moved(net, begin, n, size)
        work += looked
        begin = n
        if size == 0:
            break
        node = net.heap[0]
        if node >= len(net.first):
            slot = node - len(net.first)
            size = _put(net, node, math.inf, size)
            if net.part[slot] == _OPEN:
                _fix(net, slot, net.limit[slot], -1)
            continue
        level, holds, looked = _level(net, node)
        work += looked
        if min(level, holds) > net.key[node] * (1.0 + _SLACK):
            size = _put(net, node, min(level, holds), size)
        elif level > holds * (1.0 + _SLACK):
            n = _open(net, node, n)
            size = _put(net, node, level, size)
        else:
            size = _put(net, node, math.inf, size)
            n = _fill(net, node, level, n)
    for link in touched:
        net.full[link] = False
    return _commit(net, n, new), work


def _level(net: Net, link: int) -> tuple[float, float, int]:
    """Return the level of a link, the one at which it holds classes back now, and how many entries it has.

    Either is infinity where the link holds back nobody.
    """
    after, slots, usage, part, flows, rate = net.after, net.slot, net.usage, net.part, net.flows, net.rate
    fixed = demand = others = weights = fastest = 0.0
    holds = math.inf
    entry = net.first[link]
    looked = 0
    while entry >= 0:
        slot = slots[entry]
        weight = usage[entry] * flows[slot]
        state = part[slot]
        if state == _FIXED:
            fixed += weight * net.fresh[slot]
        elif state == _OPEN:
            demand += weight
        elif net.held[slot] == link:
            demand += weight
            holds = min(holds, rate[slot])
        else:
            others += weight * rate[slot]
            weights += weight
            fastest = max(fastest, rate[slot])
        entry = after[entry]
        looked += 1
    room = max(net.capacity[link] - fixed, 0.0)
    if demand == 0.0 and (weights == 0.0 or room - others >= -_SLACK * (fixed + others)):
        return math.inf, holds, looked
    if room - others >= fastest * demand:
        return (room - others) / demand, holds, looked
    return _squeezed(net, link, room, demand, room / (demand + weights)), holds, 2 * looked


def _squeezed(net: Net, link: int, room: float, demand: float, level: float) -> float:
    """Return the level of a link at which some are too fast that it does not hold now, from a level below it."""
    while True:
        slower, weights = 0.0, demand
        entry = net.first[link]
        while entry >= 0:
            slot = net.slot[entry]
            if net.part[slot] == _STAYS and net.held[slot] != link:
                weight = net.usage[entry] * net.flows[slot]
                if net.rate[slot] <= level:
                    slower += weight * net.rate[slot]
                else:
                    weights += weight
            entry = net.after[entry]
        if weights == 0.0:
            return math.inf
        higher = max(room - slower, 0.0) / weights
        if higher <= level * (1.0 + 1e-15):
            return higher
        level = higher


def _open(net: Net, link: int, n: int) -> int:
    """Let the classes move that a link holds back."""
    entry = net.first[link]
    while entry >= 0:
        slot = net.slot[entry]
        if net.part[slot] == _STAYS and net.held[slot] == link:
            net.part[slot] = _OPEN
            net.moved[n] = slot
            n += 1
        entry = net.after[entry]
    return n


def _fill(net: Net, link: int, level: float, n: int) -> int:
    """Give the open classes of a link, and those that are too fast for it, its level."""
    net.full[link] = True
    net.key[link] = level
    entry = net.first[link]
    while entry >= 0:
        slot = net.slot[entry]
        if net.part[slot] == _OPEN:
            _fix(net, slot, level, link)
        elif net.part[slot] == _STAYS and net.rate[slot] > level * (1.0 + _SLACK):
            _fix(net, slot, level, link)
            net.moved[n] = slot
            n += 1
        entry = net.after[entry]
    return n


def _fix(net: Net, slot: int, rate: float, link: int) -> None:
    net.part[slot] = _FIXED
    net.fresh[slot] = rate
    net.holder[slot] = link


def _touch_moved(net: Net, begin: int, end: int, size: int) -> tuple[int, int]:
    """Touch the links of the classes ``net.moved[begin:end]``, each once; return the size of the heap and the work."""
    links = len(net.first)
    queued = 0
    for at in range(begin, end):
        slot = net.moved[at]
        if net.part[slot] == _OPEN and net.limit[slot] < math.inf:
            size = _put(net, links + slot, net.limit[slot], size)
        for entry in range(net.start[slot], net.start[slot] + net.length[slot]):
            link = net.link[entry]
            if net.full[link]:
                # the pass is level with this link, whose flows it has not seen move
                if net.part[slot] == _OPEN:
                    _fix(net, slot, net.key[link], link)
            elif net.binds[link] and not net.listed[link]:
                net.listed[link] = True
                net.queue[queued] = link
                queued += 1
    work = end - begin
    for at in range(queued):
        net.listed[net.queue[at]] = False
        size, looked = _touch(net, net.queue[at], size)
        work += looked
    return size, work


def _touch(net: Net, link: int, size: int) -> tuple[int, int]:
    """Note where the pass must stop at a link; return the size of the heap and how many entries were looked at."""
    level, holds, looked = _level(net, link)
    return _put(net, link, min(level, holds), size), looked


def _commit(net: Net, n: int, new: int) -> int:
    """Take over the rates found; return how many are new or different, and put their slots first in ``net.moved``."""
    changed = 0
    for at in range(n):
        slot = net.moved[at]
        for entry in range(net.start[slot], net.start[slot] + net.length[slot]):
            net.full[net.link[entry]] = False
        net.part[slot] = _STAYS
        net.held[slot] = net.holder[slot]
        if at < new or abs(net.fresh[slot] - net.rate[slot]) > _SAME * net.rate[slot]:
            net.rate[slot] = net.fresh[slot]
            net.moved[changed] = slot
            changed += 1
    return changed


def _put(net: Net, node: int, key: float, size: int) -> int:
    """Give a node a key: put it on the heap, move it there, or for infinity take it off; return the heap's size."""
    place = net.place[node]
    if key == math.inf:
        if place < 0:
            return size
        size -= 1
        net.place[node] = -1
        last = net.heap[size]
        if last != node:
            if net.key[last] < net.key[node]:
                _rise(net, last, place)
            else:
                _sink(net, last, place, size)
        return size
    before = net.key[node]
    net.key[node] = key
    if place < 0:
        _rise(net, node, size)
        return size + 1
    if key < before:
        _rise(net, node, place)
    elif key > before:
        _sink(net, node, place, size)
    return size


def _rise(net: Net, node: int, place: int) -> None:
    """Put a node on the heap at a place, or nearer to the top as its key demands."""
    keys, heap, places = net.key, net.heap, net.place
    key = keys[node]
    while place > 0:
        above = (place - 1) >> 1
        other = heap[above]
        if keys[other] <= key:
            break
        heap[place] = other
        places[other] = place
        place = above
    heap[place] = node
    places[node] = place


def _sink(net: Net, node: int, place: int, size: int) -> None:
    """Put a node on the heap at a place, or farther from the top as its key demands."""
    keys, heap, places = net.key, net.heap, net.place
    key = keys[node]
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and keys[heap[below + 1]] < keys[heap[below]]:
            below += 1
        other = heap[below]
        if keys[other] >= key:
            break
        heap[place] = other
        places[other] = place
        place = below
    heap[place] = node
    places[node] = place
