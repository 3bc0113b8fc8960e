"""Servers that a scenario singles out: partitions, maintenance, and bookings in advance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem, did_you_mean, nearest
from simulator.runtime.windows import Booking, Maintenance
from simulator.scenario.nodes import Path
from simulator.scenario.serverkeys import ServerKeys
from simulator.scenario.services import ServiceWork
from simulator.scenario.spec import Scenario
from simulator.scenario.workloads import GeneratedWork, JobsWork, TraceWork, Work
from simulator.workload.trace import Trace


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


def named_partitions(scenario: Scenario, topology: Topology) -> list[str]:
    """Return a sentence on each workload that names a partition where the cluster has none.

    Raises ``InputError``, with the place of each, for partitions that are not among those of the cluster.
    """
    here = list(dict.fromkeys(part.strip() for server in topology.servers for part in server.partition.split(",")))
    known = [name for name in here if name]
    notes: list[str] = []
    problems: list[Problem] = []
    for name, work in scenario.workload.items():
        named = list(_partitions(name, work))
        if named and not known:
            which = ", ".join(repr(each) for each in dict.fromkeys(each for _, each in named))
            notes.append(f"Workload {name} names partition {which}, and the cluster has none: its jobs run anywhere.")
        for path, partition in named if known else ():
            if partition not in known:
                text = f"there is no partition {partition!r}"
                problems.append(scenario.root.problem(path, text, did_you_mean(partition, known)))
    if problems:
        raise InputError(*problems)
    return notes


def strange_partitions(traces: Mapping[str, Trace], topology: Topology) -> list[str]:
    """Return a sentence on each workload of which some jobs want a partition that the cluster, which has some, lacks.

    ``traces`` are those whose own partitions count, by the name of the workload.
    """
    known = {part.strip() for server in topology.servers for part in server.partition.split(",")} | {""}
    notes: list[str] = []
    for name, trace in traces.items() if len(known) > 1 else ():
        if "partition" in trace.columns:
            found, counts = np.unique(trace.columns["partition"].astype(str), return_counts=True)
            lost = {part: int(count) for part, count in zip(found.tolist(), counts, strict=True) if part not in known}
            which = ", ".join(list(lost)[:5]) + (", ..." if len(lost) > 5 else "")
            share = f"{sum(lost.values()):,} of {len(trace):,} jobs"
            notes += [f"Workload {name}: {share} want partitions that no server is in ({which})."] if lost else []
    return notes


def _partitions(name: str, work: Work) -> Iterator[tuple[Path, str]]:
    """Yield the partitions that a workload names, and where."""
    if isinstance(work, JobsWork):
        for index, job in enumerate(work.jobs):
            if job.partition:
                yield ("workload", name, "jobs", index, "partition"), job.partition
    elif isinstance(work, TraceWork | GeneratedWork | ServiceWork) and work.keys.partition:
        yield ("workload", name, "partition"), work.keys.partition
    if isinstance(work, ServiceWork):
        for path, replica in work.keys.pools():
            if replica.partition:
                yield ("workload", name, *path, "partition"), replica.partition


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


def booked_for_nobody(scenario: Scenario, traces: Iterable[Trace]) -> list[str]:
    """Return a sentence on each tenant with a booking of which no workload has a job."""
    listed = [work for work in scenario.workload.values() if isinstance(work, JobsWork)]
    tenants = {job.tenant: None for work in listed for job in work.jobs}
    tenants |= {work.keys.tenant: None for work in scenario.workload.values() if isinstance(work, ServiceWork)}
    for trace in traces:
        if "tenant" in trace.columns:
            tenants.update(dict.fromkeys(map(str, np.unique(trace.columns["tenant"].astype(str)))))
    lost = dict.fromkeys(keys.tenant for keys in scenario.keys.bookings if keys.tenant not in tenants)
    return [f"No job is of tenant {name!r}, for whom servers are booked.{_near(name, tenants)}" for name in lost]


def _near(name: str, tenants: Iterable[str]) -> str:
    close = nearest(name, list(tenants))
    return f" Is it {close!r}?" if close else ""


def _matching(names: Sequence[str], pattern: str) -> list[str]:
    """Return the names that a pattern stands for; one without wildcards stands for itself."""
    if not any(sign in pattern for sign in "*?["):
        return [pattern] if pattern in names else []
    return [name for name in names if fnmatchcase(name, pattern)]


def select(keys: ServerKeys, topology: Topology) -> tuple[int, ...]:
    """Return the indices of the servers that ``keys`` single out; ``InputError`` when there are none."""
    names = [server.name for server in topology.servers]
    named: set[str] = set()
    for pattern in keys.names or ():
        matches = _matching(names, pattern)
        named.update(matches)
        if not matches:
            raise InputError(f"there is no server {pattern!r}. {did_you_mean(pattern, names)}")
    labels = set(keys.labels.items())
    found = [
        index
        for index, server in enumerate(topology.servers)
        if (keys.names is None or server.name in named)
        and (keys.accelerator is None or server.accelerator == keys.accelerator)
        and (not labels or labels <= set(server.labels))
    ]
    found = found[keys.first :][: keys.count]
    if not found or (keys.count is not None and len(found) < keys.count):
        kinds = dict.fromkeys(server.accelerator for server in topology.servers)
        wanted = f"{keys.count} servers" if keys.count else "servers"
        hint = f" Accelerators here: {', '.join(kind or 'none' for kind in kinds)}." if keys.accelerator else ""
        raise InputError(f"{wanted} wanted, {len(found)} of {len(names)} are as described.{hint}")
    return tuple(found)
