"""The keys of a service: a model that answers requests on replicas, each of which is a job of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, model_validator

from simulator.cluster.records import Model
from simulator.core.errors import did_you_mean
from simulator.scenario.fleetkeys import DisruptionKeys, MonitoringKeys
from simulator.scenario.fleetkeys import cold_start as phases
from simulator.scenario.jobs import Degree, Name, Names, Text
from simulator.scenario.plugins import BATCHING, LINEUP, ROUTER, Context, Plugin
from simulator.scenario.quantities import Bandwidth, Number, Share, Size, Time, Whole
from simulator.scenario.requestkeys import RequestWork, request_work
from simulator.scenario.serviceparts import Here, Scaling, Timing, engine, model, policy, scaling, timing
from simulator.scenario.validation import Strict, at, complaint, each

EVERY_CLASS = "default"
"""Class of service whose bounds hold for all classes that are not named."""
RENAMED = {
    "tensor_parallel_size": "tp of replica",
    "pipeline_parallel_size": "pp of replica",
    "data_parallel_size": "dp of replica",
    "dtype": "precision of replica",
    "quantization": "precision of replica",
    "kv_cache_dtype": "kv_precision of replica",
    "max_num_seqs": "max_batch of engine",
    "max_num_batched_tokens": "max_tokens of the engine's batching",
    "block_size": "block of engine",
    "num_gpu_blocks_override": "blocks of engine",
    "gpu_memory_utilization": "memory of engine, as a share",
    "max_model_len": "context of engine",
    "enable_prefix_caching": "prefix_cache of engine",
    "num_speculative_tokens": "tokens of the engine's speculative",
    "scheduling_policy": "order of engine",
    "max_loras": "slots of adapters",
}
"""What vLLM calls a thing, and what it is here."""


class _Renamed(Strict):
    """Keys of which vLLM has some under other names."""

    renamed: ClassVar[Mapping[str, str]] = RENAMED


def _format(table: str, what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        from simulator.models.serving import precision

        known = getattr(precision, table)
        if value not in known:
            raise complaint(f"unknown {what} {value!r}", did_you_mean(value, known))
        return value

    return check


class ReplicaKeys(_Renamed):
    """One replica: accelerators, and how the model is laid out over them."""

    accelerator: Names = Field(
        default_factory=list, description="type of its accelerators, or several that will do; default: any"
    )
    tp: Degree = Field(1, description="tensor-parallel degree")
    pp: Degree = Field(1, description="pipeline-parallel degree")
    dp: Degree = Field(1, description="data-parallel ranks, in lockstep")
    ep: Degree = Field(1, description="expert-parallel degree, over the tensor- and data-parallel ranks")
    precision: Annotated[str, AfterValidator(_format("WEIGHTS", "precision of weights"))] = Field(
        "bf16", description="of weights: bf16, fp8, int8, int4, fp4, mxfp4 and so on"
    )
    kv_precision: Annotated[str, AfterValidator(_format("KV_WIDTH", "precision of keys and values"))] = Field(
        "bf16", description="of keys and values: bf16, fp8, int8 and so on"
    )
    expert_imbalance: Annotated[Number, Field(ge=1)] | None = Field(
        None, description="tokens of the busiest group of experts over their mean; default: as chance has it"
    )
    max_servers: Degree | None = Field(None, description="most servers that it may span; default: as few as hold it")
    partition: Text = Field("", description="only servers of this partition; default: the service's")
    cores: Annotated[Number, Field(ge=0)] = Field(0.0, description="CPU cores of the whole replica")
    memory: Size = Field(0.0, description="host memory of the whole replica")


class SpeculativeKeys(_Renamed):
    """Speculative decoding: a draft proposes tokens, the model accepts some of them."""

    tokens: Degree = Field(description="tokens that are proposed in each iteration")
    acceptance: Annotated[Share, Field(le=1)] = Field(
        description="probability that a proposed token is accepted, given that those before it were"
    )
    draft: Annotated[Model | None, PlainValidator(model)] = Field(
        None, description="model that proposes them; default: they cost nothing, as n-grams"
    )


class EngineKeys(_Renamed):
    """How a replica serves; what is not given is the engine's own default."""

    kind: Annotated[Name, AfterValidator(engine)] = Field("vllm-0.19", description="engine of the catalog")
    batching: Annotated[Plugin | None, policy(BATCHING, "engine", "batching")] = Field(
        None, description="what an iteration computes; default: as the engine does"
    )
    order: Annotated[Plugin | None, policy(LINEUP, "engine", "order")] = Field(
        None, description="who is let in next, and who makes room; default: fcfs"
    )
    max_batch: Degree | None = Field(None, description="most sequences in the batch of one rank; default: 256")
    block: Degree | None = Field(None, description="tokens of a KV block; default: 16")
    blocks: Degree | None = Field(None, description="KV blocks of one rank; default: as many as fit")
    memory: Annotated[Share, Field(gt=0, le=1)] | None = Field(
        None, description="share of the accelerators' memory that it uses; default: the engine's, 90 %"
    )
    context: Degree | None = Field(
        None, description="most tokens of prompt and output together; default: the model's own"
    )
    prefix_cache: bool = Field(True, description="whether prompts share blocks of equal beginnings")
    preemption: Literal["recompute", "swap"] = Field(
        "recompute", description="what becomes of the keys and values of a request that must make room"
    )
    swap_bandwidth: Annotated[Bandwidth, Field(gt=0)] | None = Field(
        None, description="of one rank to the host's memory; default: as the accelerators' host links have it"
    )
    speculative: SpeculativeKeys | None = Field(None, description="speculative decoding: {tokens, acceptance, draft}")

    @model_validator(mode="after")
    def _swaps(self) -> EngineKeys:
        if self.swap_bandwidth is not None and self.preemption != "swap":
            hint = "write preemption: swap beside it, or leave it out"
            raise at("swap_bandwidth", complaint("nothing is swapped", hint, at_key=True))
        return self


