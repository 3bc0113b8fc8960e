"""Stores as vertices of the network: registries, object stores and file systems that servers fetch from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.cluster.topology import SERVER, SWITCH, Topology
from simulator.core.errors import InputError, did_you_mean

STORE = "store"
"""Tier of the links of a store."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """How a store meets the network.

    ``bandwidth`` is what all its streams get together (bytes/s, each direction), ``at`` the switches that it is plugged
    into (empty: those furthest from the servers). ``server`` is the bandwidth of each server where the topology has no
    network.
    """

    bandwidth: float
    at: Sequence[str] = ()
    server: float = 25e9 / 8


def attached(topology: Topology, stores: Mapping[str, Attachment]) -> Topology:
    """Return the topology with stores, each a vertex of its name behind one link of its bandwidth.

    Numbers of links stay what they were; those of stores come after. Raises ``InputError`` for a name that a vertex has
    already, and for a switch that is not there.
    """
    if not stores:
        return topology
    graph = topology.graph.copy()
    number = len(topology.ends)

    def cable(one: str, other: str, capacity: float) -> None:
        nonlocal number
        for src, dst in ((one, other), (other, one)):
            graph.add_edge(src, dst, index=number, capacity=capacity, latency=0.0, tier=STORE)
            number += 1

    switches = [vertex for vertex, data in topology.graph.nodes(data=True) if data.get("kind", SWITCH) == SWITCH]
    for name, store in stores.items():
        if name in graph:
            raise InputError(f"the topology has a vertex {name!r} already; call the store something else")
        unknown = next((switch for switch in store.at if switch not in switches), None)
        if unknown is not None:
            raise InputError(f"there is no switch {unknown!r}. {did_you_mean(unknown, switches)}")
        graph.add_node(name, kind=SWITCH, store=True)
        door = f"{name}/door"
        graph.add_node(door, kind=SWITCH, store=True)
        cable(name, door, store.bandwidth)
        tops = list(store.at) or _tops(topology, switches)
        for switch in tops:
            cable(door, switch, store.bandwidth)
        if not tops:
            for vertex, data in topology.graph.nodes(data=True):
                if data.get("kind") == SERVER:
                    cable(door, vertex, store.server)
    made = Topology(graph, topology.name, topology.extras)
    made.servers = topology.servers
    return made


def _tops(topology: Topology, switches: Sequence[str]) -> list[str]:
    """Switches furthest from the servers, as builders number their tiers; all of them where none has a tier."""
    tiers = [topology.graph.nodes[switch].get("tier") or 0 for switch in switches]
    most = max(tiers, default=0)
    return [switch for switch, tier in zip(switches, tiers, strict=True) if tier == most]
