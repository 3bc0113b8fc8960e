"""The k-ary fat-tree."""

from __future__ import annotations

import math

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, within
from simulator.cluster.topology import LEAF_SPINE, SPINE_CORE, Topology
from simulator.core.errors import InputError


@builders.register("fat-tree")
def fat_tree(
    k: int,
    node: str = "dgx-h100",
    link: str = "infiniband-ndr",
    oversubscription: float = 1.0,
    nodes: int | None = None,
) -> Topology:
    """Three tiers of k-port switches: k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 cores, k^3/4 servers.

    Al-Fares, Loukissas and Vahdat, "A scalable, commodity data center network architecture" (SIGCOMM 2008). A server
    with several cards has one such tree for each card, side by side; a link of this graph stands for that bundle. The
    uplinks of an edge switch carry what its servers' cards carry, divided by ``oversubscription``. ``nodes`` leaves
    places empty, from the last one back.
    """
    if k < 2 or k % 2:
        raise InputError(f"k is {k}; a fat-tree needs an even number of ports, as {max(2, k + k % 2)}")
    within("k", k, 2, 64)
    within("oversubscription", oversubscription, 0.01, 1e6)
    half, places = k // 2, k**3 // 4
    count = places if nodes is None else nodes
    if not 1 <= count <= places:
        raise InputError(f"nodes is {count}; a fat-tree of k = {k} has places for 1 to {places} servers")
    plan = Plan(node, link)
    port = plan.wired()
    up = port.trunk / oversubscription
    cables = max(1, math.ceil(port.nics / oversubscription - 1e-9))
    for core in range(half * half):
        plan.add_switch(f"core-{core}", 3, k * cables)
    for pod in range(k):
        for aggregation in range(half):
            plan.add_switch(f"aggregation-{pod}-{aggregation}", 2, k * cables)
            for core in range(half):
                plan.join(
                    f"aggregation-{pod}-{aggregation}", f"core-{aggregation * half + core}", up, cables, SPINE_CORE
                )
        for edge in range(half):
            plan.add_switch(f"edge-{pod}-{edge}", 1, half * (port.nics + cables))
            for aggregation in range(half):
                plan.join(f"edge-{pod}-{edge}", f"aggregation-{pod}-{aggregation}", up, cables, LEAF_SPINE)
    for index in range(count):
        edge, pod = index // half % half, index // (half * half)
        plan.add_server(f"node-{index}")
        plan.plug(f"node-{index}", f"edge-{pod}-{edge}")
    ratio = "" if oversubscription == 1 else f" {oversubscription:g}:1"
    return Topology(plan.graph, f"fat-tree k={k}{ratio}, {count} x {plan.node.short}, {port.link.short}")
