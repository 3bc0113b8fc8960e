"""Loads and data jobs of a scenario: what is planned of them, and the parts of a run that they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.cluster.topology import Topology
from simulator.runtime.loads.loads import Loads
from simulator.runtime.parts import Part
from simulator.runtime.tasks.applications import Applications
from simulator.scenario.loadbuild import PlannedLoad, load_of, load_room
from simulator.scenario.loads import LoadWork
from simulator.scenario.spec import Scenario
from simulator.scenario.taskbuild import PlannedTasks, task_room, tasks_of
from simulator.scenario.taskjobs import TaskWork

PlannedFleet = PlannedLoad | PlannedTasks


def fleet_of(
    scenario: Scenario, name: str, work: LoadWork | TaskWork, topology: Topology, seed: int, replication: int
) -> PlannedFleet:
    """Return what is planned of a workload; raise ``InputError``, each with its place, for what does not fit."""
    if isinstance(work, LoadWork):
        return load_of(scenario, name, work, topology, seed, replication)
    return tasks_of(scenario, name, work, topology, seed, replication)


def check_fleet(scenario: Scenario, name: str, work: LoadWork | TaskWork, topology: Topology) -> None:
    """Raise ``InputError`` for replicas or executors that fit nowhere; nothing is read."""
    if isinstance(work, LoadWork):
        load_room(scenario, name, work, topology)
    else:
        task_room(scenario, name, work, topology)


def fleet_parts(planned: Sequence[PlannedFleet]) -> list[Part]:
    """Return the parts of a run; what the record says of their fleets is one thing."""
    fleets: dict[str, dict[str, Any]] = {}
    loads = [each.spec for each in planned if isinstance(each, PlannedLoad)]
    jobs = [spec for each in planned if isinstance(each, PlannedTasks) for spec in each.specs]
    parts: list[Part] = [Loads(loads, fleets)] if loads else []
    return parts + ([Applications(jobs, fleets)] if jobs else [])
