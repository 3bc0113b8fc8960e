"""Where replicas fit: which servers may hold them, and how many there is room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.cluster import catalog
from simulator.cluster.records import Accelerator
from simulator.cluster.topology import Server, Topology
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import format_quantity
from simulator.models.serving.shape import ReplicaShape
from simulator.scenario.services import ReplicaKeys


@dataclass(frozen=True, slots=True)
class Room:
    """Where replicas fit on servers of one type of accelerator.

    A group holds a part of a replica that is tensor parallel, and lies in one server. ``groups`` are those of each
    server, ``wanted`` those of a replica, ``largest`` the accelerators of the largest server.
    """

    groups: tuple[int, ...]
    wanted: int
    largest: int

    @classmethod
    def of(cls, keys: ReplicaKeys, shape: ReplicaShape, servers: Sequence[Server]) -> Room:
        """Return the room on servers of one type, by their accelerators, cores and memory."""
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


def servers_for(topology: Topology, wanted: Sequence[str], partition: str) -> list[Server]:
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
    one, other = known(kind), known(name)
    return one is not None and other is not None and one.id == other.id


def known(name: str) -> Accelerator | None:
    """Return the accelerator that a cluster calls so; None for one that the catalog does not have."""
    try:
        return catalog.accelerator(name) if name else None
    except InputError:
        return None


def check_width(shape: ReplicaShape, kind: str, servers: Sequence[Server]) -> None:
    """Raise ``InputError`` when a tensor-parallel rank is wider than every server."""
    largest = max(server.accelerators for server in servers)
    if shape.tp > largest:
        text = f"tp {shape.tp} is more than the {largest} accelerators of the largest server"
        more = shape.tp * shape.pp // largest
        raise InputError(Problem(f"{text} with {kind}" if kind else text, hint=f"write tp: {largest}, pp: {more}"))


def held_by(keys: ReplicaKeys, shape: ReplicaShape, rooms: Mapping[str, Room]) -> tuple[int, dict[str, int]]:
    """Return how many servers a replica may span, and how many replicas each type holds that holds any."""
    spreads = [room.spread for room in rooms.values() if room.spread]
    spread = keys.max_servers or min(spreads, default=1)
    held = {kind: count for kind, room in rooms.items() if (count := room.replicas(spread))}
    if not held:
        raise InputError(_nowhere(keys, shape, rooms))
    return spread, held


def _nowhere(keys: ReplicaKeys, shape: ReplicaShape, rooms: Mapping[str, Room]) -> Problem:
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
