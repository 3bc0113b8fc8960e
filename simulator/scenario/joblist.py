"""Jobs that a scenario lists one by one, as live objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from simulator.cluster import catalog
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.models.architecture import parameters
from simulator.models.checkpoint import state_bytes
from simulator.runtime.recipe import Recipe
from simulator.scenario.jobs import BatchKeys, JobKeys, TrainingKeys
from simulator.scenario.pace import speedup
from simulator.scenario.recipes import accelerators, check_length, check_one_kind, expected, named, recipe, suitable
from simulator.scenario.savingkeys import SavingKeys
from simulator.scenario.spec import Scenario
from simulator.scenario.workloads import JobsWork
from simulator.workload.jobs import BatchJob, Job, TrainingJob


class _Planned(NamedTuple):
    """What a job trains and how, the seconds of one step, and the accelerators that can: none named, all of them."""

    recipe: Recipe
    step: float
    types: tuple[str, ...]


def listed_jobs(
    scenario: Scenario, name: str, work: JobsWork, topology: Topology
) -> tuple[np.ndarray, Callable[[], Iterator[Job]]]:
    """Return the accelerators of each job of a workload (shape: jobs), and what yields fresh jobs by submission.

    Raises ``InputError``, with the place of each, for models and accelerators that do not suit the cluster.
    """
    types = _types(scenario, name, work, topology)
    recipes = _recipes(scenario, name, work, topology)
    _check_sizes(scenario, name, work, recipes)
    numbered = sorted(enumerate(work.jobs, 1), key=lambda pair: pair[1].submit)
    arrays = {keys.id or f"{name}-{number}": keys.array for number, keys in numbered if keys.array}

    def fresh() -> Iterator[Job]:
        for number, keys in numbered:
            after = tuple(each for id in keys.after for each in _members(id, arrays))
            yield from _jobs(name, number, keys, types, recipes.get(number), after)

    sizes = [keys.accelerators for _, keys in numbered for _ in range(keys.array or 1)]
    return np.array(sizes, dtype=float), fresh


def _members(id: str, arrays: Mapping[str, int]) -> Iterator[str]:
    """Yield the ids of all jobs of an array, or the id of a job."""
    if id not in arrays:
        yield id
    for index in range(arrays.get(id, 0)):
        yield f"{id}[{index}]"


def _recipes(scenario: Scenario, name: str, work: JobsWork, topology: Topology) -> dict[int, _Planned]:
    """Return the plans of the jobs that train a model, by the number of the job."""
    found: dict[int, _Planned] = {}
    problems: list[Problem] = []
    for index, keys in enumerate(work.jobs):
        if isinstance(keys, TrainingKeys) and keys.model is not None:
            path = ("workload", name, "jobs", index)
            try:
                found[index + 1] = _planned(scenario, path, keys, topology)
            except InputError as error:
                problems.extend(error.problems)
    if problems:
        raise InputError(*problems)
    return found


def _planned(scenario: Scenario, path: tuple[str | int, ...], keys: TrainingKeys, topology: Topology) -> _Planned:
    with scenario.at(*path):
        kinds = accelerators(topology, keys.accelerator_types)
        named(keys)
    with scenario.at(*path, "layout"):
        made = recipe(keys)
        suited = suitable(made, kinds, keys.ignore_memory)
        seconds = expected(made, topology, suited)
    with scenario.at(*path):
        check_one_kind(made, topology, suited)
        check_length(keys, seconds)
    others = any(server.accelerator not in suited for server in topology.servers if server.accelerators)
    return _Planned(made, seconds, tuple(suited) if others else ())


def _types(scenario: Scenario, name: str, work: JobsWork, topology: Topology) -> dict[str, str]:
    """Return the accelerator types that jobs name, as the cluster calls them: a short name becomes the catalog's id.

    Raises ``InputError`` for those that neither the catalog nor the cluster knows.
    """
    here = dict.fromkeys(server.accelerator for server in topology.servers if server.accelerator)
    types: dict[str, str] = {}
    problems: list[Problem] = []
    for index, keys in enumerate(work.jobs):
        for place, wanted in enumerate(keys.accelerator_types):
            try:
                id = wanted if wanted in here else catalog.accelerator(wanted).id
            except InputError:
                path = ("workload", name, "jobs", index, "accelerator_types", place)
                known = list({**here, **dict.fromkeys(catalog.names("accelerator"))})
                text = f"unknown accelerator {wanted!r}"
                problems.append(scenario.root.problem(path, text, did_you_mean(wanted, known)))
            else:
                types[wanted] = id if id in here else wanted
    if problems:
        raise InputError(*problems)
    return types


_OPTIONAL = {"estimate": -1.0, "deadline": math.inf, "limit": math.inf, "restart": -1.0, "minimum": 0.0, "maximum": 0.0}
"""What a job has where its keys say nothing."""
_OWN = {"id", "accelerator_types", "array", "after", "selector", "tolerations", "checkpoint"}
"""Keys that are not taken as they are."""


def _jobs(
    workload: str,
    number: int,
    keys: BatchKeys | TrainingKeys,
    types: Mapping[str, str],
    planned: _Planned | None,
    after: tuple[str, ...],
) -> Iterator[Job]:
    """Yield the job, or the jobs of the array, that one item of the list stands for."""
    name = keys.id or f"{workload}-{number}"
    if keys.array is None:
        yield _job(workload, name, keys, types, planned, after)
        return
    for index in range(keys.array):
        job = _job(workload, f"{name}[{index}]", keys, types, planned, after)
        job.array = name
        yield job


def _job(
    workload: str,
    name: str,
    keys: BatchKeys | TrainingKeys,
    types: Mapping[str, str],
    planned: _Planned | None,
    after: tuple[str, ...],
) -> Job:
    given = keys.model_dump(include=set(JobKeys.model_fields) - _OWN)
    given |= {key: value for key, value in _OPTIONAL.items() if given[key] is None}
    given |= {
        "id": name,
        "workload": workload,
        "accelerator_types": tuple(types[wanted] for wanted in keys.accelerator_types),
        "after": after,
        "selector": tuple(sorted(keys.selector.items())),
        "tolerations": tuple(keys.tolerations),
    }
    if isinstance(keys.checkpoint, SavingKeys):
        given["saving"] = keys.checkpoint.saving(_state(planned))
    else:
        given["checkpoint"] = keys.checkpoint
    if isinstance(keys, BatchKeys):
        made = None if keys.pace is None or isinstance(keys.pace, str) else speedup(keys.duration, keys.pace)
        return BatchJob(
            **given, duration=keys.duration, communication=keys.communication, model=keys.model, speedup=made
        )
    if planned is not None:
        if keys.estimate is None:
            given["estimate"] = keys.iterations * planned.step
        given["accelerator_types"] = planned.types or given["accelerator_types"]
        return TrainingJob(**given, iterations=keys.iterations, recipe=planned.recipe)
    assert keys.compute is not None
    assert keys.gradient is not None
    given |= {"compute": keys.compute, "gradient": keys.gradient, "overlap": keys.overlap}
    return TrainingJob(**given, iterations=keys.iterations)


def _check_sizes(scenario: Scenario, name: str, work: JobsWork, recipes: Mapping[int, _Planned]) -> None:
    """Raise ``InputError``, with its place, for checkpoints that go to a store and have no size."""
    for index, keys in enumerate(work.jobs):
        if isinstance(keys.checkpoint, SavingKeys):
            with scenario.at("workload", name, "jobs", index, "checkpoint"):
                keys.checkpoint.saving(_state(recipes.get(index + 1)))


def _state(planned: _Planned | None) -> float:
    """Bytes of the state of a model that a job trains; 0 where that is not known."""
    return 0.0 if planned is None else state_bytes(parameters(planned.recipe.model))
