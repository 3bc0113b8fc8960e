"""Explicit links."""

from __future__ import annotations

from typing import Any

from simulator.cluster.builders import builders
from simulator.cluster.explicit import explicit_graph
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError


@builders.register("links")
def links(links: list[dict[str, Any]], servers: dict[str, dict[str, Any]] | None = None) -> Topology:
    """Directed links with capacity and latency each, numbered by position; ``servers`` says where jobs can run."""
    if not links and not servers:
        raise InputError("no links and no servers: there is nothing in this topology")
    topology = Topology(explicit_graph(links, servers, bare=False), "links")
    topology.check_connected()
    return topology
