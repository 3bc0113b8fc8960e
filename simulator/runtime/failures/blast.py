"""What goes down with what: the components of a topology, and the servers and links that each takes along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.cluster.stores import STORE
from simulator.cluster.topology import HOST, SCALE_UP, SWITCH, Server, Topology
from simulator.core.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Component:
    """Something that fails as a whole: the servers, and the links (by index), that go down with it.

    ``weight`` says how many alike it stands for: the accelerators of a server, the cables of a link. One failure takes
    the servers, but of links only ``1 / cables`` of the capacity.
    """

    name: str
    servers: tuple[int, ...] = ()
    links: tuple[int, ...] = ()
    weight: float = 1.0
    cables: float = 1.0


def components(topology: Topology, kind: str, servers: Iterable[int] | None = None) -> list[Component]:
    """Return all components of a kind (one of ``COMPONENTS``), in the order of the topology.

    ``servers`` are those whose components count. Raises ``InputError`` for a kind that there is not, or that the
    topology has none of, and for ``servers`` where components do not belong to servers.
    """
    if kind not in COMPONENTS:
        raise InputError(f"component {kind!r} is unknown. {did_you_mean(kind, COMPONENTS)}")
    chosen = None if servers is None else dict.fromkeys(servers)
    if chosen is not None and kind not in _OF_SERVERS:
        raise InputError(f"only means nothing for component {kind!r}: it belongs to no server")
    found = list(COMPONENTS[kind](topology, range(len(topology.servers)) if chosen is None else chosen))
    if not found:
        raise InputError(f"component {kind!r}: the topology has none ({_MISSING[kind]})")
    return found


def ports(topology: Topology) -> list[list[int]]:
    """Return, for each server, the links that leave it for the network, by index; those to stores are none of it."""
    owner = _owners(topology)
    found: list[list[int]] = [[] for _ in topology.servers]
    for link, (src, dst) in enumerate(topology.ends):
        server = owner.get(src)
        if server is not None and owner.get(dst) != server and topology.tiers[link] not in (SCALE_UP, STORE):
            found[server].append(link)
    return found


def _owners(topology: Topology) -> dict[str, int]:
    """Map every vertex of a server, itself and its accelerators, to its index."""
    owner = dict(topology.server_index)
    if topology.wired:
        for index, server in enumerate(topology.servers):
            owner |= {topology.endpoint(index, device): index for device in range(server.accelerators)}
    return owner


def _accelerators(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    for index, server in _some(topology, servers):
        if server.accelerators:
            yield Component(server.name, (index,), weight=float(server.accelerators))


def _nodes(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    for index, server in _some(topology, servers):
        yield Component(server.name, (index,))


def _some(topology: Topology, servers: Iterable[int]) -> Iterator[tuple[int, Server]]:
    yield from ((index, topology.servers[index]) for index in servers)


def _cables(topology: Topology) -> Iterator[Component]:
    """Yield what joins two vertices: the n-th link one way with the n-th the other way."""
    back: dict[tuple[str, str], list[int]] = {}
    cables = {data["index"]: float(data.get("cables", 1) or 1) for _, _, data in topology.graph.edges(data=True)}
    for link, ends in enumerate(topology.ends):
        back.setdefault(ends, []).append(link)
    for (src, dst), there in back.items():
        others = back.get((dst, src), [])
        if others and others[0] < there[0]:
            continue
        for number, link in enumerate(there):
            pair = (link, *others[number : number + 1])
            name = f"{src} - {dst}" + (f" #{number}" if len(there) > 1 else "")
            yield Component(name, links=pair, weight=cables[link], cables=cables[link])


def _links(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    return (each for each in _cables(topology) if topology.tiers[each.links[0]] not in (SCALE_UP, STORE))


def _nics(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    owner, chosen = _owners(topology), dict.fromkeys(servers)
    for each in _cables(topology):
        src, dst = (owner.get(end) for end in topology.ends[each.links[0]])
        own = [end for end in (src, dst) if end in chosen]
        if own and src != dst and topology.tiers[each.links[0]] in (HOST, ""):
            yield each


def _switches(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    return (each for each, data in _vertices(topology) if data.get("kind", SWITCH) == SWITCH and not data.get("store"))


def _stores(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    found = [(each, data) for each, data in _vertices(topology) if data.get("store") or data.get("kind") == STORE]
    names = {each.name for each, _ in found}
    for each, data in found:
        inner = all(end in names for link in each.links for end in topology.ends[link])
        if inner or data.get("kind") == STORE or len(found) == 1:
            yield each


def _vertices(topology: Topology) -> Iterator[tuple[Component, Mapping[str, Any]]]:
    """Yield what all links of a vertex go down with, and the attributes of the vertex."""
    links: dict[str, list[int]] = {}
    for link, ends in enumerate(topology.ends):
        for end in ends:
            links.setdefault(end, []).append(link)
    for vertex, data in topology.graph.nodes(data=True):
        yield Component(vertex, links=tuple(links.get(vertex, ()))), data


def _racks(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    """Yield racks: by the label ``rack``, else the neighbourhood in the network."""
    racks: dict[str, list[int]] = {}
    chosen = dict.fromkeys(servers)
    for index, server in enumerate(topology.servers):
        near = topology.neighbourhood(server.name)
        name = dict(server.labels).get("rack", "" if near == server.name else near)
        if name:
            racks.setdefault(name, []).append(index)
    for name, members in racks.items():
        if any(member in chosen for member in members):
            yield Component(name, tuple(members))


def _domains(topology: Topology, servers: Iterable[int]) -> Iterator[Component]:
    """Yield scale-up domains: servers by the label ``domain``, else each with several accelerators by itself."""
    domains: dict[str, list[int]] = {}
    chosen = dict.fromkeys(servers)
    for index, server in enumerate(topology.servers):
        name = dict(server.labels).get("domain", server.name if server.accelerators > 1 else "")
        if name:
            domains.setdefault(name, []).append(index)
    for name, members in domains.items():
        if any(member in chosen for member in members):
            yield Component(name, tuple(members))


COMPONENTS: Mapping[str, Callable[[Topology, Iterable[int]], Iterable[Component]]] = {
    "accelerator": _accelerators,
    "node": _nodes,
    "nic": _nics,
    "link": _links,
    "switch": _switches,
    "rack": _racks,
    "domain": _domains,
    "store": _stores,
}
"""Kinds of components, and what finds them."""
_OF_SERVERS = ("accelerator", "node", "nic", "rack", "domain")
_MISSING = {
    "accelerator": "no server has accelerators",
    "node": "it has no servers",
    "nic": "no link joins a server to a switch",
    "link": "no link joins its servers",
    "switch": "its network has no switches",
    "rack": "give servers a label rack, or take a topology with switches",
    "domain": "no server has several accelerators or a label domain",
    "store": "no vertex is of kind store",
}
