"""What a reader must know of node groups and their controller, and groups that their controller cannot size."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.scenario.groupbuild import node_groups
from simulator.scenario.spec import Scenario

_NAMED = 3
"""Kinds of servers that a message names; ours."""


def group_remarks(scenario: Scenario, topology: Topology) -> list[str]:
    """Return a sentence on each group that may have no node, and on what is odd about the controller.

    Raises ``InputError`` for a controller that takes the nodes of a group to be alike where they are not.
    """
    keys = scenario.pool
    scaler = None if keys is None else keys.autoscaler.make()
    alike = bool(getattr(scaler, "alike", False))
    found: list[str] = []
    if not scenario.keys.node_groups:
        if alike:
            wrong = _mixed(range(len(topology.servers)), topology)
            if wrong:
                hint = "write node_groups, one for each kind of server"
                raise InputError(
                    scenario.root.problem(("autoscaler",), f"the pool mixes kinds of servers: {wrong}", hint)
                )
    else:
        for group in node_groups(scenario, topology)[0]:
            wrong = _mixed(group.servers, topology) if alike else ""
            if wrong:
                text = f"the group mixes kinds of servers: {wrong}"
                hint = "write a group for each kind of server: the autoscaler takes nodes of a group to be alike"
                raise InputError(scenario.root.problem(("node_groups", group.name, "servers"), text, hint))
            if group.most == 0:
                why = "its max is 0" if group.maximum == 0 else "its provider never has one"
                found.append(f"Node group {group.name} may have no node: {why}.")
    kind = "" if keys is None else keys.autoscaler.kind
    return found + [f"Autoscaler {kind}: {said}." for said in getattr(scaler, "remarks", ())]


def _mixed(servers: Sequence[int], topology: Topology) -> str:
    """Name the kinds of servers, if there are several; empty if there is one."""
    kinds: dict[tuple[object, ...], str] = {}
    for number in servers:
        server = topology.servers[number]
        kind = (server.accelerator, server.accelerators, server.cores, server.memory)
        kinds.setdefault(kind, f"{server.accelerators:,} {server.accelerator or 'accelerators'} ({server.name})")
    if len(kinds) < 2:
        return ""
    named = list(kinds.values())
    return ", ".join(named[:_NAMED]) + (f" and {len(named) - _NAMED} more" if len(named) > _NAMED else "")
