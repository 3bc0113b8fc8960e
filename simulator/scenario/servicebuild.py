"""From the keys of a service to what a run is told of it, checked against the cluster that it will run on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from simulator.cluster import catalog
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem
from simulator.models.serving.api import Batch, Chunk
from simulator.models.serving.speculation import Speculation
from simulator.models.serving.work import kv_bytes
from simulator.policies.serving import batchings, lineups
from simulator.runtime.fleets.spec import Step
from simulator.runtime.serving.spec import ServiceSpec, Slo
from simulator.scenario.fleetkeys import WEIGHTS, check_stores, steps
from simulator.scenario.reachable import within
from simulator.scenario.replicas import BLOCK, MAX_BATCH, Replicas, Setting, replicas, shape_of, weight_bytes
from simulator.scenario.requestbuild import request_log
from simulator.scenario.requestkeys import ListedRequests
from simulator.scenario.serviceremarks import check_one_of_each, service_remarks
from simulator.scenario.services import PrefillKeys, ServiceKeys, ServiceWork, SloKeys, SpeculativeKeys
from simulator.scenario.spec import Scenario
from simulator.scenario.traces import TraceCache
from simulator.workload.requestlog import RequestLog

_MOST_TOKENS = 1 << 20
"""Tokens of an iteration beyond which a batching sets no bound."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it will run: its requests, its replicas (and those for prompts only), and what a run is told.

    ``weights`` are the bytes of its model's weights in ``precision``, ``engine`` and ``batching`` the names of what
    it runs on. ``notes`` are what a reader of the results must know of it, beside what its log says.
    """

    name: str
    log: RequestLog
    weights: float
    precision: str
    engine: str
    batching: str
    decode: Replicas
    prefill: Replicas | None
    spec: ServiceSpec
    notes: list[str]

    @property
    def pools(self) -> list[Replicas]:
        """Its replicas, and those for prompts only."""
        return [self.decode] if self.prefill is None else [self.decode, self.prefill]


def service_of(
    scenario: Scenario,
    name: str,
    work: ServiceWork,
    topology: Topology,
    seed: int,
    replication: int,
    traces: TraceCache,
) -> Service:
    """Return a service and its requests; raise ``InputError``, each with its place, for what does not fit."""
    keys, (setting, decode, prefill) = work.keys, replicas_of(scenario, name, work, topology)
    with scenario.at("workload", name, "requests"):
        log = request_log(name, keys.requests, setting.block, seed, replication, traces)
        _check_hashes(log, setting.block)
    product = setting.product
    return Service(
        name=name,
        log=log,
        weights=weight_bytes(keys.service, decode.shape),
        precision=decode.shape.weights,
        engine=product.id,
        batching=product.batching,
        decode=decode,
        prefill=prefill,
        spec=_spec(name, keys, setting, log, decode, prefill),
        notes=[f"Service {name}: {note}." for note in service_remarks(keys, log, decode, prefill)],
    )


def replicas_of(
    scenario: Scenario, name: str, work: ServiceWork, topology: Topology
) -> tuple[Setting, Replicas, Replicas | None]:
    """Return all of a service but its requests; raise ``InputError``, each with its place, for what does not fit."""
    keys, path = work.keys, ("workload", name)
    setting = _setting(scenario, name, keys)
    _check_names(scenario, name, keys, setting.block)
    if keys.iteration_time is not None:
        with scenario.at(*path, "iteration_time"):
            keys.iteration_time.make().seconds((Batch((Chunk(setting.block, 0),)),))
    with scenario.at(*path, "replica"):
        decode = within(scenario, topology, lambda part: replicas(setting, keys.replica, keys.replicas, part))
    prefill = None
    asked = keys.prefill
    if asked is not None:
        own = asked.replica is not None
        with scenario.at(*path, "prefill"):
            _check_network(topology)
        with scenario.at(*path, *(("prefill", "replica") if own else ("replica",))):
            prefill = within(scenario, topology, lambda part: _prefill(setting, asked, part))
        with scenario.at(*path, "prefill"):
            check_one_of_each(decode, prefill)
    return setting, decode, prefill


def _prefill(setting: Setting, keys: PrefillKeys, topology: Topology) -> Replicas:
    replica = keys.replica or setting.keys.replica
    if replica.kv_precision != setting.keys.replica.kv_precision:
        text = f"kv_precision {replica.kv_precision} of prefill is not that of decode"
        raise InputError(Problem(text, hint=f"keys and values travel as they are: {setting.keys.replica.kv_precision}"))
    return replicas(setting, replica, keys.replicas, topology)


def _setting(scenario: Scenario, name: str, keys: ServiceKeys) -> Setting:
    """Return what all replicas share."""
    path = ("workload", name, "engine")
    with scenario.at(*path):
        product = catalog.engine(keys.engine.kind)
        if keys.engine.memory is not None:
            product = replace(product, fraction=keys.engine.memory)
        model, context = keys.service, keys.engine.context
        if context and model.context and context > model.context:
            raise InputError(Problem(f"context {context:,} is more than the {model.context:,} tokens of {model.id}"))
        make = batchings.get(product.batching) if keys.engine.batching is None else keys.engine.batching.make
        budget = make().budget(0)
        if budget < _MOST_TOKENS:
            product = replace(product, chunk=min(budget, context or model.context or budget))
    with scenario.at("workload", name, "cold_start"):
        check_stores(keys.cold_start, scenario.keys.stores)
    return Setting(
        at=partial(scenario.at, "workload", name),
        keys=keys,
        product=product,
        block=keys.engine.block or BLOCK,
        sequences=keys.engine.max_batch or MAX_BATCH,
    )


def _spec(
    name: str, keys: ServiceKeys, setting: Setting, log: RequestLog, decode: Replicas, prefill: Replicas | None
) -> ServiceSpec:
    engine, context = keys.engine, keys.engine.context or keys.service.context
    bounds: dict[str, Any] = {
        "context": context or None,
        "first_token_timeout": keys.first_token_timeout,
        "timeout": keys.timeout,
        "queue_limit": keys.queue_limit,
        "adapters": None if keys.adapters is None else keys.adapters.slots,
    }
    routers = keys.prefill.router or keys.router if keys.prefill else None
    return ServiceSpec(
        name=name,
        requests=log.requests(name),
        router=keys.router.make(),
        replicas=decode.pool,
        prefill=None if prefill is None else prefill.pool,
        prefill_router=None if routers is None else routers.make(),
        batching=batchings.get(setting.product.batching) if engine.batching is None else engine.batching.make,
        lineup=lineups.get("fcfs") if engine.order is None else engine.order.make,
        block=setting.block,
        max_batch=setting.sequences,
        prefix_cache=engine.prefix_cache,
        swap=engine.preemption == "swap",
        kv_bytes=kv_bytes(keys.service, keys.replica.kv_precision),
        advance=1.0 if engine.speculative is None else _advance(engine.speculative),
        staleness=keys.staleness,
        phases=_phases(keys),
        monitoring=keys.monitoring.made(),
        grace=keys.disruption.grace,
        unavailable=keys.disruption.budget,
        slos={service_class: _slo(bound) for service_class, bound in keys.slo.items()},
        retries=keys.retries,
        backoff=keys.backoff,
        adapter_load=0.0 if keys.adapters is None else keys.adapters.load,
        tenant=keys.tenant,
        priority=keys.priority,
        partition=keys.partition,
        preemptible=keys.preemptible,
        **{key: value for key, value in bounds.items() if value is not None},
    )


def _phases(keys: ServiceKeys) -> tuple[Step, ...]:
    """Steps of a start; weights that come from no store come last, whenever they are named."""
    late = {name: phase for name, phase in keys.cold_start.items() if name == WEIGHTS and phase.fetch is None}
    order = {name: phase for name, phase in keys.cold_start.items() if name not in late} | late
    return steps(order, weight_bytes(keys.service, shape_of(keys.replica)))


def _advance(keys: SpeculativeKeys) -> float:
    return Speculation(keys.tokens, keys.acceptance).advance


def _slo(keys: SloKeys) -> Slo:
    return Slo(**{key: value for key, value in keys.model_dump().items() if value is not None})


def _check_network(topology: Topology) -> None:
    """Raise ``InputError`` where keys and values could not get from one server to another."""
    if len(topology.servers) > 1 and not topology.has_network:
        hint = "take one with a network, as {build: single-switch, nodes: 2, node: dgx-h100, link: infiniband-ndr}"
        text = "keys and values cannot travel from where prompts are computed: the topology has no network"
        raise InputError(Problem(text, hint=hint))


def _check_names(scenario: Scenario, name: str, keys: ServiceKeys, block: int) -> None:
    """Raise ``InputError`` for listed requests that name more blocks than their prompts have."""
    listed = keys.requests.requests if isinstance(keys.requests, ListedRequests) else ()
    problems = []
    for index, request in enumerate(listed):
        most = -(-request.input // block)
        if len(request.hashes) > most:
            text = f"{len(request.hashes)} names; a prompt of {request.input:,} tokens has {most:,} blocks of {block}"
            problems.append(scenario.root.problem(("workload", name, "requests", index, "hashes"), text))
    if problems:
        raise InputError(*problems)


def _check_hashes(log: RequestLog, block: int) -> None:
    """Raise ``InputError`` when blocks of the KV cache do not fill the blocks that hashes name."""
    if log.hashes is not None and log.hashes.block % block:
        text = f"hashes name blocks of {log.hashes.block} tokens, which is no multiple of the engine's block of {block}"
        raise InputError(Problem(text, hint=f"write engine: {{block: N}} with an N that divides {log.hashes.block}"))
