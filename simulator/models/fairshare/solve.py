"""Max-min fair sharing of links among classes of flows, by progressive filling.

All rates rise together; when a link is full, the flows across it stay where they are, and the others rise on
(Bertsekas and Gallager, Data Networks, section 6.5.2). A class stands for ``count`` flows that use the same links, so
the cost depends on the number of classes, not of flows. Two methods give the same rates to rounding: a heap of links in
plain Python, quicker for few classes, and numpy, which freezes every local bottleneck of a round at once, for many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Protocol

import numpy as np

_TOLERANCE = 1e-12
"""Relative: links whose fair shares differ by less count as equally full."""
_FEW = 50
"""Up to so many links over all classes the plain loop is quicker than numpy (see benchmarks/bench_fairshare.py)."""
LIMIT = -1
"""Stands for the number of a link where a class is held back by its own limit."""


class FlowClass(Protocol):
    """Flows that behave alike."""

    links: tuple[int, ...]
    """The links that each flow uses, without repetition."""
    usage: tuple[float, ...]
    """How many bytes cross each of ``links`` for one byte of the flow: 1, or more for a collective."""
    count: float
    """Number of flows, above 0."""
    limit: float
    """Bytes/s that one flow can reach at most, however free the links are."""


def max_min(classes: Sequence[FlowClass], capacity: Sequence[float] | Mapping[int, float]) -> list[float]:
    """Return the rate (bytes/s) of one flow of each class.

    ``capacity`` gives bytes/s by link index. A class without links gets its limit. The rates are the max-min fair ones:
    no flow can be raised without lowering one that is not faster.

    >>> from types import SimpleNamespace as flows
    >>> one, two = (flows(links=(0,), usage=(1.0,), count=n, limit=math.inf) for n in (1, 3))
    >>> max_min([one, two], [8.0])
    [2.0, 2.0]
    """
    return fill(classes, capacity)[0]


def fill(
    classes: Sequence[FlowClass], capacity: Sequence[float] | Mapping[int, float]
) -> tuple[list[float], list[int]]:
    """Return the rates of ``max_min``, and for each class its bottleneck: a full link where no flow is faster.

    The bottleneck is ``LIMIT`` where the class has reached its own limit.
    """
    few = sum([len(flow.links) for flow in classes]) <= _FEW
    return _by_heap(classes, capacity) if few else _by_rounds(classes, capacity)


def _by_heap(
    classes: Sequence[FlowClass], capacity: Sequence[float] | Mapping[int, float]
) -> tuple[list[float], list[int]]:
    members: dict[int, list[int]] = {}
    demand: dict[int, float] = {}
    for index, flow in enumerate(classes):
        count = flow.count
        for link, usage in zip(flow.links, flow.usage, strict=True):
            if link in members:
                members[link].append(index)
                demand[link] += usage * count
            else:
                members[link] = [index]
                demand[link] = usage * count
    room = {link: float(capacity[link]) for link in members}
    left = {link: len(indices) for link, indices in members.items()}
    # a limit is a link of one's own: it is told from real links by its negative number
    heap = [(max(room[link], 0.0) / demand[link], link) for link in members]
    heap += [(flow.limit, -1 - index) for index, flow in enumerate(classes) if flow.limit < math.inf or not flow.links]
    heapify(heap)
    rates, held = [-1.0] * len(classes), [LIMIT] * len(classes)
    todo = len(classes)
    while todo:
        level, link = heappop(heap)
        if link < 0:
            if rates[-1 - link] < 0:
                _freeze(-1 - link, level, classes, rates, room, demand, left)
                todo -= 1
            continue
        if not left[link]:
            continue
        share = max(room[link], 0.0) / demand[link]
        if share > level * (1 + _TOLERANCE):
            heappush(heap, (share, link))
            continue
        for index in members[link]:
            if rates[index] < 0:
                _freeze(index, share, classes, rates, room, demand, left)
                held[index] = link
                todo -= 1
    return rates, held


def _freeze(
    index: int,
    rate: float,
    classes: Sequence[FlowClass],
    rates: list[float],
    room: dict[int, float],
    demand: dict[int, float],
    left: dict[int, int],
) -> None:
    rates[index] = rate
    flow = classes[index]
    for link, usage in zip(flow.links, flow.usage, strict=True):
        weight = usage * flow.count
        room[link] -= weight * rate
        demand[link] -= weight
        left[link] -= 1


def _by_rounds(
    classes: Sequence[FlowClass], capacity: Sequence[float] | Mapping[int, float]
) -> tuple[list[float], list[int]]:
    links = np.array([link for flow in classes for link in flow.links], dtype=np.int64)
    used, entry = np.unique(links, return_inverse=True)
    rates, held = fill_arrays(
        np.array([len(flow.links) for flow in classes], dtype=np.int64),
        entry,
        np.array([usage for flow in classes for usage in flow.usage], dtype=float),
        np.array([flow.count for flow in classes], dtype=float),
        np.array([flow.limit for flow in classes], dtype=float),
        np.array([capacity[link] for link in used.tolist()], dtype=float),
    )
    found: tuple[list[float], list[int]] = (rates.tolist(), np.append(used, LIMIT)[held].tolist())
    return found


def fill_arrays(
    lengths: np.ndarray,
    links: np.ndarray,
    usage: np.ndarray,
    counts: np.ndarray,
    limits: np.ndarray,
    capacity: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Do what ``fill`` does, for classes given as arrays.

    ``lengths``, ``counts`` and ``limits`` have shape (classes,); ``links`` and ``usage`` are those of all classes one
    after the other, of shape (sum of ``lengths``,); ``capacity`` has shape (links,).
    """
    rates, held = np.where(lengths == 0, limits, -1.0), np.full(len(lengths), LIMIT)
    active = np.flatnonzero(lengths)
    weight = usage * np.repeat(counts, lengths)
    room = capacity.copy()
    while len(active):
        sizes = lengths[active]
        starts = np.cumsum(sizes) - sizes
        demand = np.bincount(links, weight, len(room))
        share = np.maximum(room, 0.0)[links] / demand[links]
        tightest = np.minimum.reduceat(share, starts)
        level = np.minimum(tightest, limits[active])
        # a link is a local bottleneck when no class across it is held lower elsewhere
        elsewhere = np.zeros(len(room), dtype=bool)
        elsewhere[links[np.repeat(level, sizes) < share * (1 - _TOLERANCE)]] = True
        full = ~elsewhere[links]
        stuck = np.logical_or.reduceat(full, starts) | (limits[active] <= tightest)
        rates[active[stuck]] = level[stuck]
        held[np.repeat(active, sizes)[full]] = links[full]
        gone = np.repeat(stuck, sizes)
        room -= np.bincount(links[gone], weight[gone] * np.repeat(level, sizes)[gone], len(room))
        links, weight, active = links[~gone], weight[~gone], active[~stuck]
    return rates, held
