"""Servers without a network."""

from __future__ import annotations

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, within
from simulator.cluster.topology import Topology


@builders.register("servers")
def servers(nodes: int, node: str) -> Topology:
    """So many equal servers of the catalog, with no network between them: an idle one, or one that does not matter."""
    within("nodes", nodes, 1)
    plan = Plan(node)
    for index in range(nodes):
        plan.add_server(f"node-{index}", accelerators=False)
    return Topology(plan.graph, f"{nodes} x {plan.node.short}")
