"""Replicas of a service: which accelerators of the cluster hold them, and what one can do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator, Link, Model
from simulator.cluster.records import Engine as Product
from simulator.cluster.topology import HOST, Server, Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import format_quantity
from simulator.models.serving.analytic import AnalyticTime
from simulator.models.serving.interconnect import Interconnect
from simulator.models.serving.memory import Fit, footprint
from simulator.models.serving.replica import replica as put_together
from simulator.models.serving.shape import ReplicaShape
from simulator.models.serving.speculation import Speculation
from simulator.models.serving.work import WIDTH, work
from simulator.policies.serving import ReplicaScaler, ServiceObservation
from simulator.runtime.serving.spec import Engine, ReplicaPool
from simulator.scenario.serviceparts import Scaling
from simulator.scenario.services import ReplicaKeys, ServiceKeys, SpeculativeKeys

_UNKNOWN = "accelerators of no known type"


@dataclass(frozen=True, slots=True)
class Replicas:
    """One pool of replicas as it is planned.

    ``engines`` and ``fits`` are by type of accelerator, as the cluster calls it; a type that the catalog does not know
    has no fit. ``wanted`` is how many replicas are asked for at all times, ``most`` how many the cluster has room for
    while nothing else runs there. ``notes`` are sentences.
    """

    pool: ReplicaPool
    shape: ReplicaShape
    engines: Mapping[str, Engine]
    fits: Mapping[str, Fit]
    wanted: int
    most: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """What all replicas of a service share: keys, engine, tokens of a KV block, sequences of a batch, s to load."""

    keys: ServiceKeys
    product: Product
    block: int
    sequences: int
    load: float


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
    servers = _servers(topology, keys.accelerator, keys.partition or setting.keys.partition)
    engines: dict[str, Engine] = {}
    fits: dict[str, Fit] = {}
    unfit: dict[str, InputError] = {}
    for kind in dict.fromkeys(server.accelerator for server in servers):
        here = [server for server in servers if server.accelerator == kind]
        try:
            _check_width(shape, kind, here)
            engines[kind], fit = _engine(setting, shape, kind, here, topology)
        except InputError as error:
            unfit[kind] = error
        else:
            fits |= {} if fit is None else {kind: fit}
    if not engines:
        raise InputError(*dict.fromkeys(problem for error in unfit.values() for problem in error.problems))
    rooms = {kind: _Room.of(keys, shape, [s for s in servers if s.accelerator == kind]) for kind in engines}
    spread, held = _held(keys, shape, rooms)
    notes = [f"no replica runs on {kind or _UNKNOWN}: {error.problems[0].text}" for kind, error in unfit.items()]
    if spread > 1 and len(held) > 1:  # a replica would be placed over servers of several types
        most = max(held, key=lambda kind: held[kind])
        notes.append(
            f"its replicas span servers, so they all run on {most}; name another accelerator to have them elsewhere"
        )
        held = {most: held[most]}
    engines = {kind: engines[kind] for kind in held}
    if spread > 1 and setting.keys.iteration_time is None and _link(topology) is None:
        notes.append("its replicas span servers whose network is not known: 400 Gb/s for each accelerator is taken")
    others = any(server.accelerators and server.accelerator not in engines for server in topology.servers)
    bounds: dict[str, Any] = {} if scaling.maximum is None else {"maximum": scaling.maximum}
    pool = ReplicaPool(
        accelerators=shape.accelerators,
        engine=engines.__getitem__,
        scaler=_scaler(scaling),
        ranks=shape.dp,
        types=tuple(engines) if others else (),
        max_servers=spread,
        cores=keys.cores,
        memory=keys.memory,
        partition=keys.partition,
        minimum=scaling.minimum,
        **bounds,
    )
    return Replicas(pool, shape, engines, fits, scaling.least, sum(held.values()), tuple(notes))


class Initially:
    """A number of replicas to start with; an autoscaler says how many from its first interval on."""

    def __init__(self, initial: int, scaler: ReplicaScaler) -> None:
        self.interval, self._initial, self._scaler, self._begun = scaler.interval, initial, scaler, False

    def reset(self) -> None:
        """Begin anew."""
        self._begun = False
        reset = getattr(self._scaler, "reset", None)
        if callable(reset):
            reset()

    def step(self, now: float, observation: ServiceObservation) -> int:
        """Return the number of replicas wanted."""
        if self._begun:
            return self._scaler.step(now, observation)
        self._begun = True
        return self._initial


def _scaler(scaling: Scaling) -> ReplicaScaler:
    made: ReplicaScaler = scaling.scaler.make()
    return made if scaling.initial is None else Initially(scaling.initial, made)


@dataclass(frozen=True, slots=True)
class _Room:
    """Where replicas fit on servers of one type of accelerator.

    A group holds a part of a replica that is tensor parallel, and lies in one server. ``groups`` are those of each
    server, ``wanted`` those of a replica, ``largest`` the accelerators of the largest server.
    """

    groups: tuple[int, ...]
    wanted: int
    largest: int

    @classmethod
    def of(cls, keys: ReplicaKeys, shape: ReplicaShape, servers: Sequence[Server]) -> _Room:
        wanted = shape.pp * shape.dp
        cores, memory = keys.cores / wanted, keys.memory / wanted
        groups = []
        for server in servers:
            free = float(server.accelerators // shape.tp)
            if cores:
                free = min(free, server.cores // cores)
            if memory:
                free = min(free, server.memory // memory)
            groups.append(int(free))
        return cls(tuple(sorted(groups, reverse=True)), wanted, max(s.accelerators for s in servers))

    @property
    def spread(self) -> int:
        """Fewest servers that hold one replica; 0 where all together do not."""
        held = 0
        for count, groups in enumerate(self.groups, 1):
            held += groups
            if held >= self.wanted:
                return count
        return 0

    def replicas(self, spread: int) -> int:
        """Most replicas that could ever be placed at once, each on at most ``spread`` servers; 0 where none can."""
        if spread == 1:
            return sum(groups // self.wanted for groups in self.groups)
        return sum(self.groups) // self.wanted if 0 < self.spread <= spread else 0


def _servers(topology: Topology, wanted: Sequence[str], partition: str) -> list[Server]:
    """Return the servers that replicas may be on; ``InputError`` for accelerators that the cluster does not have."""
    here = [server for server in topology.servers if server.accelerators]
    kinds = list(dict.fromkeys(server.accelerator for server in here))
    if any(server.partition for server in topology.servers) and partition:
        here = [s for s in here if partition in (part.strip() for part in s.partition.split(","))]
    chosen: dict[str, None] = {}
    for name in wanted:
        found = [kind for kind in kinds if kind == name or (kind and _same(kind, name))]
        chosen |= dict.fromkeys(found)
        if not found:
            known = [kind for kind in kinds if kind]
            hint = did_you_mean(name, known) if known else "its servers do not say what accelerators they have"
            raise InputError(Problem(f"the cluster has no accelerators {name!r}", hint=hint))
    found_servers = [server for server in here if not wanted or server.accelerator in chosen]
    if not found_servers:
        where = f" in partition {partition!r}" if partition else ""
        what = " or ".join(wanted) or "accelerators"
        raise InputError(f"the cluster has no {what}{where} for a replica to run on")
    return found_servers


def _same(kind: str, name: str) -> bool:
    one, other = _known(kind), _known(name)
    return one is not None and other is not None and one.id == other.id


def _known(name: str) -> Accelerator | None:
    try:
        return catalog.accelerator(name) if name else None
    except InputError:
        return None


def _check_width(shape: ReplicaShape, kind: str, servers: Sequence[Server]) -> None:
    """Raise ``InputError`` when a tensor-parallel rank is wider than every server."""
    largest = max(server.accelerators for server in servers)
    if shape.tp > largest:
        text = f"tp {shape.tp} is more than the {largest} accelerators of the largest server"
        more = shape.tp * shape.pp // largest
        raise InputError(Problem(f"{text} with {kind}" if kind else text, hint=f"write tp: {largest}, pp: {more}"))


def _engine(
    setting: Setting, shape: ReplicaShape, kind: str, servers: Sequence[Server], topology: Topology
) -> tuple[Engine, Fit | None]:
    """Return what a replica can do on accelerators of one type, and its memory there."""
    keys = setting.keys
    timing, blocks = keys.iteration_time, keys.engine.blocks
    accelerator = _known(kind)
    if accelerator is None:
        if timing is None or blocks is None:
            name = f"accelerators {kind!r}, which the catalog does not have" if kind else _UNKNOWN
            hint = "name the accelerator of its servers, or give iteration_time, and blocks of the engine"
            raise InputError(
                Problem(f"the cluster has {name}: nobody can tell how long a model takes there", hint=hint)
            )
        return Engine(timing.make(), blocks, setting.load, keys.engine.swap_bandwidth or 0.0), None
    domain = max(server.accelerators for server in servers)
    link = _link(topology)
    net = Interconnect.of(accelerator, link, domain)
    product, speculation = _speculation(keys.engine.speculative, setting.product, accelerator, shape, net)
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
    swap = keys.engine.swap_bandwidth or made.swap
    if keys.engine.preemption == "swap" and not swap:
        hint = "write swap_bandwidth beside preemption: swap"
        raise InputError(Problem(f"the bandwidth of {accelerator.id} to its host is not known", hint=hint))
    return Engine(made.time if timing is None else timing.make(), made.blocks, setting.load, swap), made.fit


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


def _held(keys: ReplicaKeys, shape: ReplicaShape, rooms: Mapping[str, _Room]) -> tuple[int, dict[str, int]]:
    """Return how many servers a replica may span, and how many replicas each type holds that holds any."""
    spreads = [room.spread for room in rooms.values() if room.spread]
    spread = keys.max_servers or min(spreads, default=1)
    held = {kind: count for kind, room in rooms.items() if (count := room.replicas(spread))}
    if not held:
        raise InputError(_nowhere(keys, shape, rooms))
    return spread, held


def _nowhere(keys: ReplicaKeys, shape: ReplicaShape, rooms: Mapping[str, _Room]) -> Problem:
    """Say why not a single replica can be placed."""
    count, kinds = shape.accelerators, " or ".join(kind or "accelerators" for kind in rooms)
    held = max(sum(room.groups) * shape.tp for room in rooms.values())
    size = f"a replica takes {count:,} accelerator{'s' * (count > 1)} of one type"
    if held < count and (keys.cores or keys.memory):
        text = f"{size} with {keys.cores:g} cores and {format_quantity(keys.memory, 'bytes', 3)} of memory; the cluster"
        return Problem(f"{text} has no servers for that", hint="ask for fewer cores, or less memory")
    if held < count:
        return Problem(f"{size}; the cluster has {held:,} of {kinds}", hint="take smaller degrees, or a larger cluster")
    largest = max(room.largest for room in rooms.values())
    servers = f"{keys.max_servers} server{'s' * (keys.max_servers != 1)} of {largest}"
    hint = f"max_servers must be at least {min(room.spread for room in rooms.values() if room.spread)}"
    return Problem(f"a replica of {count:,} accelerators does not fit on {servers}", hint=hint)
