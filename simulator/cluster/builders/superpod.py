"""NVIDIA's DGX SuperPOD."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan
from simulator.cluster.rails import Rails
from simulator.cluster.topology import BillLine, Topology
from simulator.core.errors import InputError, did_you_mean

_LINK = "infiniband-ndr"
_SWITCH = "nvidia/qm9700"
_RAILS, _UNITS_PER_POD = 8, 4
_RA = "NVIDIA DGX SuperPOD H100 reference architecture RA-11333-001 V11"


@dataclass(frozen=True, slots=True)
class Generation:
    """What is published of one generation: its server, and for each number of scalable units the switches above.

    ``upper`` maps scalable units to (spine, core) switches; ``ufm`` lists the sizes at which the fabric manager takes
    the place of one server; a unit is ``unit`` servers on ``link``; ``twin`` says that a server has two cards to an
    optical port.
    """

    node: str
    upper: dict[int, tuple[int, int]]
    ufm: tuple[int, ...] = ()
    unit: int = 32
    link: str = _LINK
    twin: bool = True


GENERATIONS = {
    "h100": Generation(
        "nvidia/dgx-h100",
        {1: (4, 0), 2: (8, 0), 3: (16, 0), 4: (16, 0), 8: (32, 0), 16: (128, 64), 32: (256, 128), 64: (512, 256)},
        ufm=(1, 2, 3, 4),
    ),
    "b200": Generation(
        "nvidia/dgx-b200", {2: (8, 0), 4: (16, 0), 8: (32, 0), 16: (128, 64), 32: (256, 128), 64: (512, 256)}
    ),
    "b300": Generation(
        "nvidia/dgx-b300",
        {1: (4, 0), 2: (8, 0), 4: (18, 0), 8: (36, 0)},
        unit=72,
        link="infiniband-xdr",
        twin=False,
    ),
}
"""H100: RA-11333-001 V11. B200 and B300 (XDR): docs.nvidia.com, DGX SuperPOD, architecture."""


@builders.register("superpod")
def superpod(su: int, generation: str = "h100", ufm: bool | None = None) -> Topology:
    """NVIDIA DGX SuperPOD of ``su`` scalable units of 32 servers, 8 rails, full bisection over NDR InfiniBand.

    ``generation`` is h100 or b200, or b300 with units of 72 servers and switches of 144 ports on XDR. Reproduces the
    published counts of servers, leaf, spine and core switches, and cables of each tier. ``ufm`` says whether the fabric
    manager takes the place of one server, as is published for H100 up to 4 units (31, 63, 95 and 127 servers) but not
    for larger ones; ``ufm: false`` gives the 4 units of 128 servers that the larger ones are multiples of.

    How it is wired: a leaf has as many cables up as down (32; 72 on XDR), in equal bundles to all spines. From 16 units
    on, 4 units form a pod with 32 spines, and each spine's 32 cables up go in equal bundles to cores of its own number
    (2, 4 and 8 of them for 16, 32 and 64 units). The counts of cables and ports are published, and leave no port of
    leaf and core open; that pods are of 4 units is our reading.

    The bill adds what is not in the graph. By rule, for every size of h100 and b200: optics, two ports to a transceiver
    (32 for each leaf, one for each two cables at a spine or core, 4 for each server; their price is in that of the
    cable), and, with the fabric manager, its 4 cables. Only for 4 H100 units, as published, because no rule is evident:
    38 racks, the storage, in-band and out-of-band networks, 4 fabric managers (UFM) and 4 management servers; for other
    sizes and generations they are left out.
    """
    if generation not in GENERATIONS:
        raise InputError(f"unknown generation {generation!r}. {did_you_mean(generation, GENERATIONS)}")
    chosen = GENERATIONS[generation]
    if su not in chosen.upper:
        sizes = sorted(chosen.upper)
        close = min(sizes, key=lambda size: (abs(size - su), size))
        raise InputError(
            f"su is {su}; {generation} is published for {', '.join(map(str, sizes))} scalable units, nearest: {close}"
        )
    if ufm and su not in chosen.ufm:
        where = f"for h100 up to {_UNITS_PER_POD} su, not for {generation} of {su}"
        raise InputError(f"ufm is true; the fabric manager takes the place of a server {where}")
    managed = su in chosen.ufm if ufm is None else ufm
    spines, cores = chosen.upper[su]
    nodes = chosen.unit * su - managed
    plan = Plan(chosen.node, chosen.link)
    pods = su // _UNITS_PER_POD if cores else 1
    Rails(chosen.unit, _RAILS, spines // pods, cores=cores, pod=_UNITS_PER_POD).build(plan, nodes)
    name = f"DGX SuperPOD {generation.upper()}, {su} SU, {nodes} x {plan.node.short}, {chosen.link}"
    extras = _optics(chosen.unit * su, nodes, bool(cores)) if chosen.twin else []
    extras += [_fabric_manager_cables()] if managed else []
    if managed and (generation, su) == ("h100", 4):
        extras += _published_for_four()
    return Topology(plan.graph, name, extras)


def _optics(places: int, nodes: int, cores: bool) -> list[BillLine]:
    cables = places * _RAILS
    switch = cables // 2 * (5 if cores else 3)
    included = f"two ports each; their price is in that of the {_LINK} cable"
    return [
        BillLine("switch transceiver", "twin-port OSFP", switch, 0.0, None, included),
        BillLine("system transceiver", "twin-port OSFP", nodes * _RAILS // 2, 0.0, None, included),
    ]


def _fabric_manager_cables() -> BillLine:
    return BillLine("management cable", _LINK, 4, catalog.link(_LINK).cable_price, 0.0, _RA)


def _published_for_four() -> list[BillLine]:
    """What the 4-unit H100 pod has besides its compute network; none of it follows from a rule we know."""
    included = f"{_RA}; their price is in that of the cable"
    cable = catalog.link(_LINK).cable_price
    return [
        *(
            BillLine(kind, item, count, record.price, record.power, f"{_RA}; {record.source}")
            for kind, item, count in (
                ("storage switch", _SWITCH, 16),
                ("in-band switch", "nvidia/sn4600c", 8),
                ("out-of-band switch", "nvidia/sn2201", 8),
            )
            for record in (catalog.switch(item),)
        ),
        BillLine("storage cable", _LINK, 494, cable, 0.0, _RA),
        BillLine("storage switch transceiver", "twin-port OSFP", 369, 0.0, None, included),
        BillLine("storage system transceiver", "twin-port OSFP", 254, 0.0, None, included),
        BillLine("fabric manager", "UFM appliance", 4, None, None, _RA),
        BillLine("management server", "", 4, None, None, _RA),
        BillLine("rack", "", 38, None, None, _RA),
    ]
