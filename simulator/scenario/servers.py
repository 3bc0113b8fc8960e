"""Servers that a scenario singles out: partitions, maintenance, and bookings in advance."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, did_you_mean
from simulator.runtime.windows import Booking, Maintenance
from simulator.scenario.serverkeys import ServerKeys
from simulator.scenario.spec import Scenario


def partitioned(scenario: Scenario, topology: Topology) -> Topology:
    """Return the topology with the scenario's partitions; raise ``InputError`` for servers that are not there."""
    partitions: Mapping[str, ServerKeys] = scenario.keys.partitions
    if not partitions:
        return topology
    chosen: dict[int, list[str]] = {}
    for name, keys in partitions.items():
        with scenario.at("partitions", name):
            for server in select(keys, topology):
                chosen.setdefault(server, []).append(name)
    return topology.with_partitions({server: ",".join(names) for server, names in chosen.items()})


def maintenance(scenario: Scenario, topology: Topology) -> list[Maintenance]:
    """Return the windows in which servers are down."""
    found = []
    for index, keys in enumerate(scenario.keys.maintenance):
        with scenario.at("maintenance", index, "servers"):
            found.append(Maintenance(keys.from_, keys.until, select(keys.servers, topology), keys.drain))
    return found


def bookings(scenario: Scenario, topology: Topology) -> list[Booking]:
    """Return the windows in which servers are kept for a tenant."""
    found = []
    for index, keys in enumerate(scenario.keys.bookings):
        with scenario.at("bookings", index, "servers"):
            chosen = select(keys.servers, topology)
            found.append(Booking(keys.from_, keys.until, chosen, keys.tenant, keys.drain))
    return found


def select(keys: ServerKeys, topology: Topology) -> tuple[int, ...]:
    """Return the indices of the servers that ``keys`` single out; ``InputError`` when there are none."""
    names = [server.name for server in topology.servers]
    for pattern in keys.names or ():
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"there is no server {pattern!r}. {did_you_mean(pattern, names)}")
    found = [
        index
        for index, server in enumerate(topology.servers)
        if (keys.names is None or any(fnmatchcase(server.name, pattern) for pattern in keys.names))
        and (keys.accelerator is None or server.accelerator == keys.accelerator)
        and set(keys.labels.items()) <= set(server.labels)
    ]
    found = found[keys.first :][: keys.count]
    if not found or (keys.count is not None and len(found) < keys.count):
        kinds = dict.fromkeys(server.accelerator for server in topology.servers)
        wanted = f"{keys.count} servers" if keys.count else "servers"
        hint = f" Accelerators here: {', '.join(kind or 'none' for kind in kinds)}." if keys.accelerator else ""
        raise InputError(f"{wanted} wanted, {len(found)} of {len(names)} are as described.{hint}")
    return tuple(found)
