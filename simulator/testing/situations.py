"""What policies are put through: jobs, clusters, and clusters in the middle of their work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.policies.api import PoolObservation
from simulator.workload.jobs import BatchJob


def job(name: str, submit: float, duration: float, accelerators: float, **more: Any) -> BatchJob:
    """Make a batch job in one line; times in seconds."""
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def crowd(count: int, largest: int, seed: int = 1, shuffled: bool = False) -> list[BatchJob]:
    """Gangs of up to ``largest`` that come in bursts, a little faster than eight accelerators can bear.

    ``shuffled`` gives them names in another order; nothing else changes.
    """
    rng = stream(seed, "crowd")
    submit = np.sort(rng.integers(0, 10 * count, count) // 20 * 20).astype(float)
    length = rng.integers(1, 60, count).astype(float)
    size = rng.integers(1, largest + 1, count).astype(float)
    names = stream(seed, "names").permutation(count).tolist() if shuffled else range(count)
    rows = zip(names, submit.tolist(), length.tolist(), size.tolist(), strict=True)
    return [job(f"job-{name}", *row, estimate=1.5 * row[1]) for name, *row in rows]


def servers(count: int, accelerators: int, **fields: Any) -> Topology:
    """Equal servers without a network; ``fields`` are those of ``Server``."""
    each = {f"node-{index}": {"accelerators": accelerators, **fields} for index in range(count)}
    return Topology.from_links([], each, f"{count} servers of {accelerators}")


def clusters() -> list[Topology]:
    """One server, equal servers, two types with cores and memory, two racks on a network, and partitions and taints."""
    limits = {"cores": 32.0, "memory": 64e9}
    mixed = {
        f"node-{index}": {"accelerators": 2 + 2 * (index % 3), "accelerator": "ab"[index % 2], **limits}
        for index in range(7)
    }
    pairs = [(f"node-{index}", f"leaf-{index // 3}") for index in range(6)] + [("leaf-0", "top"), ("leaf-1", "top")]
    links = [{"src": a, "dst": b, "capacity": 1e9} for pair in pairs for a, b in (pair, pair[::-1])]
    racks = {f"node-{index}": {"accelerators": 4} for index in range(6)}
    return [
        servers(1, 16),
        servers(5, 4),
        Topology.from_links([], mixed, "mixed"),
        Topology.from_links(links, racks, "two racks"),
        Topology.from_links([], rooms(), "rooms"),
    ]


def rooms() -> dict[str, dict[str, Any]]:
    """Fields of six servers that differ in labels, taints and partitions."""
    fields: list[dict[str, Any]] = [
        {"partition": "batch, debug", "labels": {"zone": "x"}},
        {"partition": "batch", "labels": {"zone": "y"}},
        {"partition": "debug", "taints": ["spot"]},
        {"labels": {"zone": "x", "disk": "ssd"}},
        {"labels": {"zone": "y"}, "taints": ["spot", "maintenance"]},
        {},
    ]
    return {f"node-{index}": {"accelerators": 4, **each} for index, each in enumerate(fields)}


def placements(topology: Topology) -> Iterator[tuple[BatchJob, Allocator]]:
    """Jobs of all kinds, each before a cluster that is full to another degree, some servers of it down."""
    for situation in range(60):
        rng = stream(situation, topology.name)
        nodes = Allocator(topology.servers)
        _fill(nodes, rng)
        each = _any_job(f"situation-{situation}", nodes, rng)
        _choosy(each, nodes, stream(situation, f"{topology.name} choosy"))
        yield each, nodes


def _fill(nodes: Allocator, rng: np.random.Generator) -> None:
    for server in range(len(nodes)):
        if rng.random() < 0.7:
            taken = float(rng.integers(0, nodes.total[server] + 1))
            nodes.take(server, taken, *(() if nodes.plain else (float(rng.integers(0, 24)), 1e9)))
        if nodes.free[server] and rng.random() < 0.3:
            nodes.take(server, 0.4)
        if rng.random() < 0.1:
            nodes.set_up(server, False)


def _any_job(name: str, nodes: Allocator, rng: np.random.Generator) -> BatchJob:
    size = float(rng.choice([0.0, 0.3, 0.7, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0]))
    more: dict[str, Any] = {"max_servers": int(rng.choice([0, 0, 1, 2])) if size > 1 else 0}
    if not nodes.plain:
        more |= {"cores": float(rng.choice([0, 4, 12])), "memory": float(rng.choice([0, 8e9]))}
        more["accelerator_types"] = () if rng.random() < 0.5 else (str(rng.choice(["a", "b"])),)
    return job(name, 0.0, 1.0, size, **more)


def _choosy(each: BatchJob, nodes: Allocator, rng: np.random.Generator) -> None:
    """Book a server for a tenant now and then, and let jobs ask for labels and partitions where there are any."""
    if rng.random() < 0.3:
        nodes.reserve([int(rng.integers(len(nodes)))], "red")
        each.tenant = ("red", "blue")[int(rng.integers(2))]
    if any(server.labels for server in nodes.servers):
        each.tolerations = ((), ("spot",), ("*",))[int(rng.integers(3))]
        each.partition = ("", "", "batch", "debug")[int(rng.integers(4))]
        each.selector = ((), (), (("zone", "x"),))[int(rng.integers(3))]


def observations(count: int) -> Iterator[PoolObservation]:
    """What an autoscaler may be told, in no order: empty and busy pools of servers of 4, with and without a queue."""
    rng = stream(5, "observations")
    for _ in range(count):
        up, booting = int(rng.integers(0, 9)), int(rng.integers(0, 3))
        busy, queued = int(rng.integers(0, up + 1)), float(rng.choice([0.0, 0.0, 3.0, 40.0]))
        yield PoolObservation(up, booting, busy, 4.0 * busy, queued, 4.0)
