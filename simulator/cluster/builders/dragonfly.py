"""The dragonfly."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, room, within
from simulator.cluster.topology import GLOBAL, LOCAL, Topology
from simulator.core.errors import InputError


@builders.register("dragonfly")
def dragonfly(
    terminals: int,
    groups: int | None = None,
    routers: int | None = None,
    global_links: int | None = None,
    node: str = "dgx-h100",
    link: str = "infiniband-ndr",
    nodes: int | None = None,
) -> Topology:
    """Groups of routers, all joined to all within a group, and every group to every other by global links.

    Kim, Dally, Scott and Abts, "Technology-driven, highly-scalable dragonfly topology" (ISCA 2008): a router has
    ``terminals`` (p) servers, ``routers`` (a) is how many a group has, ``global_links`` (h) how many of each go to
    other groups. Balanced, and the default, is a = 2p = 2h, and as many ``groups`` (g) as can be, a h + 1: then one
    global link joins each two groups. With fewer groups the a h links of a group go round the others in numbers as
    equal as can be; one may be left over.

    Routes are the shortest in links: never longer than local, global, local, though global links in a row that are no
    longer may be taken as well. All links are of one rate. A server with several cards has one such network for each
    card, side by side; a link of this graph stands for that bundle. ``nodes`` leaves places empty, from the last one
    back.
    """
    within("terminals", terminals, 1, 1_000)
    routers = 2 * terminals if routers is None else routers
    global_links = terminals if global_links is None else global_links
    within("routers", routers, 1, 10_000)
    within("global_links", global_links, 0, 10_000)
    ports = routers * global_links
    groups = ports + 1 if groups is None else groups
    if not 1 <= groups <= ports + 1:
        raise InputError(
            f"groups is {groups}; {routers} routers with {global_links} global links reach {ports} other groups: "
            f"1 to {ports + 1}"
        )
    places = groups * routers * terminals
    count = places if nodes is None else nodes
    if not 1 <= count <= places:
        raise InputError(f"nodes is {count}; this dragonfly has places for 1 to {places:,} servers")
    within("nodes", count, 1)
    plan = Plan(node, link)
    room(2 * groups * (routers * (routers - 1) // 2 + ports) + 2 * count * (plan.node.accelerators + 1))
    _add_routers(plan, groups, routers, terminals, global_links)
    for index in range(count):
        router = index // terminals
        plan.add_server(f"node-{index}")
        plan.plug(f"node-{index}", f"router-{router // routers}-{router % routers}")
    shape = f"g={groups} a={routers} p={terminals} h={global_links}"
    return Topology(plan.graph, f"dragonfly {shape}, {count} x {plan.node.short}, {plan.wired().link.short}")


def _add_routers(plan: Plan, groups: int, routers: int, terminals: int, global_links: int) -> None:
    port = plan.wired()
    cables = list(_global(groups, routers * global_links))
    used: dict[tuple[int, int], int] = {}
    for (group, number), (other, far) in cables:
        for end in ((group, number // global_links), (other, far // global_links)):
            used[end] = used.get(end, 0) + 1
    for group in range(groups):
        for router in range(routers):
            ports = terminals + routers - 1 + used.get((group, router), 0)
            plan.add_switch(f"router-{group}-{router}", 1, ports * port.nics)
        for a, b in combinations(range(routers), 2):
            plan.join(f"router-{group}-{a}", f"router-{group}-{b}", port.trunk, port.nics, LOCAL)
    for (group, number), (other, far) in cables:
        ends = f"router-{group}-{number // global_links}", f"router-{other}-{far // global_links}"
        plan.join(*ends, port.trunk, port.nics, GLOBAL)


def _global(groups: int, ports: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Global cables, each once, as (group, port) pairs.

    Port number k of a group leads to the group ``offsets[k]`` further on, where the port of the opposite offset of the
    same round leads back (the "relative" arrangement; Camarero, Vallejo and Beivide, ACM TACO 2014).
    """
    places: dict[tuple[int, int], int] = {}
    for place, (turn, offset) in enumerate(_offsets(groups, ports)):
        places[turn, offset] = place
    for group in range(groups):
        for (turn, offset), place in places.items():
            other = (group + offset) % groups
            if 2 * offset < groups or (2 * offset == groups and group < other):
                yield (group, place), (other, places[turn, groups - offset])


def _offsets(groups: int, ports: int) -> Iterator[tuple[int, int]]:
    """Round and distance of the group that each port leads to; with each distance comes its opposite."""
    turn = 0
    while groups > 1 and ports >= groups - 1:
        yield from ((turn, offset) for offset in range(1, groups))
        ports -= groups - 1
        turn += 1
    if groups % 2 == 0 and ports % 2:
        yield turn, groups // 2
        ports -= 1
    for offset in range(1, (groups + 1) // 2):
        if ports >= 2:
            yield turn, offset
            yield turn, groups - offset
            ports -= 2
