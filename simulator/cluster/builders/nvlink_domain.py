"""Scale-up domains: many accelerators on one NVLink fabric."""

from __future__ import annotations

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, within
from simulator.cluster.rails import Rails, spines_for
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError

_LEAF_DOWN = 32
"""Ports down of a leaf: half of a 64-port switch."""
_MOST_RAILS, _TRAY = 16, 4


@builders.register("nvlink-domain")
def nvlink_domain(
    domains: int,
    node: str = "gb200-nvl72",
    link: str = "infiniband-ndr",
    rails: int | None = None,
    domains_per_unit: int | None = None,
    oversubscription: float = 1.0,
) -> Topology:
    """NVLink domains, each one server of 8 (dgx-h100) or 72 (gb200-nvl72) accelerators, joined by a network of rails.

    Inside a domain every accelerator reaches all others through its NVLink switches. One domain has no network. Several
    are joined as in ``rail-optimised``, each accelerator by cards of its own. ``rails`` is one for each accelerator of
    a domain, or in domains above 16 one for each four, as many as a compute tray of GB200 NVL72 has. A unit is as many
    domains as fill the 32 ports down of a leaf: 8 racks of 72, the scalable unit of the GB200 SuperPOD
    (docs.nvidia.com); how its leaves are shared out is not published.
    """
    within("domains", domains, 1)
    if domains == 1:
        plan = Plan(node)
        _check_whole(plan)
        plan.add_server("node-0")
        return Topology(plan.graph, f"one {plan.node.short}")
    plan = Plan(node, link)
    _check_whole(plan)
    count = plan.cards and plan.node.accelerators
    if rails is None:
        rails = count if count <= _MOST_RAILS or count % _TRAY else count // _TRAY
    within("rails", rails, 1, count)
    unit = max(1, _LEAF_DOWN * rails // (count * plan.cards)) if domains_per_unit is None else domains_per_unit
    within("domains_per_unit", unit, 1)
    within("oversubscription", oversubscription, 0.01, 1e6)
    spines = spines_for(plan, rails * -(-domains // unit), unit * plan.wired().nics // rails, oversubscription)
    made = Rails(unit, rails, spines, oversubscription)
    made.check(plan)
    made.build(plan, domains)
    ratio = "" if oversubscription == 1 else f" {oversubscription:g}:1"
    return Topology(plan.graph, f"{domains} x {plan.node.short} on {rails} rails{ratio}, {plan.wired().link.short}")


def _check_whole(plan: Plan) -> None:
    """Raise ``InputError`` for servers that are only a part of an NVLink domain, as a compute tray."""
    chip, count = plan.accelerator, plan.node.accelerators
    if chip is not None and chip.scale_up.startswith("NVLink") and count < chip.scale_up_domain:
        raise InputError(
            f"servers {plan.node.id!r} have {count} of the {chip.scale_up_domain} accelerators of their NVLink domain; "
            "a domain is one server here, as 'nvidia/gb200-nvl72' or 'nvidia/dgx-h100'"
        )
