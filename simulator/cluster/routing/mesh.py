"""The directed links of a network, arranged for the search of routes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence


class Mesh:
    """Links by vertex, trees that hang off it peeled, hosts closed to what is not theirs; never changes.

    Vertices that hang off a single neighbour (accelerators off servers, servers off their switch) can only be the ends
    of a route: they are peeled off first, so that distances are searched among the few switches that remain. ``hosts``
    names the host of each vertex that forwards nothing but its own host's traffic (see ``hosts_of``).
    """

    def __init__(
        self,
        ends: Sequence[tuple[str, str]],
        latency: Sequence[float] | None = None,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        self.ends = tuple(ends)
        self.latency = tuple(latency) if latency is not None else (0.0,) * len(self.ends)
        self.links: dict[str, dict[str, list[int]]] = {}
        """vertex -> neighbour -> the links that lead there."""
        for link, (src, dst) in enumerate(self.ends):
            self.links.setdefault(dst, {})
            if src != dst:
                self.links.setdefault(src, {}).setdefault(dst, []).append(link)
        self.parent = _peel(self.links)
        """Vertex of a hanging tree -> the next vertex towards the part that has cycles."""
        self.host = {vertex: host for vertex, host in (hosts or {}).items() if vertex not in self.parent}
        self.members: dict[str, list[str]] = {}
        """Host -> its vertices that are not peeled."""
        for vertex, host in self.host.items():
            self.members.setdefault(host, []).append(vertex)
        self.above: dict[str, list[str]] = {}
        """Vertex that forwards -> those that forward and have a link to it."""
        self.beyond: dict[str, list[str]] = {}
        """Vertex that is not peeled -> those that forward and that it has a link to."""
        self.entries: dict[str, list[str]] = {}
        """Vertex of a host -> those that forward and have a link to it."""
        for src, onward in self.links.items():
            if src not in self.parent:
                self.beyond[src] = [dst for dst in onward if dst not in self.parent and dst not in self.host]
            if src not in self.parent and src not in self.host:
                for dst in onward:
                    if dst not in self.parent:
                        (self.entries if dst in self.host else self.above).setdefault(dst, []).append(src)


def hosts_of(ends: Sequence[tuple[str, str]], kinds: Mapping[str, str]) -> dict[str, str]:
    """Return the host of each server and accelerator that does not forward the traffic of others.

    ``kinds`` maps vertices to "server", "accelerator" or "switch". An accelerator belongs to the server it is linked
    to. A host that is linked to another one directly, as in a torus, forwards, and is left out.
    """
    host = {vertex: vertex for vertex, kind in kinds.items() if kind == "server"}
    for src, dst in ends:
        if kinds.get(src) == "accelerator" and kinds.get(dst) == "server":
            host.setdefault(src, dst)
    direct: dict[str, None] = {}
    for src, dst in ends:
        if src in host and dst in host and host[src] != host[dst]:
            direct.update({host[src]: None, host[dst]: None})
    return {vertex: owner for vertex, owner in host.items() if owner not in direct}


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
