"""The most that can flow from one set of vertices to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np

_Link = tuple[Hashable, Hashable, float]
_FEW = 2000
"""Links up to which flows are computed exactly."""
_ROUNDS = 32
"""Refinements before a network counts as irregular; those built of tiers need two or three."""
_SOURCE, _SINK = ("source",), ("sink",)


def max_flow(links: Iterable[tuple[str, str, float]], sources: Iterable[str], sinks: Iterable[str]) -> float:
    """Return the maximum flow from all ``sources`` together to all ``sinks`` over directed ``links``, bytes/s.

    ``links`` are (from, to, capacity in bytes/s). Sources are one vertex, sinks another. Vertices that look alike (an
    equitable partition: each of a class has links of the same capacities to and from each other class) are one vertex
    too, with the sum of their capacities. That changes no flow: what goes from class to class can be spread over its
    links in proportion to their capacities, which conserves it at every vertex (dimension reduction by colour
    refinement; Grohe, Kersting, Mladenov and Selman, ESA 2014). So a network of tiers is a handful of vertices.
    """
    names: Mapping[str, Hashable] = dict.fromkeys(sources, _SOURCE) | dict.fromkeys(sinks, _SINK)
    merged: Counter[_Link] = Counter()
    for src, dst, capacity in links:
        a, b = names.get(src, src), names.get(dst, dst)
        if a != b and b != _SOURCE and a != _SINK:
            merged[a, b, capacity] += 1
    merged = _useful(merged)
    if not merged:
        return 0.0
    colours = _refined(merged)
    flat: dict[tuple[Hashable, Hashable], float] = {}
    for (a, b, capacity), count in merged.items():
        pair = colours[a], colours[b]
        if pair[0] != pair[1]:
            flat[pair] = flat.get(pair, 0.0) + count * capacity
    return (_exact if len(flat) <= _FEW else _scaled)(flat, colours[_SOURCE], colours[_SINK])


def _useful(links: Counter[_Link]) -> Counter[_Link]:
    """The links on a way from the source to the sink."""
    ahead: dict[Hashable, list[Hashable]] = {}
    back: dict[Hashable, list[Hashable]] = {}
    for a, b, _ in links:
        ahead.setdefault(a, []).append(b)
        back.setdefault(b, []).append(a)
    there, here = reached(_SOURCE, ahead), reached(_SINK, back)
    return Counter({link: count for link, count in links.items() if link[0] in there and link[1] in here})


def reached(start: Hashable, onward: Mapping[Any, Sequence[Any]]) -> dict[Hashable, None]:
    """The vertices that ``start`` leads to, itself among them, as the keys of a dictionary."""
    found, frontier = {start: None}, [start]
    while frontier:
        for vertex in onward.get(frontier.pop(), ()):
            if vertex not in found:
                found[vertex] = None
                frontier.append(vertex)
    return found


def _exact(flat: Mapping[tuple[Hashable, Hashable], float], source: Hashable, sink: Hashable) -> float:
    graph: nx.DiGraph[Hashable] = nx.DiGraph()
    graph.add_nodes_from((source, sink))
    graph.add_edges_from((a, b, {"capacity": capacity}) for (a, b), capacity in flat.items())
    return float(nx.maximum_flow_value(graph, source, sink))


def _scaled(flat: Mapping[tuple[Hashable, Hashable], float], source: Hashable, sink: Hashable) -> float:
    """As ``_exact``, by Dinic's algorithm in whole numbers: each capacity to 2^-31 of the largest."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    number: dict[Hashable, int] = {source: 0, sink: 1}
    for pair in flat:
        for vertex in pair:
            number.setdefault(vertex, len(number))
    unit = max(flat.values()) / (2**31 - 1)
    sizes = np.rint(np.array(list(flat.values())) / unit).astype(np.int32)
    rows, columns = (np.array([number[pair[end]] for pair in flat], dtype=np.int32) for end in (0, 1))
    matrix = csr_array((sizes, (rows, columns)), shape=(len(number), len(number)))
    return float(maximum_flow(matrix, 0, 1).flow_value) * unit


def _refined(links: Mapping[_Link, int]) -> dict[Hashable, Hashable]:
    """Colour vertices so that those of one colour see the same colours over the same capacities; or all apart."""
    vertices = list(dict.fromkeys(vertex for a, b, _ in links for vertex in (a, b)))
    colours: dict[Hashable, int] = {v: 1 if v == _SOURCE else 2 if v == _SINK else 0 for v in vertices}
    count = len(dict.fromkeys(colours.values()))
    for _ in range(_ROUNDS):
        seen: dict[Hashable, Counter[tuple[bool, int, float]]] = {vertex: Counter() for vertex in vertices}
        for (a, b, capacity), number in links.items():
            seen[a][True, colours[b], capacity] += number
            seen[b][False, colours[a], capacity] += number
        known: dict[Hashable, int] = {}
        colours = {v: known.setdefault((colours[v], tuple(sorted(seen[v].items()))), len(known)) for v in vertices}
        if len(known) == count:
            return dict(colours)
        if 2 * len(known) > len(vertices):
            break
        count = len(known)
    return {vertex: vertex for vertex in vertices}
