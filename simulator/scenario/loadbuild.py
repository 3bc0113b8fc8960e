"""From the keys of a load to what a run is told of it, checked against the cluster that it will run on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.core.units import format_quantity
from simulator.runtime.fleets.spec import FleetSpec
from simulator.runtime.loads.spec import LoadSpec
from simulator.scenario.fleetkeys import check_stores, steps
from simulator.scenario.loads import LoadKeys, LoadWork
from simulator.scenario.podrooms import PodRoom, pod_room, same
from simulator.scenario.reachable import within
from simulator.scenario.serviceparts import Scaling
from simulator.scenario.spec import Scenario
from simulator.workload.load import demand, own_length
from simulator.workload.sampling import Draws


@dataclass(frozen=True, slots=True)
class PlannedLoad:
    """A load as it will run; ``notes`` are what a reader of the results must know of it."""

    name: str
    spec: LoadSpec
    notes: tuple[str, ...] = ()


def load_of(
    scenario: Scenario, name: str, work: LoadWork, topology: Topology, seed: int, replication: int
) -> PlannedLoad:
    """Return a load and its demand; raise ``InputError``, each with its place, for what does not fit."""
    keys, path = work.keys, ("workload", name)
    room = load_room(scenario, name, work, topology)
    shapes = [shape.make() for shape in keys.load]
    duration = min(own_length(shapes), math.inf if scenario.run.until is None else scenario.run.until)
    duration = duration if keys.duration is None else keys.duration
    if not duration < math.inf:
        hint = "write duration: 1 d beside load, or until: 1 d in run"
        raise InputError(scenario.root.problem((*path, "load"), "it never ends, and neither does the run", hint))
    with scenario.at(*path, "interval" if duration / keys.interval > 1e6 else "load"):
        try:
            made = demand(
                shapes, duration, Draws(seed, replication, f"load:{name}"), keys.interval, keys.noise == "poisson"
            )
        except ValueError as error:
            raise InputError(str(error)) from None
    rates = {kind: _rate_of(kind, keys.replica.rate) for kind in room.types}
    spec = LoadSpec(
        fleet=_fleet(name, keys, room),
        demand=made,
        rate=rates.__getitem__,
        best=max(rates.values()),
        patience=math.inf if keys.timeout is None else keys.timeout,
        slo=math.inf if keys.slo is None else keys.slo.wait,
        random=keys.randomness == "poisson",
        record_interval=keys.record_interval,
    )
    said = [f"Load {name}: {note}." for note in (*crowded(keys.replicas, room), *_short(spec, room))]
    return PlannedLoad(name, spec, tuple(said))


def load_room(scenario: Scenario, name: str, work: LoadWork, topology: Topology) -> PodRoom:
    """Return where the replicas of a load fit; raise ``InputError``, with its place, when they fit nowhere."""
    keys, path = work.keys, ("workload", name)
    with scenario.at(*path, "cold_start"):
        check_stores(keys.cold_start, scenario.keys.stores)
    rates = keys.replica.rate
    typed = "" not in rates
    with scenario.at(*path, "replica"):
        if typed and keys.replica.accelerator:
            missing = [kind for kind in keys.replica.accelerator if not any(same(kind, name) for name in rates)]
            if missing:
                raise InputError(f"rate does not say what a replica serves on {missing[0]!r}")
        wanted = keys.replica.accelerator or ([] if not typed else list(rates))
        size = keys.replica.held(typed)
        return within(scenario, topology, lambda part: pod_room(part, keys.replica, size, wanted, keys.partition))


def _rate_of(kind: str, rates: Mapping[str, float]) -> float:
    return rates[""] if "" in rates else next(rate for name, rate in rates.items() if same(kind, name))


def _fleet(name: str, keys: LoadKeys, room: PodRoom) -> FleetSpec:
    return FleetSpec(
        name=name,
        workload=name,
        accelerators=keys.replica.held("" not in keys.replica.rate),
        cores=keys.replica.cores,
        memory=keys.replica.memory,
        types=() if room.everywhere else room.types,
        tenant=keys.tenant,
        priority=keys.priority,
        partition=keys.replica.partition or keys.partition,
        preemptible=keys.preemptible,
        steps=steps(keys.cold_start),
        monitoring=keys.monitoring.made(),
        grace=keys.disruption.grace,
        unavailable=keys.disruption.budget,
        **bounds(keys.replicas, room),
    )


def bounds(scaling: Scaling, room: PodRoom) -> dict[str, Any]:
    """Return the policy of a fleet, and its bounds, which are never above what the cluster holds."""
    return {
        "scaler": scaling.scaler.make(),
        "minimum": min(scaling.minimum, room.most),
        "maximum": room.most if scaling.maximum is None else min(scaling.maximum, room.most),
        "initial": scaling.initial,
    }


def crowded(scaling: Scaling, room: PodRoom, noun: str = "replicas") -> Sequence[str]:
    """Say when more are wanted, or may be, than can ever be placed; parts of sentences."""
    wanted = max(scaling.least, scaling.initial or 0)
    rest = f"the cluster has room for {room.most:,} while nothing else runs: no more are asked for"
    if wanted > room.most:
        return [f"{wanted:,} {noun} are wanted, and {rest}"]
    if scaling.maximum is not None and scaling.maximum > room.most:
        return [f"up to {scaling.maximum:,} {noun} are allowed, and {rest}"]
    return []


def _short(spec: LoadSpec, room: PodRoom) -> Sequence[str]:
    """Say when the demand is more than all replicas that there may ever be can serve."""
    most, peak = spec.fleet.maximum * spec.best, float(spec.demand.rates.max())
    over = spec.demand.rates > most * (1 + 1e-9)
    if not over.any():
        return []
    seconds = float(spec.demand.lengths()[over].sum())
    text = f"at its peak {peak:,.4g} requests/s come, and {spec.fleet.maximum:,} replicas serve {most:,.4g}"
    return [f"{text}; so it is for {format_quantity(seconds, 'time')} of {format_quantity(spec.demand.end, 'time')}"]
