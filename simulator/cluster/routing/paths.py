"""Shortest paths in hops over the links that are up."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from simulator.cluster.routing.mesh import Mesh
from simulator.cluster.routing.toward import Toward
from simulator.core.errors import InputError

_KEPT = 2**17
"""Routes that are remembered before all are forgotten and found again when needed: some 30 MB."""
_KEPT_HOPS = 2**21
"""Distances that are remembered, likewise: some 200 MB."""


class Paths:
    """The shortest ways over a mesh whose links go down and up.

    ``onward`` is all a routing mode needs: the links that lead one hop nearer. A host's accelerators and the server
    itself pass on what comes from or goes to their own host, nothing else.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._up = [True] * len(mesh.ends)
        self.down: dict[int, None] = {}
        """The links that are down now."""
        self._chains: dict[str, tuple[str, ...]] = {}
        self._hops: dict[str, dict[str, int]] = {}
        self._toward: dict[str, Toward] = {}
        self._known = 0
        self._inside: dict[tuple[str, str], dict[str, int]] = {}
        self._onward: dict[tuple[str, str], list[int]] = {}

    def set_up(self, link: int, up: bool) -> None:
        """Take a link down, or up again."""
        if self._up[link] == up:
            return
        self._up[link] = up
        if up:
            del self.down[link]
        else:
            self.down[link] = None
        self._inside.clear()
        self._onward.clear()
        self._toward.clear()
        src, dst = self.mesh.ends[link]
        for anchor in [anchor for anchor, hops in self._hops.items() if self._moved(src, dst, up, anchor, hops)]:
            self._known -= len(self._hops.pop(anchor))

    def onward(self, here: str, dst: str) -> list[int]:
        """Return the links out of ``here`` that lead one hop nearer to ``dst``; none when there is no way."""
        chain = self._chain(dst)
        if here in chain:
            below = chain.index(here) - 1
            return self._between(here, chain[below]) if below >= 0 else []
        parent = self.mesh.parent.get(here)
        if parent is not None:
            return self._between(here, parent)
        anchor = chain[-1]
        known = self._onward.get((here, anchor))
        if known is None:
            known = self._nearer(here, anchor)
            if here not in self.mesh.host:
                self._onward[here, anchor] = known
        return known

    def distance(self, src: str, dst: str) -> int | None:
        """Hops from ``src`` to ``dst``; None when there is no way."""
        hops = 0
        while src != dst:
            links = self.onward(src, dst)
            if not links:
                return None
            src = self.mesh.ends[links[0]][1]
            hops += 1
        return hops

    def hashed(self, src: str, dst: str, label: str | int) -> tuple[int, ...] | None:
        """Return the links that a flow takes whose vertices each pick one of those that lead on, by hash; or None.

        The hash is of (src, dst, label, vertex), as switches hash a flow's addresses (RFC 2992); ``label`` stands for
        the ports.
        """
        route: list[int] = []
        here = src
        while here != dst:
            links = self.onward(here, dst)
            if not links:
                return None
            link = links[0] if len(links) == 1 else links[picked(len(links), src, dst, label, here)]
            route.append(link)
            here = self.mesh.ends[link][1]
        return tuple(route)

    def _chain(self, vertex: str) -> tuple[str, ...]:
        """From a vertex of a hanging tree up to where the tree hangs."""
        chain = self._chains.get(vertex)
        if chain is None:
            stations = [vertex]
            while stations[-1] in self.mesh.parent:
                stations.append(self.mesh.parent[stations[-1]])
            chain = self._chains[vertex] = tuple(stations)
        return chain

    def _between(self, here: str, there: str) -> list[int]:
        links = self.mesh.links.get(here, {}).get(there, [])
        return [link for link in links if self._up[link]] if self.down else links

    def _nearer(self, here: str, anchor: str) -> list[int]:
        hops = self._to(anchor)
        inside = {} if here in hops else self._out_of(here, anchor, hops)
        left = hops.get(here, inside.get(here))
        if left is None:
            return []
        nearer = [onward for onward in self._next(here, anchor) if hops.get(onward, inside.get(onward)) == left - 1]
        there = self.mesh.links.get(here, {})
        nearer.sort(key=lambda onward: there[onward][0])
        return self._at_home(here, anchor, [link for onward in nearer for link in self._between(here, onward)])

    def _next(self, here: str, anchor: str) -> Iterator[str]:
        """Neighbours that a route may go on to: those that forward, and those of the hosts at its ends."""
        yield from self.mesh.beyond.get(here, ())
        links = self.mesh.links.get(here, {})
        for host in dict.fromkeys((self.mesh.host.get(here), self.mesh.host.get(anchor))):
            if host is not None:
                yield from (member for member in self.mesh.members[host] if member in links)

    def _at_home(self, here: str, anchor: str, links: list[int]) -> list[int]:
        """Of equally short ways between vertices of one host keep those inside it: NVLink before the network."""
        home = self.mesh.host.get(here)
        if home is None or home != self.mesh.host.get(anchor) or len(links) < 2:
            return links
        return [link for link in links if self.mesh.host.get(self.mesh.ends[link][1]) == home] or links

    def _to(self, anchor: str) -> dict[str, int] | Toward:
        """Hops to ``anchor`` from each vertex that forwards, and from those of the anchor's own host."""
        if anchor not in self.mesh.host:
            return self._field(anchor)
        if anchor not in self._toward:
            if len(self._toward) > _KEPT:
                self._toward.clear()
            self._toward[anchor] = self._enter(anchor)
        return self._toward[anchor]

    def _field(self, anchor: str) -> dict[str, int]:
        """Hops to a vertex that forwards from all others that do."""
        hops = self._hops.get(anchor)
        if hops is None:
            if self._known > _KEPT_HOPS:
                self._hops.clear()
                self._toward.clear()
                self._onward.clear()
                self._known = 0
            hops = self._hops[anchor] = self._search(anchor)
            self._known += len(hops)
        return hops

    def _search(self, anchor: str) -> dict[str, int]:
        hops = {anchor: 0}
        frontier = deque((anchor,))
        while frontier:
            here = frontier.popleft()
            for above in self.mesh.above.get(here, ()):
                if above not in hops and self._between(above, here):
                    hops[above] = hops[here] + 1
                    frontier.append(above)
        return hops

    def _enter(self, anchor: str) -> Toward:
        """Distances to a vertex of a host: over the host's own links, and by the switches that lead into it."""
        members = self.mesh.members[self.mesh.host[anchor]]
        within = self._leave(members, {anchor: 0})
        within[anchor] = 0
        switches: dict[str, int] = {}
        for member, hops in within.items():
            for switch in self.mesh.entries.get(member, ()):
                if self._between(switch, member):
                    switches[switch] = min(hops + 1, switches.get(switch, hops + 1))
        entries = [(self._field(switch), hops) for switch, hops in switches.items()]
        inside = self._leave(members, Toward({anchor: 0}, entries))
        inside[anchor] = 0
        return Toward(inside, entries)

    def _out_of(self, here: str, anchor: str, hops: dict[str, int] | Toward) -> dict[str, int]:
        """Hops to ``anchor`` from the vertices of the host of ``here``, over one another."""
        host = self.mesh.host.get(here)
        if host is None:
            return {}
        key = (host, anchor)
        inside = self._inside.get(key)
        if inside is None:
            if len(self._inside) > _KEPT:
                self._inside.clear()
            inside = self._inside[key] = self._leave(self.mesh.members[host], hops)
        return inside

    def _leave(self, members: Sequence[str], hops: dict[str, int] | Toward) -> dict[str, int]:
        inside: dict[str, int] = {}
        better = True
        while better:
            better = False
            for member in members:
                for onward in self.mesh.links.get(member, ()):
                    left = hops.get(onward, inside.get(onward))
                    if left is not None and left + 1 < inside.get(member, left + 2) and self._between(member, onward):
                        inside[member] = left + 1
                        better = True
        return inside

    def _moved(self, src: str, dst: str, up: bool, anchor: str, hops: Mapping[str, int]) -> bool:
        """Whether distances to ``anchor`` change with a link from ``src`` to ``dst`` that has gone down or up."""
        beyond = hops.get(dst)
        if beyond is None:
            return False
        if up:
            return hops.get(src, beyond + 2) > beyond + 1
        if hops.get(src) != beyond + 1:
            return False
        return not any(hops.get(other) == beyond and self._between(src, other) for other in self.mesh.links[src])


