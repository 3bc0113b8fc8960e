"""Two tiers of switches."""

from __future__ import annotations

import math

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, room, within
from simulator.cluster.topology import LEAF_SPINE, Topology


@builders.register("leaf-spine")
def leaf_spine(
    nodes: int,
    node: str = "dgx-h100",
    link: str = "infiniband-ndr",
    nodes_per_leaf: int = 4,
    spines: int = 4,
    oversubscription: float = 1.0,
) -> Topology:
    """Servers on leaf switches, every leaf joined to every spine.

    Each leaf's uplinks carry together what its servers' cards carry, divided by ``oversubscription``, in equal parts to
    the spines. Of a server's cards, all go to its leaf.
    """
    for name, value, least in (
        ("nodes", nodes, 1),
        ("nodes_per_leaf", nodes_per_leaf, 1),
        ("spines", spines, 1),
        ("oversubscription", oversubscription, 0.01),
    ):
        within(name, value, least)
    plan = Plan(node, link)
    port = plan.wired()
    leaves = math.ceil(nodes / nodes_per_leaf)
    room(2 * leaves * spines)
    up = nodes_per_leaf * port.trunk / oversubscription / spines
    cables = max(1, math.ceil(nodes_per_leaf * port.nics / oversubscription / spines - 1e-9))
    for spine in range(spines):
        plan.add_switch(f"spine-{spine}", 2, leaves * cables)
    for leaf in range(leaves):
        plan.add_switch(f"leaf-{leaf}", 1, nodes_per_leaf * port.nics + spines * cables)
        for spine in range(spines):
            plan.join(f"leaf-{leaf}", f"spine-{spine}", up, cables, LEAF_SPINE)
    for index in range(nodes):
        plan.add_server(f"node-{index}")
        plan.plug(f"node-{index}", f"leaf-{index // nodes_per_leaf}")
    name = f"leaf-spine {oversubscription:g}:1, {nodes} x {plan.node.short}, {port.link.short}"
    return Topology(plan.graph, name)
