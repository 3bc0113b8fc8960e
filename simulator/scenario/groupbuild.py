"""From ``node_groups:`` to the supply of nodes of one run."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, did_you_mean
from simulator.runtime.supply.boots import DEFAULT, Boot, Phase, Warm
from simulator.runtime.supply.groups import Group, largest, numbers
from simulator.runtime.supply.nodepool import NodePool
from simulator.runtime.supply.steps import Steps
from simulator.runtime.supply.supply import Supply
from simulator.scenario.groupkeys import InterruptionKeys, LawKeys, NodeGroupKeys, WarmKeys, boot_of
from simulator.scenario.regions import carbon, file
from simulator.scenario.servers import select
from simulator.scenario.spec import Scenario
from simulator.workload.supplytraces import columns, nodes, removals

_RUNNING, _STOPPED = 1.866, 21.178
"""Seconds until a warm EC2 node takes work (m7i.large, one run each; brevdev/ec2-coldboot-research,
docs/warm-pool-results.md and docs/start-stopped-results.md)."""


def supply(scenario: Scenario, topology: Topology) -> tuple[Supply | None, list[str]]:
    """Return the supply of nodes of a scenario, and what a reader must know of it; None for a fixed cluster.

    Raises ``InputError`` with the place in the scenario file for what does not fit the cluster.
    """
    keys = scenario.pool
    if scenario.keys.node_groups:
        groups, notes = node_groups(scenario, topology)
        return Supply(None if keys is None else keys.autoscaler.make(), groups), notes
    if keys is None:
        return None, []
    count = len(topology.servers)
    for name, value in (("max", keys.maximum), ("initial", keys.initial), ("min", keys.minimum)):
        if value is not None and value > count:
            text = f"{name} is {value} nodes; the topology has {count} servers"
            raise InputError(scenario.root.problem(("autoscaler", name), text))
    return NodePool(keys.autoscaler.make(), keys.minimum, keys.maximum, keys.provision, keys.initial), []


def node_groups(scenario: Scenario, topology: Topology) -> tuple[list[Group], list[str]]:
    """Return the groups of a scenario, checked against each other and the cluster, and notes on their traces."""
    groups: list[Group] = []
    notes: list[str] = []
    owner: dict[int, str] = {}
    for name, keys in scenario.keys.node_groups.items():
        with scenario.at("node_groups", name, "servers"):
            servers = select(keys.servers, topology)
            for server in servers:
                if server in owner:
                    shown = topology.servers[server].name
                    raise InputError(f"server {shown!r} is in node group {owner[server]!r} already; groups share none")
                owner[server] = name
        groups.append(_group(scenario, name, keys, servers, notes))
        with scenario.at("node_groups", name):
            _fits(groups[-1])
    return groups, list(dict.fromkeys(notes))


def room(scenario: Scenario, topology: Topology) -> int:
    """Return the accelerators that may ever be up at once."""
    total = [server.accelerators for server in topology.servers]
    if scenario.keys.node_groups:
        import numpy as np

        return largest(node_groups(scenario, topology)[0], np.array(total))
    return sum(sorted(total, reverse=True)[: None if scenario.pool is None else scenario.pool.maximum])


def _fits(group: Group) -> None:
    count = len(group.servers)
    for name, value in (("max", group.maximum), ("min", group.minimum), ("initial", group.initial)):
        if value is not None and value > count:
            raise InputError(f"{name} is {value} nodes; the group has {count} servers")
    wrong = numbers(group)
    if wrong:
        raise InputError(wrong)


def _group(scenario: Scenario, name: str, keys: NodeGroupKeys, servers: tuple[int, ...], notes: list[str]) -> Group:
    interruptions: Any = math.inf
    if isinstance(keys.interruptions, InterruptionKeys):
        interruptions = keys.interruptions.mean
    elif keys.interruptions is not None:
        with scenario.at("node_groups", name, "interruptions"):
            interruptions = removals(file(scenario, ("node_groups", name, "interruptions"), keys.interruptions))
    with scenario.at("node_groups", name, "boot"):
        boot = _phases(keys.boot)
    return Group(
        name, servers, minimum=keys.min, maximum=keys.max, initial=keys.initial, quota=keys.quota,
        price=_price(scenario, name, keys, notes), spot=keys.market == "spot", boot=boot, warm=_warm(keys.warm),
        region=keys.region or "", carbon=carbon(scenario, keys.region, notes),
        capacity=_capacity(scenario, name, keys, notes), interruptions=interruptions, notice=keys.notice,
        grace=keys.grace,
    )  # fmt: skip


def _price(scenario: Scenario, name: str, keys: NodeGroupKeys, notes: list[str]) -> Steps | None:
    if keys.price is None:
        return None
    factor = 1.0 if keys.region is None else scenario.keys.regions[keys.region].price
    if not isinstance(keys.price, str):
        return Steps.constant(keys.price * factor)
    where = ("node_groups", name, "price")
    with scenario.at(*where):
        levels = columns(file(scenario, where, keys.price), ("price",))
        notes += [f"Node group {name}: {note}." for note in levels.notes]
        return Steps(levels.times, [value * factor / 3600.0 for value in levels.values])


def _capacity(scenario: Scenario, name: str, keys: NodeGroupKeys, notes: list[str]) -> Steps | None:
    if not isinstance(keys.capacity, str):
        return None if keys.capacity is None else Steps.constant(keys.capacity)
    where = ("node_groups", name, "capacity")
    with scenario.at(*where):
        levels = nodes(file(scenario, where, keys.capacity))
        notes += [f"Node group {name}: {note}." for note in levels.notes]
        return Steps(levels.times, levels.values)


def _warm(keys: WarmKeys | None) -> Warm | None:
    if keys is None:
        return None
    running = keys.state == "running"
    start = (_RUNNING if running else _STOPPED) if keys.start is None else keys.start
    return Warm(keys.nodes, keys.state, start, float(running) if keys.price is None else keys.price)


def _phases(boot: str | Mapping[str, LawKeys] | None) -> Boot:
    if boot is None:
        return DEFAULT
    if isinstance(boot, str):
        known = presets()
        if boot not in known:
            raise InputError(f"unknown boot {boot!r}. {did_you_mean(boot, known)}")
        boot = boot_of(known[boot]["phases"])
        assert not isinstance(boot, str)
    return tuple(_law(name, keys) for name, keys in boot.items())


def _law(name: str, keys: LawKeys) -> Phase:
    if keys.low is not None and keys.high is not None:
        return Phase(name, (keys.low + keys.high) / 2, "uniform", (keys.high - keys.low) / 2)
    assert keys.mean is not None
    return Phase(name, keys.mean, keys.kind, keys.sigma or 0.0)


@functools.cache
def presets() -> dict[str, Any]:
    """Return the boots that have a name, each with its phases, source, date and confidence."""
    import yaml

    text = (resources.files("simulator.scenario") / "data" / "boots.yaml").read_text("utf-8")
    rows: dict[str, Any] = yaml.safe_load(text)
    return rows
