"""The rail-optimised network."""

from __future__ import annotations

import math

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, within
from simulator.cluster.rails import Rails, spines_for
from simulator.cluster.topology import Topology


@builders.register("rail-optimised")
def rail_optimised(
    nodes: int,
    node: str = "dgx-h100",
    link: str = "infiniband-ndr",
    nodes_per_unit: int = 32,
    rails: int | None = None,
    spines: int | None = None,
    oversubscription: float = 1.0,
    cores: int = 0,
    units_per_pod: int = 4,
) -> Topology:
    """Accelerator r of every server on leaf switch r of its unit: one hop to its peers, the spine for all else.

    Each accelerator has its own cards, and is itself what the network meets. ``rails`` is one for each accelerator of a
    server if not given, or fewer that several share. ``spines`` is by default the fewest that have the ports and share
    the uplinks of a leaf equally. With ``cores`` there is a third tier: units form pods of ``units_per_pod``, each with
    ``spines`` spines of its own, which lead on to the cores all that comes up to them.

    NVIDIA's DGX SuperPOD reference architecture (RA-11333-001) is built so: see ``superpod``.
    """
    within("nodes", nodes, 1)
    within("nodes_per_unit", nodes_per_unit, 1)
    plan = Plan(node, link)
    rails = plan.node.accelerators if rails is None else rails
    within("rails", rails, 1, plan.cards and plan.node.accelerators)
    within("oversubscription", oversubscription, 0.01, 1e6)
    if spines is None:
        leaves = rails * (units_per_pod if cores else math.ceil(nodes / nodes_per_unit))
        down = nodes_per_unit * plan.wired().nics // rails
        spines = spines_for(plan, leaves, down, oversubscription, upward=cores > 0)
    made = Rails(nodes_per_unit, rails, spines, oversubscription, cores, units_per_pod)
    made.check(plan)
    made.build(plan, nodes)
    ratio = "" if oversubscription == 1 else f" {oversubscription:g}:1"
    name = f"{rails} rails{ratio}, {nodes} x {plan.node.short}, {plan.wired().link.short}"
    return Topology(plan.graph, name)
