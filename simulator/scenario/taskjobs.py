"""The keys of a data job: stages of tasks, and the executors that run them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from simulator.core.errors import InputError
from simulator.scenario.fleetkeys import DisruptionKeys, MonitoringKeys, Phase
from simulator.scenario.fleetkeys import cold_start as phases
from simulator.scenario.jobs import Degree, Name, Names, Text
from simulator.scenario.loads import plain_metrics
from simulator.scenario.plugins import Context
from simulator.scenario.podrooms import PodKeys
from simulator.scenario.quantities import Number, Time
from simulator.scenario.serviceparts import Here, Scaling, scaling
from simulator.scenario.validation import Strict, at, complaint
from simulator.workload.laws import Law
from simulator.workload.lengths import seconds_law
from simulator.workload.taskgraph import Stage, followers


def _law(value: Any) -> Law:
    if isinstance(value, Mapping) and "kind" in value:
        value = {str(value["kind"]): {key: each for key, each in value.items() if key != "kind"}}
    try:
        return seconds_law("seconds", value)
    except InputError as error:
        problem = error.problems[0]
        raise complaint(problem.text, problem.hint or "") from None


class StageKeys(Strict):
    """Alike tasks that may run side by side."""

    name: Name | None = Field(None, description="what others call it in after; default: its position, from 1")
    tasks: Degree = Field(description="how many")
    seconds: Annotated[Law, PlainValidator(_law)] = Field(
        description="how long one takes: 3 s, or a law as {kind: lognormal, mean: 3 s, cv: 0.5}"
    )
    after: Names = Field(default_factory=list, description="stages that must be done before it begins; default: none")


class ExecutorKeys(PodKeys):
    """One executor of a data job."""

    slots: Degree = Field(description="tasks that it runs at a time")


def _has_metrics(value: Scaling) -> Scaling:
    plain_metrics(value.scaler, "data job")
    return value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class TaskKeys(Strict):
    """A data job: stages of tasks on executors that come and go."""

    stages: Annotated[list[StageKeys], Field(min_length=1)] = Field(description="stages, each with its tasks")
    executor: ExecutorKeys = Field(description="how many tasks one runs at a time, and what it takes of a server")
    executors: Annotated[Scaling, scaling("executors"), AfterValidator(_has_metrics)] = Field(
        1, validate_default=True, description="how many, or an autoscaler: {kind: spark-dynamic-allocation, max: 20}"
    )
    arrivals: Annotated[list[Time], Field(min_length=1), BeforeValidator(_listed)] = Field(
        default_factory=lambda: [0.0], description="when it is submitted, or several times, each a job of its own"
    )
    cold_start: Annotated[dict[str, Phase], PlainValidator(phases)] = Field(
        default_factory=dict, description="phases of the start of an executor, as of a replica"
    )
    monitoring: MonitoringKeys = Field(
        default_factory=MonitoringKeys, description="what the autoscaler is told: {scrape, window, lag}"
    )
    disruption: DisruptionKeys = Field(
        default_factory=DisruptionKeys, description="evictions: {grace, max_unavailable}"
    )
    tenant: Text = Field("", description="user or team that its executors are accounted to")
    priority: Number = Field(0.0, description="priority of its executors as jobs; higher goes first")
    partition: Text = Field("", description="only servers of this partition")
    preemptible: bool = Field(True, description="whether the cluster's scheduler may stop its executors")

    @model_validator(mode="after")
    def _hangs_together(self) -> TaskKeys:
        try:
            followers(self.graph())
        except InputError as error:
            problem = error.problems[0]
            raise at("stages", complaint(problem.text, problem.hint or "")) from None
        return self

    def graph(self) -> list[Stage]:
        """Return its stages; those without a name are called by their position, from 1."""
        return [
            Stage(keys.name or str(number), keys.tasks, keys.seconds, tuple(keys.after))
            for number, keys in enumerate(self.stages, 1)
        ]

    def sized(self) -> Scaling:
        """Return how many executors there are; an autoscaler that counts slots is told those of an executor."""
        scaler = self.executors.scaler
        takes = not scaler.made and "slots" in inspect.signature(scaler.thing).parameters
        if not takes or "slots" in scaler.arguments:
            return self.executors
        return replace(
            self.executors, scaler=replace(scaler, arguments={**scaler.arguments, "slots": self.executor.slots})
        )


@dataclass(frozen=True, slots=True)
class TaskWork:
    """Data jobs as the scenario says they are."""

    keys: TaskKeys


def task_jobs(name: str, value: Mapping[str, Any], context: Context) -> TaskWork:
    """Return what a workload with ``stages`` means; raise pydantic errors placed at its keys."""
    given = {key: item for key, item in value.items() if item is not None}
    return TaskWork(TaskKeys.model_validate(given, context=Here(context, ("workload", name))))
