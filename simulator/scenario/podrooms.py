"""Where replicas of a load, and executors of a data job, fit: each on one server."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from simulator.cluster.topology import Server, Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import format_quantity
from simulator.scenario.jobs import Names, Text
from simulator.scenario.quantities import Number, Size
from simulator.scenario.replicarooms import known
from simulator.scenario.validation import Strict, complaint

_SHOWN = 4
"""Kinds of servers of which a message says why a replica does not fit."""


def _whole_or_share(value: float) -> float:
    if value < 0 or (value > 1 and value != int(value)):
        raise complaint(f"{value:g} accelerators are not allowed: a whole number, or a share of one below 1")
    return value


class PodKeys(Strict):
    """What one replica takes of a server."""

    accelerator: Names = Field(
        default_factory=list, description="type of accelerators of its server, or several that will do; default: any"
    )
    accelerators: Annotated[Number, AfterValidator(_whole_or_share)] | None = Field(
        None, description="how many of them, a share of one, or 0; default: 1 where a type is named, else 0"
    )
    cores: Annotated[Number, Field(ge=0)] = Field(0.0, description="CPU cores")
    memory: Size = Field(0.0, description="host memory")
    partition: Text = Field("", description="only servers of this partition; default: the workload's")

    def held(self, typed: bool = False) -> float:
        """Accelerators of one replica; ``typed`` says that types are named elsewhere too."""
        if self.accelerators is not None:
            return self.accelerators
        return 1.0 if self.accelerator or typed else 0.0


@dataclass(frozen=True, slots=True)
class PodRoom:
    """The types of accelerators of the servers that hold a replica, and how many the cluster holds of it at all."""

    types: tuple[str, ...]
    most: int
    everywhere: bool
    """Whether all servers with accelerators enough are of these types, so that none need be named."""


def same(kind: str, name: str) -> bool:
    """Whether a cluster's name of a type of accelerators and a user's are of the same type."""
    one, other = known(kind), known(name)
    return kind == name or (one is not None and other is not None and one.id == other.id)


def pod_room(
    topology: Topology, keys: PodKeys, size: float, wanted: Sequence[str], partition: str, noun: str = "a replica"
) -> PodRoom:
    """Return where replicas of ``size`` accelerators fit, on servers of the ``wanted`` types (empty: any).

    ``noun`` is what messages call one.

    Raises ``InputError`` for types and partitions that the cluster does not have, and when no server holds a replica,
    with the reason for each kind of server.
    """
    servers = _in_partition(topology, keys.partition or partition)
    kinds = list(dict.fromkeys(server.accelerator for server in servers if server.accelerator))
    for name in wanted:
        if not any(same(kind, name) for kind in kinds):
            hint = did_you_mean(name, kinds) if kinds else "its servers do not say what accelerators they have"
            raise InputError(Problem(f"the cluster has no accelerators {name!r}", hint=hint))
    chosen = [s for s in servers if not wanted or any(same(s.accelerator, name) for name in wanted)]
    counts = [_count(server, keys, size) for server in chosen]
    if not sum(counts):
        raise InputError(_nowhere(chosen, keys, size, noun))
    types = tuple(dict.fromkeys(s.accelerator for s, count in zip(chosen, counts, strict=True) if count))
    return PodRoom(types, sum(counts), len(chosen) == len(servers))


def _in_partition(topology: Topology, partition: str) -> list[Server]:
    servers = list(topology.servers)
    if not partition or not any(server.partition for server in servers):
        return servers
    names = list(dict.fromkeys(part.strip() for s in servers for part in s.partition.split(",") if part.strip()))
    found = [s for s in servers if partition in (part.strip() for part in s.partition.split(","))]
    if not found:
        raise InputError(Problem(f"no server is in partition {partition!r}", hint=did_you_mean(partition, names)))
    return found


def _count(server: Server, keys: PodKeys, size: float) -> int:
    """Replicas that an empty server holds; as many as anybody could want where nothing limits them."""
    room = math.inf
    if size >= 1:
        room = server.accelerators // size
    elif size > 0:
        room = server.accelerators * math.floor(1 / size + 1e-9)
    if keys.cores:
        room = min(room, server.cores // keys.cores)
    if keys.memory:
        room = min(room, server.memory // keys.memory)
    return int(min(room, 1_000_000))


def _nowhere(servers: Sequence[Server], keys: PodKeys, size: float, noun: str) -> Problem:
    wanted = [f"{size:g} accelerator{'s' * (size > 1)}"] if size else []
    wanted += [f"{keys.cores:g} cores"] if keys.cores else []
    wanted += [f"{format_quantity(keys.memory, 'bytes', 3)} of memory"] if keys.memory else []
    told = list(dict.fromkeys(_lack(server, keys, size) for server in servers)) or ["there is none"]
    more = f"; and {len(told) - _SHOWN} kinds more" if len(told) > _SHOWN else ""
    text = f"{noun} of {' and '.join(wanted) or 'nothing'} fits no server: {'; '.join(told[:_SHOWN])}{more}"
    return Problem(text, hint="ask for less, or take larger servers")


def _lack(server: Server, keys: PodKeys, size: float) -> str:
    what = f"{server.accelerators} {server.accelerator or 'accelerators'}"
    return f"one with {what} has {' and '.join(_short(server, keys, size))}"


def _short(server: Server, keys: PodKeys, size: float) -> Iterator[str]:
    if size > server.accelerators:
        yield "too few of them"
    if keys.cores > server.cores:
        yield f"{server.cores:g} cores"
    if keys.memory > server.memory:
        yield f"{format_quantity(server.memory, 'bytes', 3)} of memory"
