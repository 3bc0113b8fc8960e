"""Scores of kube-scheduler, against the tables of its own tests and by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Server, Topology
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.policies.kube import Situation, scores
from simulator.policies.placement.kube import Kube
from simulator.workload.jobs import BatchJob

NOWHERE = Topology.from_links([], {"a": {"accelerators": 1}})
BOTH = {"cores": 1.0, "memory": 1.0}


def job(cores: float = 0.0, memory: float = 0.0, accelerators: float = 0.0, **more: Any) -> BatchJob:
    fields = {"id": "j", "submit": 0.0, "duration": 1.0} | more
    return BatchJob(accelerators=accelerators, cores=cores, memory=memory, **fields)


def score(
    name: str,
    pod: BatchJob,
    *servers: Server,
    weights: dict[str, float] | None = None,
    shape: Any = ((0, 0), (100, 10)),
    beside: Any = None,
    used: Any = (),
) -> list[float]:
    nodes = Allocator(servers)
    for server, *taken in used:
        nodes.take(server, *taken)
    everyone = np.arange(len(servers))
    count = np.zeros(len(servers)) if beside is None else np.array(beside, dtype=float)
    found: list[float] = scores.get(name)(Situation(pod, nodes, everyone, weights or BOTH, shape, count)).tolist()
    return found


LARGE, SMALL = Server("n1", 0, cores=4.0, memory=10000.0), Server("n2", 0, cores=6.0, memory=10000.0)
POD = job(3.0, 5000.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("least-allocated", [37, 50]),
        ("most-allocated", [62, 50]),
        ("balanced-allocation", [87, 100]),
        ("requested-to-capacity-ratio", [63, 50]),
        ("binpack", [62.5, 50]),
    ],
)
def test_nothing_scheduled_resources_requested_differently_sized_nodes(name: str, expected: list[float]) -> None:
    """The case of that name in ``least_allocated_test.go`` and its like; the last two on a rising line, by hand."""
    assert score(name, POD, LARGE, SMALL) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("least-allocated", [(5 + 55) // 2, (50 + 55) // 2]), ("most-allocated", [(95 + 45) // 2, (50 + 45) // 2])],
)
def test_what_runs_counts(name: str, expected: list[int]) -> None:
    """Used with the pod: 3.8 of 4 cores and 3 of 6, 45 % of the memory."""
    busy = ((0, 0.0, 1.0, 1000.0), (1, 0.0, 0.2, 1000.0))
    assert score(name, job(2.8, 3500.0), LARGE, SMALL, used=busy) == expected
    assert score("balanced-allocation", job(2.8, 3500.0), LARGE, SMALL, used=busy) == [75, 97]


def test_accelerators_count_when_named() -> None:
    servers = (Server("n1", 8, cores=8.0), Server("n2", 4, cores=8.0))
    shape = ((0, 0), (100, 10))
    named = {"accelerators": 1.0}
    assert score("requested-to-capacity-ratio", job(0, 0, 2), *servers, weights=named, shape=shape) == [25, 50]
    assert score("least-allocated", job(0, 0, 2), *servers, weights=named) == [75, 50]
    assert score("least-allocated", job(2, 0, 2), *servers, weights=named | {"cores": 3.0}) == [75, (50 + 3 * 75) // 4]
    assert score("balanced-allocation", job(4, 0, 1), *servers, weights=named | {"cores": 1.0}) == [81, 87]


def test_resources_without_limit_do_not_count() -> None:
    open_, closed = Server("n1", 0, cores=math.inf, memory=100.0), Server("n2", 0, cores=10.0, memory=100.0)
    assert score("least-allocated", job(5.0, 20.0), open_, closed) == [80, 65]
    assert score("balanced-allocation", job(5.0, 20.0), open_, closed) == [100, 85]
    assert score("balanced-allocation", job(), open_, closed) == [0, 0], "a pod that asks for nothing is not scored"


def test_a_broken_line_is_followed() -> None:
    shape = ((20, 0), (40, 10), (80, 2))
    servers = [Server(f"n{use}", 0, cores=100.0) for use in (10, 30, 40, 60, 90)]
    used = [(index, 0.0, use - 1.0) for index, use in enumerate((10, 30, 40, 60, 90))]
    weights = {"cores": 1.0}
    assert score("requested-to-capacity-ratio", job(1.0), *servers, weights=weights, shape=shape, used=used) == [
        0, 50, 100, 60, 20,
    ]  # fmt: skip
    assert score("requested-to-capacity-ratio", job(1.0), servers[0], weights=weights, shape=((50, 7),)) == [70]


def test_jobs_of_an_array_are_spread_over_servers_and_zones() -> None:
    zones = ["x", "x", "y", "y"]
    servers = [Server(f"n{i}", 0, labels=(("topology.kubernetes.io/zone", zone),)) for i, zone in enumerate(zones)]
    assert score("pod-topology-spread", job(), *servers, beside=[3, 0, 1, 0]) == [0, 0, 0, 0], (
        "no array, no constraints"
    )
    host, zone = math.log(6), math.log(4)
    raw = [round(3 * host + 2 + 3 * zone + 4), round(2 + 3 * zone + 4), round(host + 2 + zone + 4), round(2 + zone + 4)]
    expected = [100 * (max(raw) + min(raw) - each) // max(raw) for each in raw]
    assert score("pod-topology-spread", job(array="a"), *servers, beside=[3, 0, 1, 0]) == expected
    bare = [Server(name, 0) for name in "ab"]
    assert score("pod-topology-spread", job(array="a"), *bare, beside=[0, 0]) == [100, 100]


def test_weights_and_lots_decide() -> None:
    servers = (Server("n1", 8, cores=64.0, memory=64.0), Server("n2", 8, cores=64.0, memory=64.0))
    nodes = Allocator(servers)
    nodes.take(0, 1.0, 8.0, 8.0)
    pod = job(8.0, 8.0, 1.0)
    assert Kube().place(pod, nodes, NOWHERE) == ((1, 1.0),)
    assert Kube({"most-allocated": 1}).place(pod, nodes, NOWHERE) == ((0, 1.0),)
    assert Kube({"most-allocated": 1, "least-allocated": 2}).place(pod, nodes, NOWHERE) == ((1, 1.0),)
    nodes.take(1, 1.0, 8.0, 8.0)
    placer = Kube()
    drawn = [placer.place(pod, nodes, NOWHERE) for _ in range(40)]
    assert {placement[0][0] for placement in drawn if placement} == {0, 1}
    placer.reset(stream(0, "placement"))
    assert [placer.place(pod, nodes, NOWHERE) for _ in range(40)] == drawn


def test_what_runs_of_an_array_is_counted() -> None:
    nodes = Allocator([Server("n1", 8), Server("n2", 8)])
    placer = Kube({"pod-topology-spread": 1})
    first = job(0, 0, 1, array="a")
    first.placement = ((0, 1.0),)
    for _ in range(3):
        placer.on_start(first)
    assert placer.place(job(0, 0, 1, array="a"), nodes, NOWHERE) == ((1, 1.0),)
    for _ in range(3):
        placer.on_end(first)
    chosen = [placer.place(job(0, 0, 1, array="a"), nodes, NOWHERE) for _ in range(20)]
    assert {placement[0][0] for placement in chosen if placement} == {0, 1}


def test_filters_are_taints_labels_and_room() -> None:
    servers = (Server("n1", 8, taints=("spot",)), Server("n2", 8, labels=(("disk", "ssd"),)), Server("n3", 8))
    nodes = Allocator(servers)
    nodes.take(2, 8.0)
    assert Kube().place(job(0, 0, 1), nodes, NOWHERE) == ((1, 1.0),)
    assert Kube().place(job(0, 0, 8, selector=(("disk", "hdd"),)), nodes, NOWHERE) is None
    assert Kube().place(job(0, 0, 12, tolerations=("spot",)), nodes, NOWHERE) == ((0, 8.0), (1, 4.0))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scores": {"least-allocated": -1}}, "scores: the weight of least-allocated is -1; it must be 0 or more"),
        ({"resources": {"gpus": 1}}, "resources: 'gpus' is none of cores, memory, accelerators"),
        ({"resources": {"cores": -2}}, "resources: the weight of cores is -2; it must be 0 or more"),
        ({"shape": []}, r"shape is \[\]; it must be points .*"),
        ({"shape": [(0, 1), (0, 2)]}, r"shape is .*each utilisation once"),
        ({"shape": [(0, 1), (120, 2)]}, r"shape is .*utilisation 0 to 100.*"),
    ],
)
def test_what_is_wrong_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        Kube(**arguments)


def test_an_unknown_score_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown score 'least-alocated'\. Did you mean 'least-allocated'"):
        Kube({"least-alocated": 1})
    assert scores.names() == [
        "balanced-allocation", "binpack", "least-allocated", "most-allocated", "pod-topology-spread",
        "requested-to-capacity-ratio",
    ]  # fmt: skip
