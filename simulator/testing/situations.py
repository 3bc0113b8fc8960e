"""What policies are put through: jobs, clusters, and clusters in the middle of their work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.policies.supply import SupplyObservation
from simulator.workload.jobs import BatchJob
from simulator.workload.speedup import ByCount, ByType


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


def elastic(count: int, seed: int = 2) -> list[BatchJob]:
    """Jobs of which two in three run on 1 to 6 accelerators, faster on more, with restarts and checkpoints.

    Some of these may be neither stopped nor resized once they run.
    """
    jobs = crowd(count, largest=4, seed=seed)
    for number, each in enumerate(jobs):
        if number % 3:
            each.minimum, each.maximum = 1.0, 6.0
            each.restart, each.checkpoint = 2.0, 5.0
            each.preemptible = number % 5 != 0
            whole = each.duration * each.accelerators**0.8
            each.speedup = ByCount(whole, {float(size): size**0.8 for size in range(1, 7)})
    return jobs


def choosy(count: int, seed: int = 3) -> list[BatchJob]:
    """Jobs for ``kinds()``: on any type, on one, or at a pace that depends on it; some want cores or one server."""
    jobs = crowd(count, largest=4, seed=seed)
    for number, each in enumerate(jobs):
        if number % 4 == 1:
            each.accelerator_types = ("old",) if number % 8 == 1 else ("new", "old")
        elif number % 4 == 2:
            each.speedup = ByType(each.duration, {"new": 1.0, "old": 0.4})
        elif number % 4 == 3:
            each.cores, each.max_servers, each.partition = 2.0 * each.accelerators, 1, "main"
        each.tolerations = ("spot",) if number % 2 else ()
    return jobs


def kinds() -> Topology:
    """Servers of two types with cores, one of them tainted, all in one partition."""
    fields = {"accelerators": 4, "cores": 16.0, "partition": "main"}
    new, old = ({**fields, "accelerator": kind} for kind in ("new", "old"))
    return Topology.from_links([], {"a": new, "b": new, "c": old, "d": {**old, "taints": ["spot"]}}, "two kinds")


def burdened(count: int, seed: int = 4) -> list[BatchJob]:
    """Jobs of several tenants with priorities, deadlines, limits, begin times, arrays and dependencies on earlier ones.

    Some may not be stopped, and some of the limits are too short.
    """
    jobs = crowd(count, largest=4, seed=seed)
    for number, each in enumerate(jobs):
        each.tenant, each.user = ("red", "blue", "")[number % 3], f"user-{number % 4}"
        each.priority = float(number % 5)
        each.preemptible = number % 3 != 1
        each.model = ("resnet", "bert", "")[number % 3]
        if number % 4 == 0:
            each.deadline = each.submit + 4 * each.duration
        if number % 5 == 2:
            each.limit = each.duration * (0.5 if number % 2 else 2.0)
        if number % 6 == 3:
            each.begin = each.submit + 15.0
        if number % 7 == 4:
            each.after = (jobs[number - 3].id,)
        if number % 4 == 1:
            each.array, each.array_limit = "sweep", 2
    return jobs


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


def observations(count: int) -> Iterator[SupplyObservation]:
    """What an autoscaler may be told, in no order: empty and busy pools of servers of 4, with and without a queue."""
    rng = stream(5, "observations")
    for _ in range(count):
        up, booting = int(rng.integers(0, 9)), int(rng.integers(0, 3))
        busy, queued = int(rng.integers(0, up + 1)), float(rng.choice([0.0, 0.0, 3.0, 40.0]))
        yield SupplyObservation(up, booting, busy, 4.0 * busy, queued, 4.0)
