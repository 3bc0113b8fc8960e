"""Explicit links."""

from __future__ import annotations

from typing import Any

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology


@builders.register("links")
def links(links: list[dict[str, Any]], servers: dict[str, dict[str, Any]] | None = None) -> Topology:
    """Directed links with capacity and latency each, numbered by position; ``servers`` says where jobs can run."""
    return Topology.from_links(links, servers)
