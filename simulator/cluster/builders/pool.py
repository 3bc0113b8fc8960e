"""A plain pool of accelerators."""

from __future__ import annotations

import networkx as nx

from simulator.cluster.builders import builders
from simulator.cluster.parts import within
from simulator.cluster.topology import SERVER, Topology


@builders.register("pool")
def pool(accelerators: int, accelerator: str = "") -> Topology:
    """So many accelerators in one place, with no servers to fit into and no network."""
    within("accelerators", accelerators, 1, 1_000_000_000)
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.add_node("pool", kind=SERVER, accelerators=accelerators, accelerator=accelerator)
    return Topology(graph, f"pool of {accelerators}")