class PrefillKeys(Strict):
    """Replicas that compute prompts only, and what is other there; with them ``replicas`` of the service decode."""

    replicas: Annotated[Scaling, scaling("prefill", "replicas")] = Field(
        1, validate_default=True, description="how many, or a replica autoscaler, as of the service"
    )
    replica: ReplicaKeys | None = Field(None, description="one of them; default: as one that decodes")
    router: Annotated[Plugin | None, policy(ROUTER, "prefill", "router")] = Field(
        None, description="who chooses among them; default: one like the service's router"
    )


class AdapterKeys(_Renamed):
    """LoRA adapters."""

    slots: Degree = Field(description="adapters that a replica holds in memory")
    load: Time = Field(0.0, description="time to load one, in which its request waits")


class SloKeys(Strict):
    """What a class of service promises."""

    ttft: Annotated[Time, Field(gt=0)] | None = Field(None, description="bound on the time to first token")
    tpot: Annotated[Time, Field(gt=0)] | None = Field(None, description="bound on the time per later output token")
    e2e: Annotated[Time, Field(gt=0)] | None = Field(None, description="bound on the whole latency")


def _slos(value: Any) -> dict[str, SloKeys]:
    """Read bounds for all classes of service, or by class."""
    if isinstance(value, Mapping) and value and all(isinstance(bounds, Mapping) for bounds in value.values()):
        found = each(value.items(), lambda _, bounds: SloKeys.model_validate(bounds))
        return {"" if name == EVERY_CLASS else name: bounds for name, bounds in zip(value, found, strict=True)}
    return {"": SloKeys.model_validate(value)}


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _requests(value: Any, info: ValidationInfo) -> RequestWork:
    here = Here.of(info)
    return request_work(value, here.context, (*here.path, "requests"))


