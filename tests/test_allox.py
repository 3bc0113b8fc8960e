"""AlloX: the matching against all orders tried one by one, and its schedule by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.policies.heterogeneity.matching import next_up, queues
from simulator.policies.scheduling.allox import Allox
from simulator.testing import check_scheduler, replay
from simulator.workload.jobs import BatchJob
from simulator.workload.speedup import ByType


def completion(seconds: np.ndarray, lanes: list[int], assigned: tuple[int, ...]) -> float:
    """Sum of completion times when each lane runs its jobs shortest first."""
    total = 0.0
    for lane, kind in enumerate(lanes):
        mine = sorted(seconds[job, kind] for job, where in enumerate(assigned) if where == lane)
        total += sum(np.cumsum(mine))
    return total


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5),
    st.integers(0, 2),
    st.integers(1, 2),
)
def test_the_matching_has_the_least_sum_of_completion_times(rows: list[tuple[int, int]], a: int, b: int) -> None:
    seconds = np.array(rows, dtype=float)
    matched = queues(seconds, np.ones(len(rows)), np.array([a, b], dtype=float))
    assert sorted(row for row, _, _ in matched) == list(range(len(rows)))
    cost = sum(place * seconds[row, kind] for row, kind, place in matched)
    lanes = [0] * a + [1] * b
    best = min(completion(seconds, lanes, way) for way in itertools.product(range(len(lanes)), repeat=len(rows)))
    assert cost == pytest.approx(best)


def test_one_accelerator_serves_the_shortest_first() -> None:
    assert next_up(np.array([[5.0], [1.0], [3.0]]), np.ones(3), np.array([1.0])) == [(1, 0)]


def test_a_job_stays_away_from_where_it_does_not_run() -> None:
    seconds = np.array([[np.inf, 4.0], [np.inf, np.inf], [2.0, 1.0]])
    assert next_up(seconds, np.ones(3), np.array([1.0, 1.0])) == [(0, 1), (2, 0)]
    assert next_up(seconds[:2], np.ones(2), np.array([1.0, 0.0])) == []


def test_each_goes_where_it_loses_least() -> None:
    """x is ten times as fast on a, y only twice: with one of each, x has a."""
    there = Topology.from_links([], {k: {"accelerators": 1, "accelerator": k} for k in "ab"}, "two")
    jobs = [job("y", 100.0, {"a": 1.0, "b": 0.5}), job("x", 100.0, {"a": 1.0, "b": 0.1})]
    replay(jobs, "allox", topology=there)
    assert [each.end for each in jobs] == [200.0, 100.0]


def job(name: str, duration: float, pace: dict[str, float], submit: float = 0.0) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=1.0, speedup=ByType(duration, pace))


def test_on_one_type_it_is_shortest_job_first() -> None:
    def crowd() -> list[BatchJob]:
        lengths = [7.0, 3.0, 9.0, 1.0, 5.0, 2.0]
        return [BatchJob(id=str(i), submit=0.0, duration=d, accelerators=1.0) for i, d in enumerate(lengths)]

    ends: list[Any] = []
    for policy in ("allox", "sjf"):
        jobs = crowd()
        replay(jobs, policy, topology=1)
        ends.append([each.end for each in jobs])
    assert ends[0] == ends[1]


def test_with_a_small_alpha_the_oldest_goes_first() -> None:
    """One accelerator and three that wait: all considered, the shortest goes; a third of them, the oldest does."""
    for alpha, ends in ((1.0, [20.0, 15.0, 12.0]), (0.3, [15.0, 18.0, 20.0])):
        jobs = [BatchJob(id="now", submit=0.0, duration=10.0, accelerators=1.0)]
        jobs += [BatchJob(id=f"{d}", submit=1.0, duration=float(d), accelerators=1.0) for d in (5, 3, 2)]
        replay(jobs, Allox(alpha=alpha), topology=1)
        assert [each.end for each in jobs[1:]] == ends


def test_it_passes_the_contract() -> None:
    check_scheduler("allox")
    check_scheduler(Allox(alpha=0.2, depth=5))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"alpha": 0.0}, "alpha is 0; it must be above 0 and at most 1"),
        ({"depth": 0}, "depth is 0; it must be 1 or more"),
    ],
)
def test_what_makes_no_sense_is_said(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        Allox(**options)
