"""From a checked scenario to the live objects of one run."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter

import numpy as np

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem
from simulator.core.rng import stream
from simulator.runtime.accounting import Costs
from simulator.runtime.journal import Progress
from simulator.runtime.simulation import Simulation
from simulator.scenario.costs import costs
from simulator.scenario.failurebuild import check_spares, failure_parts
from simulator.scenario.fleetplans import PlannedFleet, check_fleet, fleet_of, fleet_parts
from simulator.scenario.groupbuild import room, supply
from simulator.scenario.groupremarks import group_remarks
from simulator.scenario.joblist import listed_jobs
from simulator.scenario.links import capacity_events, link_events
from simulator.scenario.loads import LoadWork
from simulator.scenario.nodegroups import priced
from simulator.scenario.pace import paced
from simulator.scenario.remarks import remarks
from simulator.scenario.savingkeys import SavingKeys
from simulator.scenario.servers import (
    booked_for_nobody,
    bookings,
    maintenance,
    named_partitions,
    partitioned,
    strange_partitions,
)
from simulator.scenario.servicebuild import Service, replicas_of, service_of
from simulator.scenario.serviceremarks import together
from simulator.scenario.services import ServiceWork
from simulator.scenario.spec import Scenario
from simulator.scenario.stores import stores, with_stores
from simulator.scenario.taskjobs import TaskWork
from simulator.scenario.traces import TraceCache, cut
from simulator.scenario.workloads import Common, Cut, GeneratedWork, JobsWork, TraceWork, TransferKeys, TransfersWork
from simulator.workload.generate import generate
from simulator.workload.jobs import Job, Transfer
from simulator.workload.saving import Saving
from simulator.workload.trace import Trace


@dataclass(frozen=True, slots=True)
class Stream:
    """The jobs of one workload: how many, how many accelerators each (an array), and fresh objects on demand."""

    name: str
    accelerators: np.ndarray
    fresh: Callable[[], Iterator[Job]]
    trace: Trace | None = None

    def __len__(self) -> int:
        return len(self.accelerators)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one run of a scenario needs, short of policies: cluster, work, and what a reader must know of them.

    ``set_aside`` counts rows of traces that did not become jobs, by workload and reason.
    """

    topology: Topology
    streams: tuple[Stream, ...]
    transfers: tuple[Transfer, ...]
    services: tuple[Service, ...] = ()
    fleets: tuple[PlannedFleet, ...] = ()
    notes: tuple[str, ...] = ()
    set_aside: dict[str, int] = field(default_factory=dict)

    def jobs(self) -> Iterator[Job]:
        """Return fresh jobs of all workloads by time of submission; ties in the order of the workloads."""
        streams = [stream.fresh() for stream in self.streams]
        return streams[0] if len(streams) == 1 else heapq.merge(*streams, key=attrgetter("submit"))

    def least(self) -> Iterator[float]:
        """Return the fewest accelerators that each job can run on; for traces, those that it asks for."""
        for each in self.streams:
            if each.trace is not None:
                yield from each.accelerators.tolist()
            else:
                yield from (job.minimum or job.accelerators for job in each.fresh())


