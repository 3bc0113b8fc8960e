"""What the keys of a service name: its model, its policies, how many replicas there are, how long iterations take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, ValidationInfo, model_validator

from simulator.cluster import catalog
from simulator.cluster.records import Model
from simulator.core.errors import InputError
from simulator.models.serving.api import IterationTime
from simulator.models.serving.described import KEYS, described
from simulator.models.serving.shape import ReplicaShape
from simulator.policies.batching import RESERVES
from simulator.scenario.arguments import chosen, model_of
from simulator.scenario.jobs import Name
from simulator.scenario.loader import is_file
from simulator.scenario.plugins import (
    BATCHING,
    CODE,
    LINEUP,
    REPLICAS,
    Context,
    Plugin,
    Section,
    indefinite,
    load_code,
    no_file,
    plugin,
)
from simulator.scenario.quantities import Whole, number
from simulator.scenario.validation import Strict, at, complaint, show

FIXED = "fixed"
"""Replica autoscaler that a number stands for."""
MOST = 1_000_000
"""Replicas that a service without ``max`` may have: as many as the cluster holds."""
SHORTEST = 0.01
"""Seconds between two steps of a replica autoscaler, at least: more often it is only run time."""


@dataclass(frozen=True, slots=True)
class Here:
    """What validation of a service must know besides the values: the scenario, and where in it the service stands."""

    context: Context
    path: tuple[str, ...]

    @staticmethod
    def of(info: ValidationInfo) -> Here:
        """Return what was given to the validation under way."""
        assert isinstance(info.context, Here)
        return info.context


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many replicas there are: the policy that says so, and its bounds; ``initial`` None: as it says itself."""

    scaler: Plugin
    minimum: int = 0
    maximum: int | None = None
    initial: int | None = None

    @property
    def least(self) -> int:
        """Replicas that there are to be at all times."""
        return max(self.minimum, self.fixed or 0)

    @property
    def fixed(self) -> int | None:
        """How many there are; None where that changes."""
        return int(self.scaler.arguments.get("n", 1)) if self.scaler.kind == FIXED else None


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the seconds of an iteration come from, other than from the analytic model: a table, or Python."""

    table: Path | None = None
    thing: Any = None

    def make(self) -> IterationTime:
        """Return what tells iteration times; raise ``InputError`` for a bad table."""
        from simulator.models.serving.called import CalledTime
        from simulator.models.serving.table import read_table

        if self.table is not None:
            return read_table(self.table)
        thing: Any = self.thing() if isinstance(self.thing, type) else self.thing
        return thing if _tells_time(thing) else CalledTime(partial(_call, thing), _name(thing))


def _name(thing: Any) -> str:
    return str(getattr(thing, "__name__", type(thing).__name__))


def _call(function: Callable[..., float], *batch: float) -> float:
    try:
        return function(*batch)
    except Exception as error:
        call = f"{_name(function)}({', '.join(f'{number:g}' for number in batch)})"
        raise InputError(f"iteration_time {call} fails: {type(error).__name__}: {error}") from error


def policy(section: Section, *below: str) -> PlainValidator:
    """Read what names a policy of a service; ``below`` are the keys from the service to it."""

    def read(value: Any, info: ValidationInfo) -> Plugin | None:
        here = Here.of(info)
        if value is None:
            return None
        found, _ = plugin(section, value, here.context, where=(*here.path, *below))
        fault = _fault(section, found.make())
        if fault:
            raise complaint(f"{found.kind!r} is not {indefinite(section.noun or section.name)}: {fault}")
        return found

    return PlainValidator(read)


def _fault(section: Section, made: Any) -> str:
    """Say what a policy lacks to serve, beside the method that all of its kind have; empty when nothing."""
    if section is LINEUP:
        methods = ("__len__", "__iter__", "add", "put_back", "head", "remove")
        lost = next((name for name in methods if not callable(getattr(made, name, None))), None)
        return f"it has no method {lost!r}" if lost else ""
    wanted = {BATCHING: ("mixed", "chunked", "reserve"), REPLICAS: ("interval",)}.get(section, ())
    lost = next((name for name in wanted if not hasattr(made, name)), None)
    if lost:
        return f"it has no {lost!r}"
    if section is REPLICAS:
        fine = isinstance(made.interval, int | float) and 0 <= made.interval < math.inf
        return "" if fine else f"its interval is {show(made.interval)}, not seconds between steps (0: only the first)"
    if section is not BATCHING:
        return ""
    yes_or_no = (True, False)
    for name, choices in (("mixed", yes_or_no), ("chunked", yes_or_no), ("ahead", yes_or_no), ("reserve", RESERVES)):
        if getattr(made, name, False) not in choices:
            return f"its {name} is {show(getattr(made, name))}, not {' or '.join(map(str, choices))}"
    try:
        budget = made.budget(0)
    except Exception as error:
        return f"budget(0) fails: {type(error).__name__}: {error}"
    fine = isinstance(budget, int) and not isinstance(budget, bool)
    return "" if fine else f"budget(0) is {show(budget)}, not a number of tokens"


class ScalerKeys(Strict):
    """Bounds of a replica autoscaler, which stand beside its parameters."""

    spelled: ClassVar[Mapping[str, str]] = {
        "minReplicas": "min",
        "maxReplicas": "max",
        "minReplicaCount": "min",
        "maxReplicaCount": "max",
    }
    """What the autoscaling API of Kubernetes and KEDA call them."""
    min: Annotated[Whole, Field(ge=0)] = Field(1, description="fewest replicas")
    max: Annotated[Whole, Field(ge=1)] | None = Field(None, description="most replicas; default: any number")
    initial: Annotated[Whole, Field(ge=0)] | None = Field(None, description="replicas at the start; default: min")

    @model_validator(mode="after")
    def _in_order(self) -> ScalerKeys:
        if self.max is not None and self.max < self.min:
            raise at("max", complaint(f"max ({self.max}) is below min ({self.min})"))
        if self.initial is not None and not self.min <= self.initial <= (self.max or self.initial):
            most = "" if self.max is None else f" and max ({self.max})"
            raise at("initial", complaint(f"initial ({self.initial}) is not between min ({self.min}){most}"))
        return self


def scaling(*below: str) -> PlainValidator:
    """Read a number of replicas, or a replica autoscaler; ``below`` are the keys from the service to it."""

    def read(value: Any, info: ValidationInfo) -> Scaling:
        here, value = Here.of(info), number(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not 1 <= value < math.inf or value != int(value):
                raise complaint(f"{value:g} replicas cannot serve: a whole number, 1 or more")
            fixed, _ = plugin(REPLICAS, {"kind": FIXED, "n": int(value)}, here.context)
            return Scaling(fixed, 0, int(value))
        if not isinstance(value, str | Mapping) and not hasattr(value, "step"):
            hint = "write a number, or a replica autoscaler as {kind: target-tracking, min: 1, max: 8}"
            raise complaint(f"{show(value)} does not say how many replicas there are", hint)
        scaler, keys = plugin(REPLICAS, value, here.context, ScalerKeys, (*here.path, *below))
        assert isinstance(keys, ScalerKeys)
        fault = _fault(REPLICAS, scaler.make())
        if fault:
            raise complaint(f"{scaler.kind!r} is not a replica autoscaler: {fault}")
        interval = scaler.make().interval
        if 0 < interval < SHORTEST:
            text = f"an interval of {interval:g} s is too short: 10 ms or more"
            raise at("interval", complaint(text)) if "interval" in scaler.arguments else complaint(text)
        if keys.initial is not None and not interval > 0:
            text = f"{scaler.kind!r} says how many replicas there are once and for all"
            raise at("initial", complaint(text, "leave initial out", at_key=True))
        _bounded(scaler, keys)
        return Scaling(scaler, keys.min, keys.max, keys.initial)

    return PlainValidator(read)


def _bounded(scaler: Plugin, keys: ScalerKeys) -> None:
    """Raise the complaint of an autoscaler about the bounds that stand beside its parameters, at the key it names."""
    bounds = getattr(scaler.make(), "bounds", None)
    if not callable(bounds):
        return
    try:
        bounds(keys.min, MOST if keys.max is None else keys.max)
    except ValueError as error:
        named = str(error).split(maxsplit=1)[0]
        given = named in scaler.arguments or named in keys.model_fields_set
        raise at(named, complaint(str(error))) if given else complaint(str(error)) from None


class _TableKeys(Strict):
    table: Annotated[str, Field(min_length=1)] = Field(
        description="CSV file with the columns prefill_tokens, decode_sequences, context_tokens and seconds"
    )


def timing(value: Any, info: ValidationInfo) -> Timing | None:
    """Read where the seconds of an iteration come from; None: from the analytic model."""
    here = Here.of(info)
    where = (*here.path, "iteration_time")
    hint = "write {table: FILE}, or code as times.py:function"
    if value is None:
        return None
    if isinstance(value, Mapping):
        name = _TableKeys.model_validate(value).table
        path = Path(here.context.base(*where, "table")) / name
        if not is_file(path):
            raise at("table", no_file(path, name), name)
        return Timing(table=path)
    if isinstance(value, str):
        if not CODE.fullmatch(value):
            raise complaint(f"{value!r} tells no iteration times", hint)
        value = load_code(value, here.context, where)
    if not (callable(value) or _tells_time(value)):
        raise complaint(f"{show(value)} tells no iteration times", hint)
    return Timing(thing=value)


def _tells_time(thing: Any) -> bool:
    return callable(getattr(thing, "seconds", None)) and callable(getattr(thing, "decoding", None))


def model(value: Any) -> Model | None:
    """Read a model that generates tokens: a name of the catalog, its sizes, or a record made in Python."""
    if value is None:
        return None
    if not isinstance(value, str | Mapping | Model):
        hint = "name one of the catalog, or write its sizes as {layers: 32, hidden: 4096, heads: 32, ...}"
        raise complaint(f"{show(value)} is not a model", hint)
    sizes = _sizes(value) if isinstance(value, Mapping) else {}
    try:
        found = (
            catalog.model(value) if isinstance(value, str) else value if isinstance(value, Model) else described(sizes)
        )
        ReplicaShape().check(found)
    except InputError as error:
        raise complaint(error.problems[0].text, error.problems[0].hint or "") from None
    return found


class SizesKeys(Strict):
    """What stands beside the sizes of a model."""

    name: Name = Field("described", description="what the model is called")


def _sizes(value: Mapping[str, Any]) -> dict[str, Any]:
    """Check the sizes of a model, by the keys of a row of the catalog."""
    skip = tuple(item.name for item in fields(Model) if item.name not in KEYS)
    keys = model_of(Model, skip, SizesKeys).model_validate(value)
    assert isinstance(keys, SizesKeys)
    return chosen(keys) | {"name": keys.name}


def engine(value: str) -> str:
    """Check that the catalog has an engine of this name."""
    try:
        return catalog.engine(value).id
    except InputError as error:
        raise complaint(error.problems[0].text, error.problems[0].hint or "") from None
