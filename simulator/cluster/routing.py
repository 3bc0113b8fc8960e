"""Shortest paths with equal-cost multi-path (ECMP) choice by hash."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

from simulator.core.errors import InputError

_KEPT = 2**17
"""Routes that are remembered before all are forgotten and found again when needed: some 30 MB."""


class Routes:
    """Routes over directed links, given as their (source, destination) vertices in the order of their index.

    A route is the shortest in hops. Where several links lead on equally well, each vertex picks one by a hash of
    (src, dst, label, vertex), as switches hash a flow's addresses (RFC 2992); ``label`` stands for the ports.

    Vertices that hang off a single neighbour (accelerators off servers, servers off their switch) can only be the ends
    of a route: they are peeled off first, so that distances are searched among the few switches that remain.
    """

    def __init__(self, ends: tuple[tuple[str, str], ...]) -> None:
        self._links: dict[str, dict[str, list[int]]] = {}
        for link, (src, dst) in enumerate(ends):
            self._links.setdefault(dst, {})
            if src != dst:
                self._links.setdefault(src, {}).setdefault(dst, []).append(link)
        self._parent = _peel(self._links)
        self._above: dict[str, list[str]] = {}
        for src, onward in self._links.items():
            for dst in onward:
                if src not in self._parent and dst not in self._parent:
                    self._above.setdefault(dst, []).append(src)
        self._distances: dict[str, dict[str, int]] = {}
        self._paths: dict[tuple[str, str, int], tuple[int, ...]] = {}

    def path(self, src: str, dst: str, label: int = 0) -> tuple[int, ...]:
        """Return the links from ``src`` to ``dst``; raise ``InputError`` when there is no way."""
        key = (src, dst, label)
        route = self._paths.get(key)
        if route is None:
            if len(self._paths) >= _KEPT:
                self._paths.clear()
            route = self._paths[key] = tuple(self._walk(src, dst, label))
        return route

    def distance(self, src: str, dst: str) -> int:
        """Hops from ``src`` to ``dst``; raise ``InputError`` when there is no way."""
        return len(self.path(src, dst))

    def _walk(self, src: str, dst: str, label: int) -> Iterator[int]:
        up, down = self._climb(src), self._climb(dst)
        if up[-1] == down[-1]:
            meeting = next(vertex for vertex in up if vertex in down)
            stations = up[: up.index(meeting) + 1] + down[: down.index(meeting)][::-1]
            yield from self._follow(stations, src, dst, label)
            return
        yield from self._follow(up, src, dst, label)
        away = self._to(down[-1])
        here = up[-1]
        while here != down[-1]:
            hops = away.get(here, 0) - 1
            choices = [
                link
                for onward, links in self._links.get(here, {}).items()
                if onward not in self._parent and away.get(onward) == hops
                for link in links
            ]
            if not choices:
                raise InputError(f"there is no route from {src!r} to {dst!r}")
            link = _pick(choices, src, dst, label, here)
            yield link
            here = next(onward for onward, links in self._links[here].items() if link in links)
        yield from self._follow(down[::-1], src, dst, label)

    def _follow(self, stations: list[str], src: str, dst: str, label: int) -> Iterator[int]:
        for here, onward in pairwise(stations):
            choices = self._links.get(here, {}).get(onward)
            if not choices:
                raise InputError(f"there is no route from {src!r} to {dst!r}")
            yield _pick(choices, src, dst, label, here)

    def _climb(self, vertex: str) -> list[str]:
        stations = [vertex]
        while stations[-1] in self._parent:
            stations.append(self._parent[stations[-1]])
        return stations

    def _to(self, anchor: str) -> dict[str, int]:
        away = self._distances.get(anchor)
        if away is None:
            away = self._distances[anchor] = {anchor: 0}
            frontier = deque((anchor,))
            while frontier:
                here = frontier.popleft()
                for above in self._above.get(here, ()):
                    if above not in away:
                        away[above] = away[here] + 1
                        frontier.append(above)
        return away


def _pick(choices: list[int], src: str, dst: str, label: int, here: str) -> int:
    if len(choices) == 1:
        return choices[0]
    return choices[_mixed(zlib.crc32(f"{src}|{dst}|{label}|{here}".encode())) % len(choices)]


def _mixed(value: int) -> int:
    """Spread 32 bits over one another: the finaliser of MurmurHash3 (Appleby).

    CRC is linear: without this, two vertices of equally long names would pick alike, and of many equal-cost paths only
    a few would ever be used.
    """
    value = (value ^ (value >> 16)) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ (value >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ (value >> 16)


def _peel(links: dict[str, dict[str, list[int]]]) -> dict[str, str]:
    """Map each vertex of a hanging tree to its parent, the next vertex towards the part that has cycles."""
    near: dict[str, dict[str, None]] = {vertex: dict.fromkeys(onward) for vertex, onward in links.items()}
    for vertex, onward in links.items():
        for other in onward:
            near[other][vertex] = None
    parent: dict[str, str] = {}
    leaves = deque(vertex for vertex, others in near.items() if len(others) == 1)
    while leaves:
        leaf = leaves.popleft()
        if leaf in parent or len(near[leaf]) != 1:
            continue
        (parent[leaf],) = near[leaf]
        del near[parent[leaf]][leaf]
        if len(near[parent[leaf]]) == 1:
            leaves.append(parent[leaf])
    return parent
