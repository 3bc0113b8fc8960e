"""All servers on one switch."""

from __future__ import annotations

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, within
from simulator.cluster.topology import Topology


@builders.register("single-switch")
def single_switch(nodes: int, node: str = "dgx-h100", link: str = "infiniband-ndr") -> Topology:
    """All servers on one switch that never blocks: only the servers' own network cards can be full."""
    within("nodes", nodes, 1)
    plan = Plan(node, link)
    port = plan.wired()
    plan.add_switch("switch", 1, nodes * port.nics)
    for index in range(nodes):
        plan.add_server(f"node-{index}")
        plan.plug(f"node-{index}", "switch")
    return Topology(plan.graph, f"{nodes} x {plan.node.short} on one switch, {port.link.short}")
