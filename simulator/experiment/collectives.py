"""What collectives take on a cluster, over a range of sizes: the columns of nccl-tests, without a GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, parse
from simulator.experiment.topologies import topology_of
from simulator.models.collectives import Estimate, Group, algorithms, estimate
from simulator.models.collectives.api import collective_name
from simulator.models.collectives.group import most_on_a_server
from simulator.runtime.communicator import Communicator
from simulator.runtime.slots import Member

if TYPE_CHECKING:
    import pandas as pd

SMALLEST, LARGEST = 2.0**10, 2.0**30
"""Bytes of the shortest and the longest message, where the user names none."""
_MOST_SIZES = 64


class Row(NamedTuple):
    """One line of nccl-tests: bytes, seconds, bytes/s; and by which algorithm and mode."""

    size: float
    time: float
    algbw: float
    busbw: float
    algorithm: str
    protocol: str


@dataclass(frozen=True)
class Bench:
    """Ranks to try collectives on: a group of catalog parts, or a communicator on a topology."""

    group: Group
    communicator: Communicator | None = None
    notes: tuple[str, ...] = ()

    def estimate(self, collective: str, size: float, algorithm: str = "auto") -> Estimate:
        """Return what a collective takes alone, held back by every link of the topology that it crosses."""
        found = estimate(collective, size, self.group, algorithm)
        if self.communicator is None:
            return found
        plan = self.communicator.plan(collective, size, found.algorithm if algorithm == "auto" else algorithm)
        return replace(plan.estimate, time=plan.time(self.communicator.topology.capacity))

    def rows(self, collective: str, sizes: Sequence[float], algorithm: str = "auto") -> list[Row]:
        """Return one row for each size."""
        found = [self.estimate(collective, size, algorithm) for size in sizes]
        return [Row(each.size, each.time, each.algbw, each.busbw, each.algorithm, each.protocol) for each in found]

    def able(self, collective: str) -> tuple[list[str], dict[str, str]]:
        """Return the algorithms that can run a collective here, and why the others cannot."""
        name = collective_name(collective)
        faults = {known: algorithms.get(known)().fault(name, self.group) for known in algorithms.names()}
        able = [known for known, fault in faults.items() if fault is None]
        return able if self.group.ranks > 1 else [], {known: fault for known, fault in faults.items() if fault}

    def describe(self) -> str:
        """Return one line: ranks, domains, what joins them."""
        group = self.group
        ranks = "1 rank" if group.ranks == 1 else f"{group.ranks:,} ranks"
        text = f"{ranks}, {group.inside.protocol.name} inside"
        if group.domains > 1:
            text = f"{ranks} in {group.domains:,} domains, {group.inside.protocol.name} inside"
            text += f", {group.network.protocol.name} between"
        return text


def collective(
    name: str,
    size: str | float | Sequence[str | float] | None = None,
    *,
    topology: Topology | str | Path | None = None,
    ranks: int | None = None,
    servers: Sequence[str] | None = None,
    accelerator: str | None = None,
    nodes: int = 1,
    per_node: int | None = None,
    link: str | None = None,
    nics: int | None = None,
    protocol: str | None = None,
    algorithm: str = "auto",
) -> pd.DataFrame:
    """Return time, bandwidths, algorithm and protocol of a collective for one size, several, or 1 KiB to 1 GiB.

    Either on a ``topology`` (its first ``ranks`` accelerators, or those of the ``servers`` named, ``per_node`` on
    each), or on ``nodes`` servers of an ``accelerator`` (or server) of the catalog, joined by a ``link``. Sizes are
    bytes, or text as "1 GiB". Columns are in SI: bytes, seconds, bytes/s; see ``docs/collectives.md``.
    """
    import pandas as pd

    bench = prepare(
        topology=topology,
        ranks=ranks,
        servers=servers,
        accelerator=accelerator,
        nodes=nodes,
        per_node=per_node,
        link=link,
        nics=nics,
        protocol=protocol,
    )
    wanted = [size] if isinstance(size, str | int | float) else size
    sizes = sweep() if wanted is None else [in_bytes(each) for each in wanted]
    return pd.DataFrame(bench.rows(name, sizes, algorithm), columns=list(Row._fields))


def prepare(
    topology: Topology | str | Path | None = None,
    ranks: int | None = None,
    servers: Sequence[str] | None = None,
    accelerator: str | None = None,
    nodes: int = 1,
    per_node: int | None = None,
    link: str | None = None,
    nics: int | None = None,
    protocol: str | None = None,
) -> Bench:
    """Return the ranks that the arguments of ``collective`` describe; raise ``InputError`` where they do not fit."""
    if (topology is None) == (accelerator is None):
        raise InputError("name either a topology, or an accelerator (or server) of the catalog")
    if protocol is not None:
        _check_protocol(protocol)
    if topology is not None:
        odd = [text for text, value in (("link", link), ("nics", nics)) if value is not None]
        if odd:
            raise InputError(f"a topology has links of its own: leave out {' and '.join(odd)}")
        return _on_topology(topology_of(topology), ranks, servers, per_node, protocol)
    assert accelerator is not None
    if servers:
        raise InputError("servers are those of a topology: name one")
    return _of_parts(accelerator, ranks, nodes, per_node, link, nics, protocol)


def sweep(low: float = SMALLEST, high: float = LARGEST) -> list[float]:
    """Return sizes (bytes) from ``low``, doubling, to ``high``.

    >>> sweep(1024, 5000)
    [1024, 2048, 4096, 5000]
    """
    if not 1 <= low <= high < math.inf:
        raise InputError(f"sizes from {low:g} to {high:g} bytes: the first must be 1 or more, the second not below it")
    count = min(_MOST_SIZES, math.floor(math.log2(high / low)) + 1)
    sizes = [low * 2**step for step in range(count)]
    return sizes if sizes[-1] == high else [*sizes, high]


def in_bytes(size: str | float) -> float:
    """Return a size in bytes, from a number of bytes or text as "64 MiB"."""
    if isinstance(size, str) and size.strip().isdigit():
        return float(size)
    try:
        return parse(size, "bytes") if isinstance(size, str) else float(size)
    except UnitError as error:
        raise InputError(f"size {error}") from None


def _check_protocol(name: str) -> None:
    from simulator.cluster import catalog

    if catalog.protocol(name).reach != "network":
        known = [record.id for record in catalog.records("protocol") if catalog.protocol(record.id).reach == "network"]
        raise InputError(f"protocol {name!r} joins accelerators, not servers. {did_you_mean(name, known)}")


def _on_topology(
    topology: Topology, ranks: int | None, servers: Sequence[str] | None, per_node: int | None, protocol: str | None
) -> Bench:
    members = _members(topology, ranks, servers, per_node)
    communicator = Communicator(topology, members, protocol=protocol)
    notes = []
    if communicator.group.domains == 1 and len(members) > 1 and protocol:
        notes.append("protocol has no effect: all ranks are in one scale-up domain, and nothing crosses the network")
    return Bench(communicator.group, communicator, tuple(notes))


def _members(
    topology: Topology, ranks: int | None, servers: Sequence[str] | None, per_node: int | None
) -> list[Member]:
    """Return the first accelerators of the servers, server by server."""
    unknown = [name for name in servers or () if name not in topology.server_index]
    if unknown:
        raise InputError(f"unknown server {unknown[0]!r}. {did_you_mean(unknown[0], topology.server_index)}")
    order = [topology.server_index[name] for name in servers] if servers else range(len(topology.servers))
    free = [
        (index, device)
        for index in order
        for device in range(min(topology.servers[index].accelerators, per_node or 10**9))
    ]
    wanted = len(free) if ranks is None else ranks
    if wanted < 1 or wanted > len(free):
        where = f"on {len(order)} servers" if servers or per_node else "in the topology"
        raise InputError(f"{wanted} ranks: there are 1 to {len(free)} {where}")
    return free[:wanted]


def _of_parts(
    accelerator: str,
    ranks: int | None,
    nodes: int,
    per_node: int | None,
    link: str | None,
    nics: int | None,
    protocol: str | None,
) -> Bench:
    if nodes < 1:
        raise InputError(f"{nodes} nodes: there must be 1 or more")
    count = ranks or nodes * (per_node or most_on_a_server(accelerator))
    group = Group.of(accelerator, link, count, per_node, nics, protocol)
    named = [what for what, value in (("link", link), ("nics", nics), ("protocol", protocol)) if value is not None]
    notes = []
    if named and group.domains == 1 and count > 1:
        verb = "has" if len(named) == 1 else "have"
        notes.append(f"{' and '.join(named)} {verb} no effect: all ranks are in one scale-up domain")
    return Bench(group, None, tuple(notes))
