"""What ``simulator check`` says of node groups, stores, and of how replicas start and what their autoscaler is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.cluster.topology import Topology
    from simulator.runtime.supply.groups import Group
    from simulator.runtime.supply.steps import Steps
    from simulator.scenario.spec import Scenario

Facts = dict[str, "str | dict[str, str]"]
"""Sentences by what they are about, or the parts of one: in these alternatives may differ one by one."""

_MANY = 20
"""Groups beyond which they are told of together; ours."""


def group_facts(scenario: Scenario, topology: Topology) -> Facts:
    """Return what each node group is: nodes, price, how long a boot takes in the mean, market, what there is of it."""
    from simulator.core.units import format_quantity as write
    from simulator.scenario.groupbuild import node_groups

    if not scenario.keys.node_groups:
        return {}
    groups, _ = node_groups(scenario, topology)
    if len(groups) > _MANY:
        first, last = groups[0].name, groups[-1].name
        least, most = sum(group.minimum for group in groups), sum(group.most for group in groups)
        priced = [group.price for group in groups if group.price is not None]
        said = {"": f"{len(groups):,}, {first} to {last}, of {least:,} to {most:,} nodes in all"}
        if priced:
            low, high = min(min(each.values) for each in priced), max(max(each.values) for each in priced)
            said["price"] = f"{write(low, 'price', 3)} to {write(high, 'price', 3)} a node"
        return {"groups": said}
    return {f"group {group.name}": _group(group, topology, scenario) for group in groups}


def _group(group: Group, topology: Topology, scenario: Scenario) -> dict[str, str]:
    from simulator.core.units import format_quantity as write

    sizes = sorted({topology.servers[server].accelerators for server in group.servers})
    each = " or ".join(f"{size:,}" for size in sizes)
    most = f" to {group.most:,}" if group.most != group.minimum else ""
    start = "" if group.first == group.minimum else f", {group.first:,} at the start"
    said = {"": f"{group.minimum:,}{most} nodes of {each} accelerators{start}"}
    if group.price is not None:
        said["price"] = _over_time(group.price, "price", " a node")
    said["boot"] = _boot(group, scenario.keys.node_groups[group.name].boot)
    if group.warm is not None:
        paid = f", at {group.warm.price * 100:.3g} % of the price" if group.price is not None else ""
        start = write(group.warm.start, "time", 3)
        said["warm"] = f"{group.warm.nodes:,} {group.warm.state}, taken into service in {start}{paid}"
    if group.spot:
        said["market"] = "spot"
    taken = _taken(group)
    if taken:
        said["taken back"] = taken
    if group.capacity is not None:
        said["the provider has"] = _over_time(group.capacity, "", " nodes")
    if group.quota is not None:
        said["quota"] = f"{group.quota:,} nodes"
    if group.region:
        carbon = "" if group.carbon is None else f" ({_over_time(group.carbon, 'carbon')})"
        said["region"] = group.region + carbon
    return said


def _boot(group: Group, given: object) -> str:
    from simulator.core.units import format_quantity as write

    preset = f" ({given})" if isinstance(given, str) else ""
    drawn = " in the mean" if any(phase.kind != "fixed" and phase.mean > 0 for phase in group.boot) else ""
    text = f"{write(group.boot_mean, 'time', 3)}{drawn}{preset}"
    if len(group.boot) < 2:
        return text
    parts = [f"{phase.name} {write(phase.mean, 'time', 3)}" for phase in group.boot]
    return f"{text}: {' + '.join(parts)}"


def _taken(group: Group) -> str:
    from simulator.core.units import format_quantity as write

    notice = f"with {write(group.notice, 'time', 3)} of notice"
    if not isinstance(group.interruptions, int | float):
        times = sum(count for _, count in group.interruptions)
        return f"{times:,} time{'s' * (times != 1)}, {notice}"
    if group.interruptions < float("inf"):
        return f"after {write(float(group.interruptions), 'time', 3)} in the mean, {notice}"
    varies = group.capacity is not None and len(group.capacity.values) > 1
    return f"when the provider has fewer, {notice}" if varies else ""


def _over_time(steps: Steps, dimension: str, of: str = "") -> str:
    """A number with what it is ``of``, or from which to which it goes."""
    from simulator.core.units import format_quantity as write

    def text(value: float) -> str:
        if dimension == "carbon":
            return f"{value * 3.6e9:,.3g} g/kWh"
        return f"{value:,.0f}" if not dimension else write(value, dimension, 3)

    low, high = min(steps.values), max(steps.values)
    return f"{text(low)}{of}" if low == high else f"{text(low)} to {text(high)}{of}, {len(steps.values):,} changes"


def autoscaler_facts(scenario: Scenario, section: dict[str, str]) -> dict[str, str]:
    """Return what a scenario says of the autoscaler of its nodes, with the product and version that it follows."""
    product = "" if scenario.pool is None else getattr(scenario.pool.autoscaler.make(), "version", "")
    return section | ({"after": product} if product else {})


def store_facts(scenario: Scenario) -> Facts:
    """Return what each store gives, and how many servers it takes to have all of it."""
    from simulator.core.units import format_quantity as write

    facts: Facts = {}
    for name, keys in scenario.keys.stores.items():
        parts = {"": write(keys.bandwidth, "bandwidth")}
        if keys.stream is not None:
            parts["each server"] = f"at most {write(keys.stream, 'bandwidth')}"
        if keys.latency:
            parts["first byte"] = f"after {write(keys.latency, 'time', 3)}"
        facts[f"store {name}"] = parts
    return facts


def start_facts(name: str, keys: Any, weights: float = 0.0) -> Facts:
    """Return how a replica of a fleet starts, ``weights`` (bytes) being those of its model, and what is monitored.

    ``keys`` are those of a service, a load or a data job.
    """
    from simulator.core.units import format_quantity as write

    facts: Facts = {}
    phases: Mapping[str, Any] = getattr(keys, "cold_start", None) or {}
    if phases:
        facts[f"{name} cold start"] = {phase: _phase(each, weights) for phase, each in phases.items()}
    told = getattr(keys, "monitoring", None)
    if told is not None and told.scrape:
        parts = {"": f"a sample every {write(told.scrape, 'time', 3)}"}
        if told.window:
            parts["mean over"] = write(told.window, "time", 3)
        if told.lag:
            parts["old by"] = write(told.lag, "time", 3)
        facts[f"{name} monitoring"] = parts
    disruption = getattr(keys, "disruption", None)
    if disruption is not None and disruption.model_fields_set:
        most, least = disruption.max_unavailable, disruption.min_available
        parts = {} if most is None else {"": f"at most {most} unavailable"}
        parts |= {} if least is None else {"": f"at least {least} available"}
        facts[f"{name} disruption"] = parts | {"grace": write(disruption.grace, "time", 3)}
    return facts


def _phase(phase: Any, weights: float) -> str:
    from simulator.core.units import format_quantity as write

    if phase.fetch is None:
        return write(phase.seconds + (weights / phase.rate if phase.rate else 0.0), "time", 3)
    size = weights if phase.fetch.size is None else phase.fetch.size
    kept = ", kept by the node" if phase.fetch.cache == "node" else ""
    besides = f", {write(phase.seconds, 'time', 3)} besides" if phase.seconds else ""
    return f"{size / 1e9:,.4g} GB from {phase.fetch.from_}{kept}{besides}"
