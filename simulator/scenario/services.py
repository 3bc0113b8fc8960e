"""The keys of a service: a model that answers requests on replicas, each of which is a job of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, model_validator

from simulator.cluster import catalog
from simulator.cluster.records import Model
from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.models.serving.api import IterationTime
from simulator.scenario.arguments import chosen, model_of
from simulator.scenario.jobs import Degree, Name, Text, listed
from simulator.scenario.loader import is_file
from simulator.scenario.plugins import (
    BATCHING,
    CODE,
    LINEUP,
    REPLICAS,
    ROUTER,
    Context,
    Plugin,
    Section,
    load_code,
    no_file,
    plugin,
)
from simulator.scenario.quantities import Bandwidth, Number, Share, Size, Time, Whole
from simulator.scenario.requestkeys import RequestWork, request_work
from simulator.scenario.validation import Strict, at, complaint, each, show

EVERY_CLASS = "default"
"""Class of service whose bounds hold for all classes that are not named."""
WEIGHTS = "weights"
"""Phase of a cold start that may be a bandwidth."""


def _above(floor: float, what: str) -> AfterValidator:
    def check(value: float) -> float:
        if value <= floor:
            raise complaint(f"{value:g} is not {what}: it must be above {floor:g}")
        return value

    return AfterValidator(check)


@dataclass(frozen=True, slots=True)
class _Here:
    """What validation of a service must know besides the values: the scenario, and where in it the service stands."""

    context: Context
    path: tuple[str, ...]


def _plugin(section: Section, *below: str) -> PlainValidator:
    """Read what names a policy of a service; ``below`` are the keys from the service to it."""

    def read(value: Any, info: ValidationInfo) -> Plugin | None:
        here = info.context
        assert isinstance(here, _Here)
        return None if value is None else plugin(section, value, here.context, where=(*here.path, *below))[0]

    return PlainValidator(read)


def _format(table: str, what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        from simulator.models.serving import precision

        known = getattr(precision, table)
        if value not in known:
            raise complaint(f"unknown {what} {value!r}", did_you_mean(value, known))
        return value

    return check


class ReplicaKeys(Strict):
    """One replica: accelerators, and how the model is laid out over them."""

    accelerator: Annotated[list[Name], BeforeValidator(listed)] = Field(
        default_factory=list, description="type of its accelerators, or several that will do; default: any"
    )
    tp: Degree = Field(1, description="tensor-parallel degree (vLLM: tensor_parallel_size)")
    pp: Degree = Field(1, description="pipeline-parallel degree (vLLM: pipeline_parallel_size)")
    dp: Degree = Field(1, description="data-parallel ranks that run in lockstep (vLLM: data_parallel_size)")
    ep: Degree = Field(1, description="expert-parallel degree, over the tensor- and data-parallel ranks")
    precision: Annotated[str, AfterValidator(_format("WEIGHTS", "precision of weights"))] = Field(
        "bf16", description="of weights: bf16, fp8, int8, int4, fp4, mxfp4 and so on (vLLM: quantization)"
    )
    kv_precision: Annotated[str, AfterValidator(_format("KV_WIDTH", "precision of keys and values"))] = Field(
        "bf16", description="of keys and values: bf16, fp8, int8, ... (vLLM: kv_cache_dtype)"
    )
    expert_imbalance: Annotated[Number, Field(ge=1)] | None = Field(
        None, description="tokens of the busiest group of experts over their mean; default: as of chance"
    )
    max_servers: Degree | None = Field(None, description="most servers that it may span; default: as few as hold it")
    cores: Annotated[Number, Field(ge=0)] = Field(0.0, description="CPU cores of the whole replica")
    memory: Size = Field(0.0, description="host memory of the whole replica")


def _model(value: Any) -> Model:
    if isinstance(value, Model):
        return value
    if isinstance(value, Mapping):
        return _described(value)
    if not isinstance(value, str):
        raise complaint(f"{show(value)} is not a model", "name one of the catalog, or write {layers: 32, ...}")
    try:
        return catalog.model(value)
    except InputError as error:
        raise complaint(error.problems[0].text, error.problems[0].hint or "") from None


class _SizesKeys(Strict):
    name: Name = Field("described", description="what the model is called")


def _described(value: Mapping[str, Any]) -> Model:
    """Read the sizes of a model, by the keys of a row of the catalog."""
    from simulator.models.serving.described import KEYS, described

    skip = tuple(item.name for item in fields(Model) if item.name not in KEYS)
    keys = model_of(Model, skip, _SizesKeys).model_validate(value)
    assert isinstance(keys, _SizesKeys)
    try:
        return described(chosen(keys) | {"name": keys.name})
    except InputError as error:
        raise complaint(error.problems[0].text, error.problems[0].hint or "") from None


class SpeculativeKeys(Strict):
    """Speculative decoding: a draft proposes tokens, the model accepts some of them."""

    tokens: Degree = Field(description="tokens that are proposed in each iteration (vLLM: num_speculative_tokens)")
    acceptance: Annotated[Share, Field(le=1)] = Field(description="share of proposed tokens that are accepted")
    draft: Annotated[Model | None, PlainValidator(_model)] = Field(
        None, description="model that proposes them; default: they cost nothing, as n-grams"
    )


class EngineKeys(Strict):
    """How a replica serves; what is not given is the engine's own default."""

    kind: Name | None = Field(None, description="engine of the catalog, whose defaults hold for all that is not given")
    batching: Annotated[Plugin | None, _plugin(BATCHING, "engine", "batching")] = Field(
        None, description="what an iteration computes; default: as the engine does"
    )
    order: Annotated[Plugin | None, _plugin(LINEUP, "engine", "order")] = Field(
        None, description="who is let in next, and who makes room; default: fcfs"
    )
    max_batch: Degree | None = Field(None, description="sequences in the batch of one rank (vLLM: max_num_seqs)")
    block: Degree | None = Field(None, description="tokens of a KV block (vLLM: block_size)")
    blocks: Degree | None = Field(
        None, description="KV blocks of one rank; default: what fits (vLLM: num_gpu_blocks_override)"
    )
    memory: Annotated[Share, _above(0, "a share of memory"), Field(le=1)] | None = Field(
        None, description="share of accelerator memory that it uses (vLLM: gpu_memory_utilization)"
    )
    context: Degree | None = Field(
        None, description="most tokens of prompt and output together (vLLM: max_model_len); default: the model's own"
    )
    prefix_cache: bool | None = Field(
        None, description="whether prompts share blocks of equal beginnings (vLLM: enable_prefix_caching)"
    )
    preemption: Literal["recompute", "swap"] | None = Field(
        None, description="what happens to the keys and values of a request that must make room"
    )
    swap_bandwidth: Annotated[Bandwidth, _above(0, "a bandwidth")] | None = Field(
        None, description="bandwidth of one rank to the host's memory; default: that of the accelerator's host link"
    )
    speculative: SpeculativeKeys | None = Field(None, description="speculative decoding: {tokens, acceptance}")


