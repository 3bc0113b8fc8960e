"""Replicas of a service: which accelerators of the cluster hold them, and what one can do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator, Link, Model
from simulator.cluster.records import Engine as Product
from simulator.cluster.topology import HOST, Server, Topology
from simulator.core.errors import InputError, Problem
from simulator.models.serving.analytic import AnalyticTime
from simulator.models.serving.interconnect import Interconnect
from simulator.models.serving.memory import Fit, fitted, footprint
from simulator.models.serving.replica import replica as put_together
from simulator.models.serving.shape import ReplicaShape
from simulator.models.serving.speculation import Speculation
from simulator.models.serving.work import WIDTH, work
from simulator.runtime.serving.spec import Engine, ReplicaPool
from simulator.scenario.replicarooms import Room, check_width, held_by, known, servers_for
from simulator.scenario.serviceparts import Scaling
from simulator.scenario.services import ReplicaKeys, ServiceKeys, SpeculativeKeys

UNKNOWN = "accelerators of no known type"
"""What is said of accelerators that have no name."""
BLOCK, MAX_BATCH = 16, 256
"""Tokens of a KV block and sequences of a batch unless the scenario says otherwise, as in vLLM 0.19 (``CacheConfig``,
``SchedulerConfig``)."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """One pool of replicas as it is planned.

    ``engines`` and ``fits`` are by type of accelerator, as the cluster calls it; a type that the catalog does not know
    has no fit. ``servers`` are those that may hold one. ``wanted`` is how many replicas are asked for at all times or
    at the start, ``allowed`` how many an autoscaler may ask for (None: any number), ``most`` how many the cluster has
    room for while nothing else runs there; no more are ever asked for. ``notes`` are parts of sentences.
    """

    pool: ReplicaPool
    shape: ReplicaShape
    engines: Mapping[str, Engine]
    fits: Mapping[str, Fit]
    servers: tuple[Server, ...]
    wanted: int
    allowed: int | None
    most: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """What all replicas of a service share: keys, engine, tokens of a KV block, sequences of a batch.

    ``at(key, ...)`` gives problems inside the place of a key of the service.
    """

    at: Callable[..., AbstractContextManager[None]]
    keys: ServiceKeys
    product: Product
    block: int
    sequences: int


def shape_of(keys: ReplicaKeys) -> ReplicaShape:
    """Return how one replica is laid out."""
    return ReplicaShape(
        tp=keys.tp,
        pp=keys.pp,
        dp=keys.dp,
        ep=keys.ep,
        weights=keys.precision,
        kv=keys.kv_precision,
        imbalance=keys.expert_imbalance,
    )


def weight_bytes(model: Model, shape: ReplicaShape) -> float:
    """Bytes of all weights of a model, once."""
    each = work(model, ReplicaShape(weights=shape.weights, kv=shape.kv))
    experts = each.moe_layers * model.experts * each.expert * each.expert_width
    return each.dense_bytes + experts + (each.head + each.embedding) * WIDTH


def replicas(setting: Setting, keys: ReplicaKeys, scaling: Scaling, topology: Topology) -> Replicas:
    """Return the pool of replicas that ``keys`` describe.

    Raises ``InputError`` for a model that cannot be laid out so, that fits no accelerator of the cluster that may have
    it (with what is missing, and the smallest layout that fits), and when the cluster cannot hold a single replica.
    """
    shape = shape_of(keys)
    shape.check(setting.keys.service)
    servers = servers_for(topology, keys.accelerator, keys.partition or setting.keys.partition)
    engines: dict[str, Engine] = {}
    fits: dict[str, Fit] = {}
    unfit: dict[str, InputError] = {}
    for kind in dict.fromkeys(server.accelerator for server in servers):
        here = [server for server in servers if server.accelerator == kind]
        try:
            check_width(shape, kind, here)
            engines[kind], fit = _engine(setting, shape, kind, here, topology)
        except InputError as error:
            unfit[kind] = error
        else:
            fits |= {} if fit is None else {kind: fit}
    if not engines:
        raise InputError(*dict.fromkeys(problem for error in unfit.values() for problem in error.problems))
    rooms = {kind: Room.of(keys, shape, [s for s in servers if s.accelerator == kind]) for kind in engines}
    spread, held = held_by(keys, shape, rooms)
    notes = [f"no replica runs on {kind or UNKNOWN}: {error.problems[0].text}" for kind, error in unfit.items()]
    if spread > 1 and len(held) > 1:  # a replica would be placed over servers of several types
        most = max(held, key=lambda kind: held[kind])
        notes.append(
            f"its replicas span servers, so they all run on {most}; name another accelerator to have them elsewhere"
        )
        held = {most: held[most]}
    engines = {kind: engines[kind] for kind in held}
    notes += [note for kind in engines if kind in fits for note in _overfull(setting, kind, fits[kind])]
    if spread > 1 and setting.keys.iteration_time is None and _link(topology) is None:
        notes.append("its replicas span servers whose network is not known: 400 Gb/s for each accelerator is taken")
    others = any(server.accelerators and server.accelerator not in engines for server in topology.servers)
    room = sum(held.values())
    pool = ReplicaPool(
        accelerators=shape.accelerators,
        engine=engines.__getitem__,
        scaler=scaling.scaler.make(),
        initial=scaling.initial,
        ranks=shape.dp,
        types=tuple(engines) if others else (),
        max_servers=spread,
        cores=keys.cores,
        memory=keys.memory,
        partition=keys.partition,
        minimum=min(scaling.minimum, room),
        maximum=room if scaling.maximum is None else min(scaling.maximum, room),
    )
    return Replicas(
        pool=pool,
        shape=shape,
        engines=engines,
        fits=fits,
        servers=tuple(server for server in servers if server.accelerator in engines),
        wanted=max(scaling.least, scaling.initial or 0),
        allowed=scaling.maximum,
        most=room,
        notes=tuple(notes),
    )


def _overfull(setting: Setting, kind: str, fit: Fit) -> Iterator[str]:
    """Say when more KV blocks are taken than fit."""
    blocks, fitting = setting.keys.engine.blocks, fit.blocks(setting.block)
    if blocks is not None and blocks > fitting:
        yield f"{blocks:,} KV blocks of {setting.block:,} tokens are taken as said, and {fitting:,} fit on {kind}"


def _engine(
    setting: Setting, shape: ReplicaShape, kind: str, servers: Sequence[Server], topology: Topology
) -> tuple[Engine, Fit | None]:
    """Return what a replica can do on accelerators of one type, and its memory there."""
    keys = setting.keys
    timing, blocks = keys.iteration_time, keys.engine.blocks
    accelerator = known(kind)
    if accelerator is None:
        if timing is None or blocks is None:
            name = f"accelerators {kind!r}, which the catalog does not have" if kind else UNKNOWN
            hint = "name the accelerator of its servers, or give iteration_time, and blocks of the engine"
            raise InputError(
                Problem(f"the cluster has {name}: nobody can tell how long a model takes there", hint=hint)
            )
        return Engine(timing.make(), blocks, swap=keys.engine.swap_bandwidth or 0.0), None
    domain = max(server.accelerators for server in servers)
    link = _link(topology)
    net = Interconnect.of(accelerator, link, domain)
    product, speculation = _speculation(keys.engine.speculative, setting.product, accelerator, shape, net)
    try:
        made = put_together(
            keys.service,
            accelerator,
            shape,
            product,
            block=setting.block,
            sequences=setting.sequences,
            blocks=blocks,
            link=link,
            domain=domain,
            speculation=speculation,
        )
    except InputError as error:
        _blame(setting, accelerator, shape, product, error)
        raise
    swap = keys.engine.swap_bandwidth or made.swap
    if keys.engine.preemption == "swap" and not swap:
        hint = "write swap_bandwidth beside preemption: swap"
        raise InputError(Problem(f"the bandwidth of {accelerator.id} to its host is not known", hint=hint))
    return Engine(made.time if timing is None else timing.make(), made.blocks, swap=swap), made.fit


def _blame(
    setting: Setting, accelerator: Accelerator, shape: ReplicaShape, product: Product, error: InputError
) -> None:
    """Raise the error at the key of the engine that makes it, if the model fits with the default of that key."""
    engine, own = setting.keys.engine, catalog.engine(product.id)

    def try_(where: tuple[str, ...], value: str, how: str, **other: Any) -> None:
        given: dict[str, Any] = {"engine": product, "block": setting.block, "sequences": setting.sequences} | other
        try:
            fitted(setting.keys.service, accelerator, shape, **given)
        except InputError:
            return
        with setting.at("engine", *where):
            raise InputError(Problem(f"{where[-1]} {value}: {error.problems[0].text}", hint=f"{how} it fits"))

    if engine.max_batch is not None:
        try_(("max_batch",), f"{engine.max_batch:,}", f"with {MAX_BATCH}, the default,", sequences=MAX_BATCH)
    if engine.block is not None:
        try_(("block",), f"{engine.block:,}", f"with {BLOCK}, the default,", block=BLOCK)
    if engine.speculative is not None and engine.speculative.draft is not None:
        draft = engine.speculative.draft.id
        try_(("speculative", "draft"), draft, "without a draft", engine=setting.product)
    if engine.memory is not None:
        more = replace(product, fraction=own.fraction)
        try_(("memory",), f"{engine.memory:.3g}", f"with {own.fraction:g}, the engine's own,", engine=more)
    if engine.batching is not None:
        less = replace(product, chunk=own.chunk)
        try_(("batching",), engine.batching.kind, f"with iterations of {own.chunk:,} tokens", engine=less)


def _speculation(
    keys: SpeculativeKeys | None, product: Product, accelerator: Accelerator, shape: ReplicaShape, net: Interconnect
) -> tuple[Product, Speculation | None]:
    """Return how tokens are guessed, and the engine with room for the weights of the draft."""
    if keys is None or keys.draft is None:
        return product, None if keys is None else Speculation(keys.tokens, keys.acceptance)
    draft = replace(shape, pp=1, ep=1, imbalance=None)
    draft.check(keys.draft)
    room = footprint(keys.draft, accelerator, draft, product).weights
    time = AnalyticTime(keys.draft, accelerator, draft, product, net)
    return replace(product, reserved=product.reserved + room), Speculation(keys.tokens, keys.acceptance, time)


def _link(topology: Topology) -> Link | None:
    """Return the kind of link by which servers meet the network; None where none is named."""
    edges = topology.graph.edges(data=True)
    name = next((str(data["item"]) for _, _, data in edges if data.get("tier") == HOST and data.get("item")), None)
    return None if name is None else catalog.link(name)