def build(
    scenario: Scenario,
    seed: int | None = None,
    replication: int = 0,
    traces: TraceCache | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Return the simulation of one replication of ``scenario``, ready to run.

    ``scenario`` must be one alternative: what it compares is ignored. ``seed`` replaces the scenario's own. ``traces``
    keeps what was read and built for the next call. Raises ``InputError`` with the place in the scenario file for
    whatever turns out not to fit: an unknown device, a trace that is not of its format, a transfer without a route.
    """
    root = scenario.seed if seed is None else seed
    made = plan(scenario, root, replication, traces)
    run = scenario.run
    check_spares(scenario, made.topology, made.least())
    nodes, said = supply(scenario, made.topology)
    spent, notes = build_costs(scenario, made.topology)
    return Simulation(
        topology=made.topology,
        scheduler=scenario.keys.scheduler.make(),
        placer=scenario.keys.placement.make(),
        jobs=made.jobs(),
        transfers=made.transfers,
        services=[service.spec for service in made.services],
        stores=stores(scenario),
        parts=[*failure_parts(scenario, made.topology), *fleet_parts(made.fleets)],
        pool=nodes,
        capacity_events=capacity_events(scenario, made.topology),
        link_events=link_events(scenario, made.topology),
        reroute=scenario.network.reroute,
        contention=scenario.network.contention != "none",
        fidelity=scenario.network.fidelity,
        routing=scenario.network.routing,
        flows=scenario.network.flows,
        collectives=scenario.network.collectives,
        record_links=scenario.network.record == "links",
        record_interval=scenario.network.record_interval,
        maintenance=maintenance(scenario, made.topology),
        bookings=bookings(scenario, made.topology),
        kept=[name for name, work in scenario.workload.items() if _keeps(getattr(work, "keys", None))],
        interference=None if scenario.keys.interference is None else scenario.keys.interference.make(),
        restart=run.restart,
        explain=run.explain,
        until=math.inf if run.until is None else run.until,
        warmup=run.warmup,
        seed=root,
        replication=replication,
        costs=spent,
        notes=[*made.notes, *notes, *said, *scenario.network.remarks()],
        set_aside=made.set_aside,
        progress=progress,
    )


def plan(scenario: Scenario, seed: int | None = None, replication: int = 0, traces: TraceCache | None = None) -> Plan:
    """Return cluster and work of one replication, checked against each other."""
    traces = TraceCache() if traces is None else traces
    topology = build_topology(scenario, traces)
    root = scenario.seed if seed is None else seed
    parted = named_partitions(scenario, topology)
    streams: list[Stream] = []
    transfers: list[Transfer] = []
    services: list[Service] = []
    fleets: list[PlannedFleet] = []
    for name, work in scenario.workload.items():
        if isinstance(work, TransfersWork):
            transfers.extend(_transfers(scenario, name, work, topology))
        elif isinstance(work, ServiceWork):
            services.append(service_of(scenario, name, work, topology, root, replication, traces))
        elif isinstance(work, LoadWork | TaskWork):
            fleets.append(fleet_of(scenario, name, work, topology, root, replication))
        else:
            streams.append(_stream(scenario, name, work, root, replication, traces))
    notes, set_aside = _remarks([*streams, *services])
    notes += [note for made in streams for note in _oversize(scenario, made, topology)]
    own = {name for name, work in scenario.workload.items() if isinstance(work, TraceWork) and not work.keys.partition}
    notes += strange_partitions(
        {made.name: made.trace for made in streams if made.trace and made.name in own}, topology
    )
    notes += booked_for_nobody(scenario, [made.trace for made in streams if made.trace is not None])
    notes += [note for made in (*services, *fleets) for note in made.notes]
    notes += together([pool for made in services for pool in made.pools], topology)
    notes += parted + remarks(scenario, topology) + group_remarks(scenario, topology)
    return Plan(topology, tuple(streams), tuple(transfers), tuple(services), tuple(fleets), tuple(notes), set_aside)


def check_services(scenario: Scenario, traces: TraceCache | None = None) -> None:
    """Raise ``InputError`` for replicas that do not fit the cluster; their requests are neither read nor made."""
    kinds = (ServiceWork, LoadWork, TaskWork)
    works = {name: work for name, work in scenario.workload.items() if isinstance(work, kinds)}
    if works:
        topology = build_topology(scenario, traces)
        for name, work in works.items():
            if isinstance(work, ServiceWork):
                replicas_of(scenario, name, work, topology)
            elif isinstance(work, LoadWork | TaskWork):
                check_fleet(scenario, name, work, topology)


def build_topology(scenario: Scenario, traces: TraceCache | None = None) -> Topology:
    """Return the cluster of a scenario; raise ``InputError``, with its place, for parameters that make none."""
    source = scenario.topology
    if source.build is None:
        ready: Topology = source.ready
        return partitioned(scenario, with_stores(scenario, ready))
    with scenario.at("topology"):
        topology = (TraceCache() if traces is None else traces).topology(source.build)
    return partitioned(scenario, with_stores(scenario, topology))


def build_costs(scenario: Scenario, topology: Topology) -> tuple[Costs, list[str]]:
    """Return what the cluster costs and draws, and sentences on what that leaves out."""
    with scenario.at("cost"):
        carbon = any(region.carbon is not None for region in scenario.keys.regions.values())
        return costs(scenario.cost, topology, priced(scenario.keys.node_groups), carbon)


def _stream(
    scenario: Scenario,
    name: str,
    work: TraceWork | GeneratedWork | JobsWork,
    seed: int,
    replication: int,
    traces: TraceCache,
) -> Stream:
    if isinstance(work, JobsWork):
        return Stream(name, *listed_jobs(scenario, name, work, build_topology(scenario, traces)))
    with scenario.at("workload", name):
        if isinstance(work, TraceWork):
            whole = traces.trace(work)
        else:
            whole = _generate(scenario, name, work, seed, replication, traces)
        trace = cut(whole, work.keys)
        if not len(trace):
            raise InputError(f"no job of {whole.name!r} is left")
        if isinstance(work, TraceWork) and work.keys.resample is not None:
            trace = trace.resample(work.keys.resample, stream(seed, f"resample:{name}", replication))
        if work.keys.pace is not None:
            trace = paced(trace, work.keys.pace, build_topology(scenario, traces))
        if work.keys.estimates == "limit":
            trace = trace.with_limits_as_estimates()
    over = _for_all(work.keys)
    saving = _saving(scenario, name, work.keys)
    return Stream(name, trace.columns["accelerators"], lambda: _saved(trace.jobs(name, **over), saving), trace)


def _saving(scenario: Scenario, name: str, keys: Cut) -> Saving | None:
    """Return how the jobs of a stream write checkpoints that cost something."""
    if not isinstance(keys.checkpoint, SavingKeys):
        return None
    with scenario.at("workload", name, "checkpoint"):
        return keys.checkpoint.saving()


def _saved(jobs: Iterator[Job], saving: Saving | None) -> Iterator[Job]:
    """Return the same jobs, with their checkpoints."""
    if saving is None:
        return jobs
    return map(partial(_with_saving, saving), jobs)


def _with_saving(saving: Saving, job: Job) -> Job:
    job.saving, job.checkpoint = saving, 0.0
    return job


def _for_all(keys: Cut) -> dict[str, object]:
    """Return what holds for every job of a stream, whatever its trace says."""
    over: dict[str, object] = {"estimate": -1.0} if keys.estimates == "exact" else {}
    if keys.walltime == "ignore":
        over["limit"] = math.inf
    for key in ("restart", "checkpoint", "preemptible", "partition"):
        value = getattr(keys, key)
        if value is not None and not isinstance(value, SavingKeys):
            over[key] = value
    return over


def _generate(
    scenario: Scenario, name: str, work: GeneratedWork, seed: int, replication: int, traces: TraceCache
) -> Trace:
    options = dict(work.options)
    if "load" in options and "accelerators" not in options:
        options["accelerators"] = _reference(scenario, traces).accelerators
    return generate(work.keys.generate, seed=seed, replication=replication, prefix=name, **options)


def _reference(scenario: Scenario, traces: TraceCache) -> Topology:
    """Return the cluster that a load refers to: that of the baseline, so that alternatives get the same work."""
    baseline = scenario if scenario.baseline is None else replace(scenario, root=scenario.baseline, baseline=None)
    return build_topology(baseline, traces)


def _transfers(scenario: Scenario, name: str, work: TransfersWork, topology: Topology) -> Iterator[Transfer]:
    problems: list[Problem] = []
    for index, keys in enumerate(work.transfers):
        transfer = _transfer(name, index + 1, keys)
        try:
            with scenario.at("workload", name, "transfers", index):
                _check_route(topology, transfer)
        except InputError as error:
            problems.extend(error.problems)
        yield transfer
    if problems:
        raise InputError(*problems)


def _transfer(workload: str, number: int, keys: TransferKeys) -> Transfer:
    return Transfer(
        id=keys.id or f"{workload}-{number}",
        workload=workload,
        src=keys.src or "",
        dst=keys.dst or "",
        bytes=keys.bytes,
        start=keys.start,
        route=None if keys.route is None else tuple(keys.route),
    )


def _check_route(topology: Topology, transfer: Transfer) -> None:
    if transfer.route is None:
        topology.path(transfer.src, transfer.dst)
    else:
        topology.check_route(transfer.route, transfer.src, transfer.dst)


def _keeps(keys: object) -> bool:
    """Whether jobs of a workload that can never run stay to the end."""
    return isinstance(keys, Common) and keys.oversize == "keep"


def _oversize(scenario: Scenario, stream: Stream, topology: Topology) -> Iterable[str]:
    """Say which jobs no cluster of this size can run; stop when the workload says so."""
    most = room(scenario, topology)
    too_large = stream.accelerators > most
    count = int(np.count_nonzero(too_large))
    if not count:
        return
    largest = float(stream.accelerators.max())
    jobs = f"{count:,} of {len(stream):,} jobs ask" if count > 1 else f"1 of {len(stream):,} jobs asks"
    text = f"{jobs} for more than the {most:,} accelerators of the cluster (the largest for {largest:,g})"
    work = scenario.workload[stream.name]
    assert not isinstance(work, TransfersWork | ServiceWork | LoadWork | TaskWork)
    keys: Common = work.keys
    if keys.oversize == "error":
        hint = "take a larger cluster, or write oversize: reject to leave them out and report them"
        raise InputError(scenario.root.problem(("workload", stream.name), text, hint))
    yield f"Workload {stream.name}: {text} and cannot run."


def _remarks(streams: Sequence[Stream | Service]) -> tuple[list[str], dict[str, int]]:
    """Collect what traces and logs say about themselves: notes, and rows set aside by workload and reason."""
    notes: list[str] = []
    set_aside: dict[str, int] = {}
    for made in streams:
        source = made.log if isinstance(made, Service) else made.trace
        if source is None:
            continue
        notes.extend(f"Workload {made.name}: {note}." for note in source.notes)
        for part in source.set_aside:
            key = f"{made.name}: {part.reason}"
            set_aside[key] = set_aside.get(key, 0) + part.count
    return notes, set_aside
