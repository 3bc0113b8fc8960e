"""Themis: the auction by hand, leases on the engine, and that it evens out finish-time fairness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.policies.heterogeneity.auction import award
from simulator.policies.heterogeneity.problem import problem
from simulator.policies.scheduling.themis import Themis
from simulator.testing import check_scheduler, replay
from simulator.workload.jobs import BatchJob
from simulator.workload.speedup import ByType


def test_the_worst_treated_part_of_the_bidders_comes_first() -> None:
    """One accelerator, five equal jobs: with a filter of 0.8 only the one that waited longest takes part."""
    task = problem([[0.01]] * 5, [5], elapsed=[10.0, 500.0, 20.0, 30.0, 0.0])
    assert award(task, np.full(5, 100.0), np.array([1.0]), 0.8, 60.0) == [-1, 0, -1, -1, -1]


def test_accelerators_go_where_the_product_of_gains_is_largest() -> None:
    """Job 0 gains a factor of (100 + 60) / 100 from a, job 1 only (1000 + 60) / 1000: 0 has the fast one."""
    task = problem([[0.01, 0.005], [0.001, 0.0005]], [1, 1])
    assert award(task, np.array([100.0, 1000.0]), np.array([1.0, 1.0]), 0.0, 60.0) == [0, 1]


def test_what_is_left_over_goes_to_the_others() -> None:
    task = problem([[0.01]] * 3, [3], gang=[2.0, 1.0, 1.0], elapsed=[900.0, 500.0, 400.0])
    assert award(task, np.full(3, 100.0), np.array([3.0]), 0.8, 60.0) == [0, 0, -1]


def test_who_runs_nowhere_gets_nothing() -> None:
    task = problem([[0.0], [0.01]], [1], elapsed=[900.0, 0.0])
    assert award(task, np.array([np.inf, 100.0]), np.array([1.0]), 0.0, 60.0) == [-1, 0]


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def test_nobody_is_stopped_before_the_lease_ends_or_without_need() -> None:
    jobs = [job("old", 0.0, 5000.0), job("new", 100.0, 50.0)]
    replay(jobs, Themis(lease=600.0), topology=1)
    assert jobs[1].start == pytest.approx(600.0, abs=0.01)
    assert jobs[0].preemptions == 1
    alone = [job("old", 0.0, 5000.0)]
    replay(alone, Themis(lease=600.0), topology=1)
    assert alone[0].preemptions == 0


def test_one_that_may_not_be_stopped_keeps_what_it_has() -> None:
    jobs = [job("old", 0.0, 5000.0, preemptible=False), job("new", 100.0, 50.0)]
    replay(jobs, "themis", topology=1)
    assert [each.end for each in jobs] == [5000.0, 5050.0]


def test_a_job_on_a_slow_type_moves_when_the_fast_one_is_free() -> None:
    """Both come together; the one that lost the auction for a has it from the end of its lease on after a is free."""
    there = Topology.from_links([], {k: {"accelerators": 1, "accelerator": k} for k in "ab"}, "two")
    jobs = [
        BatchJob(id=name, submit=0.0, duration=d, accelerators=1.0, speedup=ByType(d, {"a": 1.0, "b": 0.25}))
        for name, d in (("short", 600.0), ("long", 6000.0))
    ]
    replay([*jobs, job("third", 0.0, 9000.0, accelerator_types=("b",))], "themis", topology=there)
    assert jobs[0].end == 600.0
    assert jobs[1].end < 600.0 + 6000.0 + 1200.0


def test_it_is_fairer_than_first_come_first_served() -> None:
    """The largest rho (time here over length times the mean number of jobs that share) falls by a third or more."""

    def crowd() -> list[BatchJob]:
        rng = stream(11, "themis.crowd")
        submit = np.cumsum(rng.exponential(900.0, 60)).tolist()
        return [
            job(str(i), at, d)
            for i, (at, d) in enumerate(zip(submit, rng.exponential(3000.0, 60).tolist(), strict=True))
        ]

    worst = {}
    for name in ("themis", "fifo"):
        jobs = crowd()
        replay(jobs, name, topology=3)
        worst[name] = max((each.end - each.submit) / max(each.duration, 60.0) for each in jobs)
    assert worst["themis"] < 0.67 * worst["fifo"]


def test_it_passes_the_contract() -> None:
    check_scheduler("themis")
    check_scheduler(Themis(lease=20.0, filter=0.0))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lease": 0.0}, "lease is 0 s; it must be a finite number above 0"),
        ({"filter": 1.0}, "filter is 1; it must be from 0 to below 1"),
    ],
)
def test_what_makes_no_sense_is_said(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        Themis(**options)
