"""The part of a cluster that may ever be up: node groups and pools have bounds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.scenario.groupbuild import node_groups
from simulator.scenario.spec import Scenario

T = TypeVar("T")


def reachable(scenario: Scenario, topology: Topology) -> Topology:
    """Return the cluster with as many servers of each group as may be up at once.

    Of a group that mixes kinds of servers all are kept, unless it may have none: which of them come is not known. Links
    stay as they are, and servers have other numbers.
    """
    keys, groups = scenario.pool, scenario.keys.node_groups
    bounds: list[tuple[Sequence[int], int]] = []
    if groups:
        bounds = [(group.servers, group.most) for group in node_groups(scenario, topology)[0]]
    elif keys is not None and keys.maximum is not None:
        bounds = [(range(len(topology.servers)), keys.maximum)]
    gone: set[int] = set()
    for servers, most in bounds:
        ordered = sorted(servers)
        kinds = {replace(topology.servers[number], name="", labels=()) for number in ordered}
        if most == 0 or len(kinds) == 1:
            gone.update(ordered[most:])
    if not gone:
        return topology
    other = copy.copy(topology)
    other.servers = tuple(server for number, server in enumerate(topology.servers) if number not in gone)
    return other


def within(scenario: Scenario, topology: Topology, make: Callable[[Topology], T]) -> T:
    """Return what ``make`` finds in the part of a cluster that may be up.

    Raises the ``InputError`` of ``make``; where the whole cluster would do, it says that the groups do not.
    """
    part = reachable(scenario, topology)
    try:
        return make(part)
    except InputError as error:
        if part is topology:
            raise
        make(topology)
        count = len(scenario.keys.node_groups) or 1
        said = f"0/{count} node groups can hold it with as many nodes as there may be (max, quota, capacity)"
        raise InputError(*(replace(one, text=f"{said}: {one.text}") for one in error.problems)) from None
