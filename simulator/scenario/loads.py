"""The keys of a load: a demand over time, and the replicas that serve it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from simulator.core.registry import Registry
from simulator.core.units import UnitError, parse
from simulator.scenario.fleetkeys import DisruptionKeys, MonitoringKeys, Phase
from simulator.scenario.fleetkeys import cold_start as phases
from simulator.scenario.jobs import Text
from simulator.scenario.plugins import Context, Plugin, Section, plugin
from simulator.scenario.podrooms import PodKeys
from simulator.scenario.quantities import Number, Time
from simulator.scenario.serviceparts import Here, Scaling, scaling
from simulator.scenario.validation import Strict, at, complaint, each, show
from simulator.workload.load import INTERVAL

METRICS = ("outstanding", "queued", "arrivals", "busy")
"""What autoscalers may go by of a fleet without a KV cache."""
_EXAMPLE = "write 100 /s, or a shape as {kind: diurnal, mean: 100 /s}, or a list of shapes, which are added up"


class Shapes(Section):
    """The section ``load:``, whose names are those of shapes."""

    def registry(self) -> Registry[Any]:
        """Return the registry of shapes."""
        from simulator.workload.loadshapes import load_shapes

        return load_shapes


SHAPES = Shapes("load", "kind", "area", ("times", "draws"), "load shape")


def _shapes(value: Any, info: ValidationInfo) -> tuple[Plugin, ...]:
    """Read a rate, a shape, or several that are added up."""
    here = Here.of(info)
    where: tuple[Any, ...] = (*here.path, "load")
    if isinstance(value, list):
        if not value:
            raise complaint("there is not a single shape", _EXAMPLE)
        return tuple(each(enumerate(value), lambda index, item: _shape(item, here.context, (*where, index))))
    return (_shape(value, here.context, where),)


def _shape(value: Any, context: Context, where: tuple[Any, ...]) -> Plugin:
    if isinstance(value, Mapping) or hasattr(value, "area"):
        return plugin(SHAPES, value, context, where=where)[0]
    try:
        rate = value if isinstance(value, str) else show(value)
        parse(value, "frequency")
    except UnitError as error:
        raise complaint(str(error), _EXAMPLE) from None
    return plugin(SHAPES, {"kind": "constant", "rate": rate if isinstance(value, str) else value}, context)[0]


def _rate(value: Any) -> float:
    try:
        rate = parse(value, "frequency")
    except UnitError as error:
        raise complaint(str(error)) from None
    if rate <= 0:
        raise complaint(f"a replica that serves {show(value)} serves nothing: it must be above 0")
    return rate


def _rates(value: Any) -> dict[str, float]:
    """Read a rate for all types of accelerators (under ""), or one for each."""
    if isinstance(value, Mapping):
        if not value:
            raise complaint("there is not a single type", "write {a100: 50 /s, h100: 100 /s}")
        return dict(zip(map(str, value), each(value.items(), lambda _, rate: _rate(rate)), strict=True))
    return {"": _rate(value)}


def plain_metrics(scaler: Plugin, what: str) -> None:
    """Complain about an autoscaler that goes by the KV cache, where there is none."""
    if "kv" in _named(scaler.arguments):
        key = "metric" if scaler.arguments.get("metric") == "kv" else None
        problem = complaint(f"a {what} has no 'kv'", f"its metrics are {', '.join(METRICS)}")
        raise at(key, problem, "kv") if key else problem


def _named(value: Any) -> Iterator[Any]:
    """Yield what stands under ``metric`` anywhere in the arguments of a policy."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "metric":
                yield inner
            yield from _named(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _named(inner)


def _has_metrics(value: Scaling) -> Scaling:
    plain_metrics(value.scaler, "load")
    return value


class LoadReplicaKeys(PodKeys):
    """One replica of a load."""

    rate: Annotated[dict[str, float], PlainValidator(_rates)] = Field(
        description="requests that it serves at most: 50 /s, or by type of accelerators {a100: 50 /s, h100: 100 /s}"
    )


class LoadSloKeys(Strict):
    """What a load promises."""

    wait: Annotated[Time, Field(gt=0)] = Field(description="longest wait for a replica")


def _word(value: Any) -> Any:
    return "none" if value is False else value


class LoadKeys(Strict):
    """A load: requests that come at a rate which changes over time, and replicas that serve them."""

    load: Annotated[tuple[Plugin, ...], PlainValidator(_shapes)] = Field(
        description="requests per second over time: a rate, a shape, or a list of shapes, which are added up"
    )
    replica: LoadReplicaKeys = Field(description="what one replica serves, and what it takes of a server")
    replicas: Annotated[Scaling, scaling("replicas"), AfterValidator(_has_metrics)] = Field(
        1, validate_default=True, description="how many, or a replica autoscaler, as of a service"
    )
    duration: Annotated[Time, Field(gt=0)] | None = Field(
        None, description="when the demand ends; default: with its trace, or with the run"
    )
    interval: Annotated[Time, Field(gt=0)] = Field(INTERVAL, description="time over which the demand is constant")
    noise: Annotated[Literal["none", "poisson"], BeforeValidator(_word)] = Field(
        "none", description="poisson: each interval has a Poisson number of requests of its mean"
    )
    randomness: Annotated[Literal["none", "poisson"], BeforeValidator(_word)] = Field(
        "none", description="poisson: requests within an interval come at random, and some wait (Erlang C)"
    )
    timeout: Annotated[Time, Field(gt=0)] | None = Field(None, description="what waits gives up then; default: never")
    slo: LoadSloKeys | None = Field(None, description="bound on the wait: {wait: 1 s}")
    cold_start: Annotated[dict[str, Phase], PlainValidator(phases)] = Field(
        default_factory=dict, description="phases of the start of a replica, as of a service"
    )
    monitoring: MonitoringKeys = Field(
        default_factory=MonitoringKeys, description="what the autoscaler is told: {scrape, window, lag}"
    )
    disruption: DisruptionKeys = Field(
        default_factory=DisruptionKeys, description="evictions: {grace, max_unavailable}"
    )
    record_interval: Time = Field(0.0, description="least time between two rows of the table loads; 0: every change")
    tenant: Text = Field("", description="user or team that its replicas are accounted to")
    priority: Number = Field(0.0, description="priority of its replicas as jobs; higher goes first")
    partition: Text = Field("", description="only servers of this partition")
    preemptible: bool = Field(True, description="whether the cluster's scheduler may stop its replicas")


@dataclass(frozen=True, slots=True)
class LoadWork:
    """A load as the scenario says it is."""

    keys: LoadKeys


def load(name: str, value: Mapping[str, Any], context: Context) -> LoadWork:
    """Return what a workload with ``load`` means; raise pydantic errors placed at its keys."""
    given = {key: item for key, item in value.items() if item is not None}
    return LoadWork(LoadKeys.model_validate(given, context=Here(context, ("workload", name))))
