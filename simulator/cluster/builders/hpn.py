"""Alibaba's HPN 7.0."""

from __future__ import annotations

import math

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.parts import Plan, room, within
from simulator.cluster.rails import bundle
from simulator.cluster.topology import LEAF_SPINE, SPINE_CORE, Topology
from simulator.core.errors import InputError

_HOSTS, _UPLINKS, _DOWNLINKS, _PORTS = 128, 60, 120, 2
_PORT, _UPLINK, _SWITCH = "roce-200g", "roce-400g", "generic/51.2t"


@builders.register("hpn")
def hpn(
    segments: int,
    hosts: int = 128,
    pods: int = 1,
    dual_tor: bool = True,
    planes: int | None = None,
    aggregation: int | None = None,
    core_oversubscription: float = 15.0,
    node: str = "hgx-h100-8",
) -> Topology:
    """Alibaba HPN 7.0: a card of 2 x 200 Gb/s for each accelerator, its ports on two switches and in two planes.

    Qian et al., "Alibaba HPN: A Data Center Network for Large Language Model Training" (SIGCOMM 2024). A segment is
    ``hosts`` servers with one pair of ToR switches for each rail, so that port 0 and port 1 of a card end on different
    ToRs and losing one halves the rate instead of ending the job. ToRs of port 0 meet on the aggregation switches of
    plane 0 and those of port 1 on plane 1: one 400 Gb/s cable from every ToR to each. Full size is 128 hosts, 8 rails
    and 60 aggregation switches a plane, so 1.067:1 at the ToR, and 15 segments (15,360 accelerators) a pod, as an
    aggregation switch takes 120 ToRs; with ``planes: 1`` it takes both ToRs of a rail and so 7 segments.

    ``dual_tor: false`` plugs both ports of a card into one ToR, for comparison: of the pair of a rail one serves the
    first half of the hosts and one the second. There are as many ToRs and cables, but one plane only.
    ``aggregation`` switches a plane are by default 60 for each 128 hosts, rounded up, so that small models keep the
    ratio. With ``pods`` above 1 there is a core, whose links carry what comes up to an aggregation switch over
    ``core_oversubscription`` (8 cables for 120 at full size; how many cores there are is not published: here as many as
    one aggregation switch has cables up). The front-end network is left out. The server of the paper is
    ``alibaba/hpn-host``.
    """
    planes = (2 if dual_tor else 1) if planes is None else planes
    aggregation = math.ceil(hosts * _UPLINKS / _HOSTS) if aggregation is None else aggregation
    plan = Plan(node, _PORT, nics=_PORTS * max(1, catalog.server(node).accelerators))
    _check(plan, segments, hosts, pods, dual_tor, planes, aggregation, core_oversubscription)
    _add_upper(plan, segments, pods, planes, aggregation, core_oversubscription)
    for segment in range(segments * pods):
        _add_segment(plan, segment, segment // segments, hosts, dual_tor, planes, aggregation)
    count = hosts * segments * pods
    kind = f"{'dual' if dual_tor else 'single'} ToR, {planes} plane{'s' * (planes > 1)}"
    return Topology(plan.graph, f"HPN 7.0, {kind}, {count} x {plan.node.short}, {_PORT}")


def _add_upper(plan: Plan, segments: int, pods: int, planes: int, aggregation: int, ratio: float) -> None:
    uplink = catalog.link(_UPLINK)
    tors = segments * plan.node.accelerators * _PORTS // planes
    cores = bundle(tors / ratio) if pods > 1 else 0
    for core in range(cores):
        _add_switch(plan, f"core-{core}", 3, pods * planes * aggregation)
    for pod in range(pods):
        for plane in range(planes):
            for number in range(aggregation):
                name = f"aggregation-{pod}-{plane}-{number}"
                _add_switch(plan, name, 2, tors + cores)
                for core in range(cores):
                    capacity = tors * uplink.goodput / ratio / cores
                    plan.join(name, f"core-{core}", capacity, 1, SPINE_CORE, uplink)


def _add_switch(plan: Plan, name: str, tier: int, links: float) -> None:
    """Add a switch of 64 ports of 800 Gb/s, each of which carries two links of 400 Gb/s, or four of 200."""
    plan.add_switch(name, tier, math.ceil(links / 2), item=_SWITCH, link="")


def _add_segment(plan: Plan, segment: int, pod: int, hosts: int, dual_tor: bool, planes: int, aggregation: int) -> None:
    uplink = catalog.link(_UPLINK)
    for rail in range(plan.node.accelerators):
        for port in range(_PORTS):
            tor = f"tor-{segment}-{rail}-{port}"
            _add_switch(plan, tor, 1, hosts / 2 + aggregation)
            for number in range(aggregation):
                name = f"aggregation-{pod}-{port % planes}-{number}"
                plan.join(tor, name, uplink.goodput, 1, LEAF_SPINE, uplink)
    for host in range(hosts):
        name, half = f"node-{segment * hosts + host}", host * 2 // hosts
        plan.add_server(name, unit=f"segment-{segment}" if dual_tor else f"segment-{segment}-{half}")
        for rail in range(plan.node.accelerators):
            if dual_tor:
                for port in range(_PORTS):
                    plan.plug_accelerator(f"{name}/{rail}", f"tor-{segment}-{rail}-{port}", 1)
            else:
                plan.plug_accelerator(f"{name}/{rail}", f"tor-{segment}-{rail}-{half}", _PORTS)


def _check(
    plan: Plan, segments: int, hosts: int, pods: int, dual_tor: bool, planes: int, aggregation: int, ratio: float
) -> None:
    within("segments", segments, 1)
    within("hosts", hosts, 1, _HOSTS)
    within("pods", pods, 1)
    within("aggregation", aggregation, 1, _UPLINKS)
    within("core_oversubscription", ratio, 0.01, 1e6)
    if planes not in (1, 2):
        raise InputError(f"planes is {planes}; a card has two ports, so there are 1 or 2")
    if not dual_tor and planes == 2:
        raise InputError(
            "planes is 2 and dual_tor is false: with both ports of a card on one ToR, the hosts of one plane could not "
            "reach those of the other; use planes: 1"
        )
    most = _DOWNLINKS * planes // (plan.node.accelerators * _PORTS)
    if segments > most:
        raise InputError(
            f"segments is {segments}; an aggregation switch takes {_DOWNLINKS} ToRs, so a pod of {planes} "
            f"plane{'s' * (planes > 1)} has at most {most} segments: use pods for more"
        )
    links = plan.node.accelerators * (2 * hosts + hosts + _PORTS * aggregation)
    room(2 * pods * (segments * links + planes * aggregation * math.ceil(_DOWNLINKS / ratio)))