class Routes:
    """Routes by hash over links that are all up, remembered; given as (source, destination) vertices by index.

    A route is the shortest in hops. Where several links lead on equally well, each vertex picks one by a hash of
    (src, dst, label, vertex), as switches hash a flow's addresses (RFC 2992); ``label`` stands for the ports.
    """

    def __init__(
        self,
        ends: Sequence[tuple[str, str]],
        latency: Sequence[float] | None = None,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        self.mesh = Mesh(ends, latency, hosts)
        self._search = Paths(self.mesh)
        self._paths: dict[tuple[str, str, int], tuple[int, ...]] = {}

    def path(self, src: str, dst: str, label: int = 0) -> tuple[int, ...]:
        """Return the links from ``src`` to ``dst``; raise ``InputError`` when there is no way."""
        key = (src, dst, label)
        route = self._paths.get(key)
        if route is None:
            if len(self._paths) >= _KEPT:
                self._paths.clear()
            found = self._search.hashed(src, dst, label)
            if found is None:
                raise InputError(f"there is no route from {src!r} to {dst!r}")
            route = self._paths[key] = found
        return route

    def distance(self, src: str, dst: str) -> int:
        """Hops from ``src`` to ``dst``; raise ``InputError`` when there is no way."""
        return len(self.path(src, dst))


def picked(choices: int, src: str, dst: str, label: str | int, here: str) -> int:
    """Return which of so many equal choices the hash of a flow at vertex ``here`` falls on."""
    return _mixed(zlib.crc32(f"{src}|{dst}|{label}|{here}".encode())) % choices


def _mixed(value: int) -> int:
    """Spread 32 bits over one another: the finaliser of MurmurHash3 (Appleby).

    CRC is linear: without this, two vertices of equally long names would pick alike, and of many equal-cost paths only
    a few would ever be used.
    """
    value = (value ^ (value >> 16)) * 0x85EBCA6B & 0xFFFFFFFF
    value = (value ^ (value >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ (value >> 16)


def ways(paths: Paths, src: str, dst: str) -> Iterator[tuple[str, list[int]]]:
    """Yield each vertex of the shortest paths with the links that lead on, from ``src`` on, nearer ones later."""
    level = [src]
    while level and level != [dst]:
        after: dict[str, None] = {}
        for here in level:
            links = paths.onward(here, dst)
            if links:
                yield here, links
            after.update((paths.mesh.ends[link][1], None) for link in links)
        level = list(after)
