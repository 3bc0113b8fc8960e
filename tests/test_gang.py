"""Building blocks of placement."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.gang import best, loosest, room_for, small, split, take, tightest
from simulator.workload.jobs import BatchJob


def job(accelerators: float, **more: Any) -> BatchJob:
    return BatchJob(id="j", submit=0.0, duration=1.0, accelerators=accelerators, **more)


def servers(*fields: dict[str, Any]) -> Allocator:
    return Allocator(Topology.from_links([], {f"s{i}": each for i, each in enumerate(fields)}).servers)


def test_room_counts_accelerators_cores_and_memory_in_proportion() -> None:
    nodes = servers(
        {"accelerators": 8},
        {"accelerators": 8, "cores": 7.0},
        {"accelerators": 8, "cores": 64.0, "memory": 30.0},
        {"accelerators": 2, "cores": 64.0, "memory": 1e9},
    )
    assert room_for(job(4), nodes).tolist() == [8, 8, 8, 2]
    assert room_for(job(4, cores=8.0), nodes).tolist() == [8, 3, 8, 2]  # 2 cores each: 7 cores are room for 3
    assert room_for(job(4, cores=8.0, memory=40.0), nodes).tolist() == [8, 3, 3, 2]


@pytest.mark.parametrize(("gang", "cores"), [(3, 10.0), (7, 21.0), (6, 1.0), (11, 33.3), (13, 96.0)])
def test_room_is_exact_where_it_comes_out_even(gang: int, cores: float) -> None:
    """As many accelerators as the cores are made for fit, whatever the division rounds to, and can be taken."""
    for whole in range(1, 9):
        nodes = servers({"accelerators": 8, "cores": math.ceil(1000 * whole * cores / gang) / 1000})
        assert room_for(job(gang, cores=cores), nodes)[0] >= whole
        nodes.take(0, float(whole), cores * whole / gang)


def test_room_leaves_out_what_is_down_or_of_another_type() -> None:
    nodes = servers(*({"accelerators": 4, "accelerator": kind} for kind in ("a", "b", "a")))
    nodes.set_up(2, False)
    assert room_for(job(1), nodes).tolist() == [4, 4, 0]
    assert room_for(job(1, accelerator_types=("a",)), nodes).tolist() == [4, 0, 0]
    assert room_for(job(1, accelerator_types=("a", "b")), nodes).tolist() == [4, 4, 0]


def test_room_leaves_out_who_may_not_take_the_job() -> None:
    nodes = servers(
        {"accelerators": 4, "taints": "spot"},
        {"accelerators": 4, "labels": "zone=x"},
        {"accelerators": 4, "partition": "p"},
    )
    nodes.reserve([2], "red")
    assert room_for(job(1), nodes).tolist() == [0, 4, 0]
    assert room_for(job(1, tolerations=("spot",), tenant="red"), nodes).tolist() == [4, 4, 4]
    assert room_for(job(1, selector=(("zone", "x"),)), nodes).tolist() == [0, 4, 0]
    assert room_for(job(1, partition="p", tenant="red"), nodes).tolist() == [0, 0, 4]


def test_the_best_server_has_the_highest_score_and_large_gangs_are_split() -> None:
    nodes = servers(*({"accelerators": count} for count in (4, 8, 8)))
    assert best(job(3), nodes, lambda fits: -nodes.free[fits]) == ((0, 3),)
    assert best(job(3), nodes, lambda fits: nodes.free[fits]) == ((1, 3),), "ties go to the first"
    assert best(job(10), nodes, lambda fits: nodes.free[fits]) == split(job(10), nodes) == ((0, 2.0), (1, 8.0))
    assert best(job(10, max_servers=1), nodes, lambda fits: nodes.free[fits]) is None
    assert best(job(21), nodes, lambda fits: nodes.free[fits]) is None


def test_take_fills_servers_in_the_order_given() -> None:
    room = np.array([2, 0, 4, 3])
    assert take(job(5), np.array([3, 1, 0, 2]), room) == ((0, 2.0), (3, 3.0))
    assert take(job(9), np.array([3, 1, 0, 2]), room) == ((0, 2.0), (2, 4.0), (3, 3.0))
    assert take(job(10), np.array([3, 1, 0, 2]), room) is None
    assert take(job(5, max_servers=1), np.array([2, 3, 0, 1]), room) is None
    assert take(job(5, max_servers=2), np.array([2, 3, 0, 1]), room) == ((2, 4.0), (3, 1.0))
    assert take(job(1), np.array([], dtype=int), room) is None


@pytest.mark.parametrize(("accelerators", "expected"), [(0.0, True), (0.5, True), (1.0, False), (8.0, False)])
def test_small_jobs_need_no_whole_accelerator(accelerators: float, expected: bool) -> None:
    assert small(job(accelerators)) is expected


def test_a_share_goes_where_it_fits_most_tightly() -> None:
    nodes = servers({"accelerators": 2}, {"accelerators": 2}, {"accelerators": 2})
    assert tightest(job(0.5), nodes) == 0
    nodes.take(1, 0.4)  # 0.6 left
    nodes.take(2, 0.7)  # 0.3 left
    assert tightest(job(0.3), nodes) == 2
    assert tightest(job(0.5), nodes) == 1
    assert tightest(job(0.7), nodes) == 1  # none of the shared ones: the fullest server
    assert loosest(job(0.3), nodes) == 0


def test_a_job_without_accelerators_stays_out_of_the_way() -> None:
    nodes = servers(
        {"accelerators": 8, "cores": 8.0}, {"accelerators": 0, "cores": 4.0}, {"accelerators": 2, "cores": 8.0}
    )
    assert tightest(job(0.0, cores=4.0), nodes) == 1
    assert tightest(job(0.0, cores=8.0), nodes) == 2
    assert tightest(job(0.0, cores=9.0), nodes) is None
    assert loosest(job(0.0, cores=4.0), nodes) == 0
    assert loosest(job(0.0, cores=9.0), nodes) is None
