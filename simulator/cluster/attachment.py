"""How servers and accelerators hang on the network: which have links of their own, and who is near whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.cluster.cut import reached

Vertices = Mapping[str, Mapping[str, Any]]
Devices = dict[int, str]
SERVER, SWITCH, ACCELERATOR = "server", "switch", "accelerator"


def owners(vertices: Vertices) -> dict[str, str]:
    """Map every server, and every accelerator of one, to the server.

    An accelerator belongs to the server that its attribute ``server`` names, else to ``a`` when it is called ``a/3``.
    """
    servers = {vertex: vertex for vertex, data in vertices.items() if data.get("kind") == SERVER}
    owned = dict(servers)
    for vertex, data in vertices.items():
        if data.get("kind") == ACCELERATOR:
            server = str(data.get("server", vertex.rpartition("/")[0]))
            if server in servers:
                owned[vertex] = server
    return owned


def endpoints(vertices: Vertices, owned: Mapping[str, str], ends: Iterable[tuple[str, str]]) -> dict[str, Devices]:
    """Map each server that has them to the vertices of its accelerators, by number.

    Only servers are there of whose accelerators some have links that leave the server. An accelerator that has no link
    but to its server is not there: it goes out by the server. The number of an accelerator is its attribute ``device``,
    else what follows the last slash of its name, else the first that is free.
    """
    own: dict[str, None] = {}
    out: dict[str, None] = {}
    for pair in ends:
        for here, there in (pair, pair[::-1]):
            if vertices[here].get("kind") == ACCELERATOR and here in owned and owned[here] != there:
                own[here] = None
                if owned[here] != owned.get(there):
                    out[owned[here]] = None
    found: dict[str, Devices] = {server: {} for server in out}
    for vertex in own:
        if owned[vertex] in out:
            devices, number = found[owned[vertex]], _number(vertex, vertices[vertex])
            if number in devices or number < 0:
                number = next(free for free in range(len(devices) + 1) if free not in devices)
            if number < vertices[owned[vertex]]["accelerators"]:
                devices[number] = vertex
    return found


def _number(vertex: str, data: Mapping[str, Any]) -> int:
    given = data.get("device", vertex.rpartition("/")[2])
    return int(given) if str(given).isdecimal() and len(str(given)) < 8 else -1


def neighbourhoods(vertices: Vertices, owned: Mapping[str, str], ends: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map servers to the name of their neighbourhood; a server that has none is not there.

    A neighbourhood is the ``unit`` of a server where the graph names one; else the servers that hang, themselves or by
    their accelerators, off the same switches and nothing else. It is called by the first of these.
    """
    near: dict[str, dict[str, None]] = {}
    for pair in ends:
        for here, there in (pair, pair[::-1]):
            server = owned.get(here)
            if server is not None and owned.get(there) != server:
                near.setdefault(server, {})[there] = None
    groups: dict[tuple[str, ...], list[str]] = {}
    for server, others in near.items():
        if all(vertices[other].get("kind", SWITCH) == SWITCH for other in others):
            groups.setdefault(tuple(sorted(others)), []).append(server)
    found: dict[str, str] = {}
    taken: dict[str, None] = {}
    for switches, members in sorted(groups.items(), key=lambda group: len(group[0])):
        if len(switches) > 1 and len(members) < 2:
            continue
        name = "+".join(switches) if switches[0] in taken else switches[0]
        taken[name] = None
        found |= dict.fromkeys(members, name)
    return found | {vertex: str(data["unit"]) for vertex, data in vertices.items() if data.get("unit")}


def stranded(ports: Sequence[str], ends: Iterable[tuple[str, str]]) -> list[str]:
    """Return those of ``ports`` (endpoints of accelerators) that have no way both from and to the first."""
    ahead: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for src, dst in ends:
        ahead.setdefault(src, []).append(dst)
        back.setdefault(dst, []).append(src)
    there, here = (reached(ports[0], onward) if ports else {} for onward in (ahead, back))
    return [port for port in ports if port not in there or port not in here]