class AdapterKeys(Strict):
    """LoRA adapters."""

    slots: Degree = Field(description="adapters that a replica holds in memory (vLLM: max_loras)")
    load: Time = Field(0.0, description="time to load one, in which its request waits")


class SloKeys(Strict):
    """What a class of service promises."""

    ttft: Annotated[Time, _above(0, "a bound")] | None = Field(None, description="bound on the time to first token")
    tpot: Annotated[Time, _above(0, "a bound")] | None = Field(
        None, description="bound on the time per output token after the first"
    )
    e2e: Annotated[Time, _above(0, "a bound")] | None = Field(None, description="bound on the whole latency")


class _ScalerKeys(Strict):
    min: Annotated[Whole, Field(ge=0)] = Field(1, description="fewest replicas")
    max: Annotated[Whole, Field(ge=1)] | None = Field(None, description="most replicas")
    initial: Annotated[Whole, Field(ge=0)] | None = Field(None, description="replicas at the start; default: min")

    @model_validator(mode="after")
    def _in_order(self) -> _ScalerKeys:
        if self.max is not None and self.max < self.min:
            raise at("max", complaint(f"max ({self.max}) is below min ({self.min})"))
        if self.initial is not None and not self.min <= self.initial <= (self.max or self.initial):
            text = f"initial ({self.initial}) is not between min ({self.min}) and max ({self.max})"
            raise at("initial", complaint(text))
        return self


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many replicas there are: the policy that says so, and its bounds."""

    scaler: Plugin
    minimum: int = 0
    maximum: int | None = None
    initial: int | None = None


def _replicas(*below: str) -> PlainValidator:
    def read(value: Any, info: ValidationInfo) -> Scaling:
        here = info.context
        assert isinstance(here, _Here)
        if isinstance(value, int) and not isinstance(value, bool):
            if value < 1:
                raise complaint(f"{value} replicas cannot serve: at least 1")
            fixed, _ = plugin(REPLICAS, {"kind": "fixed", "n": value}, here.context)
            return Scaling(fixed, 0, value, value)
        scaler, keys = plugin(REPLICAS, value, here.context, _ScalerKeys, (*here.path, *below))
        assert isinstance(keys, _ScalerKeys)
        return Scaling(scaler, keys.min, keys.max, keys.initial)

    return PlainValidator(read)


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class PrefillKeys(Strict):
    """Replicas that compute prompts only, and what is other there; with them ``replicas`` of the service decode."""

    replicas: Annotated[Scaling, _replicas("prefill", "replicas")] = Field(
        1, validate_default=True, description="how many, as of the service"
    )
    replica: ReplicaKeys | None = Field(None, description="one of them; default: as those that decode")
    router: Annotated[Plugin | None, _plugin(ROUTER, "prefill", "router")] = Field(
        None, description="who chooses among them; default: as the service's router"
    )


def _phases(value: Any) -> dict[str, tuple[float, bool]]:
    """Read the phases of a cold start: seconds, or bytes/s (True) of the weights."""
    if not isinstance(value, Mapping):
        raise complaint(f"{show(value)} is not a mapping of phases", "write {image: 30 s, weights: 5 GB/s}")

    def phase(name: str, given: Any) -> tuple[float, bool]:
        if name == WEIGHTS and isinstance(given, str) and given.rstrip().endswith(("/s", "bps")):
            rate = parse(given, "bandwidth")
            if rate <= 0:
                raise complaint(f"{given!r} loads no weights: it must be above 0")
            return rate, True
        try:
            return parse(given, "time"), False
        except UnitError as error:
            raise complaint(str(error), "weights may be a bandwidth, as 5 GB/s" if name == WEIGHTS else "") from None

    return dict(zip(value, each(value.items(), phase), strict=True))


def _slos(value: Any) -> dict[str, SloKeys]:
    """Read bounds for all classes of service, or by class."""
    if isinstance(value, Mapping) and value and all(isinstance(each, Mapping) for each in value.values()):
        found = each(value.items(), lambda _, bounds: SloKeys.model_validate(bounds))
        return {"" if name == EVERY_CLASS else name: bounds for name, bounds in zip(value, found, strict=True)}
    return {"": SloKeys.model_validate(value)}


def _requests(value: Any, info: ValidationInfo) -> RequestWork:
    here = info.context
    assert isinstance(here, _Here)
    return request_work(value, here.context, (*here.path, "requests"))


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
        thing = self.thing() if isinstance(self.thing, type) else self.thing
        return thing if _tells_time(thing) else CalledTime(thing)


def _tells_time(thing: Any) -> bool:
    return callable(getattr(thing, "seconds", None)) and callable(getattr(thing, "decoding", None))


def _timing(value: Any, info: ValidationInfo) -> Timing | None:
    here = info.context
    assert isinstance(here, _Here)
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


class _TableKeys(Strict):
    table: Annotated[
        str, Field(min_length=1, description="CSV: prefill_tokens, decode_sequences, context_tokens, seconds")
    ]


class ServiceKeys(Strict):
    """A service: a model, the requests that come to it, and the replicas that answer them."""

    service: Annotated[Model, PlainValidator(_model)] = Field(
        description="model of the catalog, or its sizes: {layers: 32, hidden: 4096, heads: 32, ...}"
    )
    requests: Annotated[RequestWork, PlainValidator(_requests)] = Field(
        description="a trace, a generator, or a list of requests"
    )
    replicas: Annotated[Scaling, _replicas("replicas")] = Field(
        1, validate_default=True, description="how many, or a replica autoscaler: {kind: NAME, min: 1, max: 8}"
    )
    replica: ReplicaKeys = Field(default_factory=ReplicaKeys, description="accelerators and layout of one replica")
    engine: Annotated[EngineKeys, BeforeValidator(_named)] = Field(
        default_factory=EngineKeys, description="how a replica serves; a name, or {kind: NAME, ...}"
    )
    iteration_time: Annotated[Timing | None, PlainValidator(_timing)] = Field(
        None,
        description="seconds of an iteration: {table: FILE}, or code; default: computed from model and accelerator",
    )
    router: Annotated[Plugin, _plugin(ROUTER, "router")] = Field(
        "round-robin", validate_default=True, description="who chooses the replica that a request is sent to"
    )
    staleness: Time = Field(0.0, description="what the router sees is so old at most; 0: it is so now")
    prefill: PrefillKeys | None = Field(None, description="replicas for prompts only: {replicas, replica, router}")
    cold_start: Annotated[dict[str, Any], PlainValidator(_phases)] = Field(
        default_factory=dict,
        description="phases of the start of a replica: {image: 30 s, weights: 5 GB/s}",
    )
    slo: Annotated[dict[str, SloKeys], PlainValidator(_slos)] = Field(
        default_factory=dict, description="bounds {ttft, tpot, e2e}, or such bounds by class of service"
    )
    timeout: Annotated[Time, Field(gt=0)] | None = Field(None, description="a client gives up then; default: never")
    first_token_timeout: Annotated[Time, Field(gt=0)] | None = Field(
        None, description="after which a client that has no token yet gives up; default: never"
    )
    retries: Annotated[Whole, Field(ge=0)] = Field(
        0, description="times that a request is sent again after its replica was lost, or refused it"
    )
    backoff: Time = Field(1.0, description="until it is sent again; doubled each time")
    queue_limit: Annotated[Whole, Field(ge=0)] | None = Field(
        None, description="requests that may wait at a replica for it to take one more; default: any number"
    )
    adapters: AdapterKeys | None = Field(None, description="LoRA adapters: {slots, load}; default: all are there")
    tenant: Text = Field("", description="whom its replicas are accounted to")
    priority: Number = Field(0.0, description="priority of its replicas, as of jobs")
    partition: Text = Field("", description="only servers of this partition")
    preemptible: bool = Field(True, description="whether the scheduler may stop its replicas")


@dataclass(frozen=True, slots=True)
class ServiceWork:
    """A service as the scenario says it is."""

    keys: ServiceKeys


def service(name: str, value: Mapping[str, Any], context: Context) -> ServiceWork:
    """Return what a workload with ``service`` means; raise pydantic errors placed at its keys."""
    return ServiceWork(ServiceKeys.model_validate(value, context=_Here(context, ("workload", name))))