class ServiceKeys(_Renamed):
    """A service: a model, the requests that come to it, and the replicas that answer them."""

    service: Annotated[Model, PlainValidator(model)] = Field(
        description="model of the catalog, or its sizes: {layers: 32, hidden: 4096, heads: 32, ...}"
    )
    requests: Annotated[RequestWork, PlainValidator(_requests)] = Field(
        description="a trace, a generator, or a list of requests"
    )
    replicas: Annotated[Scaling, scaling("replicas")] = Field(
        1, validate_default=True, description="how many, or a replica autoscaler: {kind: NAME, min: 1, max: 8}"
    )
    replica: ReplicaKeys = Field(default_factory=ReplicaKeys, description="accelerators and layout of one replica")
    engine: Annotated[EngineKeys, BeforeValidator(_named)] = Field(
        default_factory=EngineKeys, description="how a replica serves: an engine of the catalog, or {kind: NAME, ...}"
    )
    iteration_time: Annotated[Timing | None, PlainValidator(timing)] = Field(
        None,
        description="seconds of an iteration: {table: FILE}, or code; default: from model and accelerator",
    )
    router: Annotated[Plugin, policy(ROUTER, "router")] = Field(
        "round-robin", validate_default=True, description="who chooses the replica that a request is sent to"
    )
    staleness: Time = Field(0.0, description="age that what the router sees may have; 0: it is so now")
    prefill: PrefillKeys | None = Field(None, description="replicas for prompts only: {replicas, replica, router}")
    cold_start: Annotated[dict[str, Any], PlainValidator(phases)] = Field(
        default_factory=dict, description="phases of the start of a replica: {image: 30 s, weights: 5 GB/s}"
    )
    monitoring: MonitoringKeys = Field(
        default_factory=MonitoringKeys, description="what autoscalers are told: {scrape: 15 s, window: 60 s, lag: 10 s}"
    )
    disruption: DisruptionKeys = Field(
        default_factory=DisruptionKeys, description="how replicas may be evicted: {grace: 30 s, max_unavailable: 1}"
    )
    slo: Annotated[dict[str, SloKeys], PlainValidator(_slos)] = Field(
        default_factory=dict, description="bounds {ttft, tpot, e2e}, or such bounds by class of service"
    )
    timeout: Annotated[Time, Field(gt=0)] | None = Field(None, description="a client gives up then; default: never")
    first_token_timeout: Annotated[Time, Field(gt=0)] | None = Field(
        None, description="after which a client that has no token yet gives up; default: never"
    )
    retries: Annotated[Whole, Field(ge=0, le=100)] = Field(
        0, description="times that a request is sent again after its replica was lost, or refused it"
    )
    backoff: Time = Field(1.0, description="time until it is sent again; doubled each time")
    queue_limit: Annotated[Whole, Field(ge=0)] | None = Field(
        None,
        description="requests that may wait at a replica; 0: none may; default: any number",
    )
    adapters: AdapterKeys | None = Field(None, description="LoRA adapters: {slots, load}; default: all are in memory")
    tenant: Text = Field("", description="user or team that its replicas are accounted to")
    priority: Number = Field(0.0, description="priority of its replicas as jobs; higher goes first")
    partition: Text = Field("", description="only servers of this partition")
    preemptible: bool = Field(True, description="whether the cluster's scheduler may stop its replicas")

    def pools(self) -> Iterator[tuple[tuple[str, ...], ReplicaKeys]]:
        """Yield what is said of replicas, and the keys below the service where it is."""
        yield ("replica",), self.replica
        if self.prefill is not None and self.prefill.replica is not None:
            yield ("prefill", "replica"), self.prefill.replica


@dataclass(frozen=True, slots=True)
class ServiceWork:
    """A service as the scenario says it is."""

    keys: ServiceKeys


def service(name: str, value: Mapping[str, Any], context: Context) -> ServiceWork:
    """Return what a workload with ``service`` means; raise pydantic errors placed at its keys.

    A key with nothing (null) is as if it were not there, so that an alternative can take back what others share.
    """
    given = {key: item for key, item in value.items() if item is not None}
    return ServiceWork(ServiceKeys.model_validate(given, context=Here(context, ("workload", name))))
