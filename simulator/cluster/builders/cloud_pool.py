"""Rented instances on a provider's network."""

from __future__ import annotations

import math

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, within
from simulator.cluster.topology import LEAF_SPINE, Topology
from simulator.core.errors import InputError


@builders.register("cloud-pool")
def cloud_pool(
    nodes: int,
    node: str = "aws/p5",
    link: str = "efa-v2",
    nodes_per_group: int | None = None,
    oversubscription: float = 1.0,
) -> Topology:
    """Rented instances on a fabric that never blocks, or does between groups; switches are the provider's.

    What is inside a cloud's network is not published: this is a hose. Each instance sends and receives what its cards
    carry (32 x 100 Gb/s of EFA on AWS P5), and the fabric adds nothing, which is how P5 UltraClusters are described
    ("non-blocking"). With ``nodes_per_group`` instances are in groups (racks, placement groups), and what a group sends
    to others is what its cards carry over ``oversubscription``. The bill has the instances, and no switch or cable.
    """
    within("nodes", nodes, 1)
    within("oversubscription", oversubscription, 0.01, 1e6)
    if nodes_per_group is None and oversubscription != 1:
        raise InputError(f"oversubscription is {oversubscription:g} between groups: say how large with nodes_per_group")
    plan = Plan(node, link)
    port = plan.wired()
    plan.add_switch("fabric", 2, 0, rented=True)
    if nodes_per_group is not None:
        within("nodes_per_group", nodes_per_group, 1)
        for group in range(math.ceil(nodes / nodes_per_group)):
            plan.add_switch(f"group-{group}", 1, 0, rented=True)
            capacity = nodes_per_group * port.trunk / oversubscription
            plan.join(f"group-{group}", "fabric", capacity, 0, LEAF_SPINE)
    for index in range(nodes):
        plan.add_server(f"node-{index}")
        plan.plug(f"node-{index}", "fabric" if nodes_per_group is None else f"group-{index // nodes_per_group}", 0)
    ratio = "" if oversubscription == 1 else f" {oversubscription:g}:1"
    return Topology(plan.graph, f"cloud pool{ratio}, {nodes} x {plan.node.short}, {port.link.short}")
