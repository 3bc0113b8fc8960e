"""From the keys of data jobs to what a run is told of them, checked against the cluster that they will run on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.cluster.topology import Topology
from simulator.runtime.fleets.spec import FleetSpec
from simulator.runtime.tasks.spec import ApplicationSpec
from simulator.scenario.fleetkeys import check_stores, steps
from simulator.scenario.loadbuild import bounds, crowded
from simulator.scenario.podrooms import PodRoom, pod_room
from simulator.scenario.reachable import within
from simulator.scenario.spec import Scenario
from simulator.scenario.taskjobs import TaskKeys, TaskWork
from simulator.workload.sampling import Draws
from simulator.workload.taskgraph import followers


@dataclass(frozen=True, slots=True)
class PlannedTasks:
    """The data jobs of one workload as they will run; ``notes`` are what a reader must know of them."""

    name: str
    specs: tuple[ApplicationSpec, ...]
    notes: tuple[str, ...] = ()


def tasks_of(
    scenario: Scenario, name: str, work: TaskWork, topology: Topology, seed: int, replication: int
) -> PlannedTasks:
    """Return the data jobs of a workload; raise ``InputError``, each with its place, for what does not fit."""
    room = task_room(scenario, name, work, topology)
    specs = tuple(_applications(name, work.keys, room, seed, replication))
    notes = crowded(work.keys.executors, room, "executors")
    return PlannedTasks(name, specs, tuple(f"Data job {name}: {note}." for note in notes))


def task_room(scenario: Scenario, name: str, work: TaskWork, topology: Topology) -> PodRoom:
    """Return where executors fit; raise ``InputError``, with its place, when they fit nowhere."""
    keys, path = work.keys, ("workload", name)
    with scenario.at(*path, "cold_start"):
        check_stores(keys.cold_start, scenario.keys.stores)
    with scenario.at(*path, "executor"):
        executor = keys.executor
        size, types = executor.held(), executor.accelerator
        return within(
            scenario, topology, lambda part: pod_room(part, executor, size, types, keys.partition, "an executor")
        )


def _applications(name: str, keys: TaskKeys, room: PodRoom, seed: int, replication: int) -> Iterator[ApplicationSpec]:
    stages = keys.graph()
    after = followers(stages)
    for number, submit in enumerate(keys.arrivals, 1):
        draws = Draws(seed, replication, f"tasks:{name}:{number}")
        yield ApplicationSpec(
            fleet=_fleet(name, f"{name}-{number}", keys, room),
            submit=submit,
            durations=[stage.durations(draws) for stage in stages],
            followers=after,
            slots=keys.executor.slots,
        )


def _fleet(workload: str, name: str, keys: TaskKeys, room: PodRoom) -> FleetSpec:
    executor = keys.executor
    return FleetSpec(
        name=name,
        workload=workload,
        accelerators=executor.held(),
        cores=executor.cores,
        memory=executor.memory,
        types=() if room.everywhere else room.types,
        tenant=keys.tenant,
        priority=keys.priority,
        partition=executor.partition or keys.partition,
        preemptible=keys.preemptible,
        steps=steps(keys.cold_start),
        monitoring=keys.monitoring.made(),
        grace=keys.disruption.grace,
        unavailable=keys.disruption.budget,
        **bounds(keys.sized(), room),
    )
