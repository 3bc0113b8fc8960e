"""Dominant resource fairness: the example of the paper, weights, order, and what comes back when jobs end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.policies.scheduling.drf import Drf
from simulator.testing import check_scheduler, replay
from simulator.workload.jobs import BatchJob

GB = 1e9


def server(**fields: Any) -> Topology:
    return Topology.from_links([], {"one": fields}, "one server")


def job(name: str, submit: float, duration: float, tenant: str, accelerators: float, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, tenant=tenant, accelerators=accelerators, **more)


def tasks(tenant: str, count: int, cores: float, memory: float, accelerators: float = 0.0) -> list[BatchJob]:
    return [
        job(f"{tenant}{index}", 0.0, 100.0, tenant, accelerators, cores=cores, memory=memory) for index in range(count)
    ]


def at_once(jobs: list[BatchJob], policy: Any, topology: Topology) -> dict[str, int]:
    """How many jobs of each tenant start at time 0."""
    replay(jobs, policy, topology=topology)
    return {tenant: sum(job.start == 0 for job in jobs if job.tenant == tenant) for tenant in "AB"}


def test_the_example_of_the_paper() -> None:
    """9 CPUs, 18 GB: A wants (1 CPU, 4 GB), B (3 CPUs, 1 GB); A gets 3 tasks, B 2, both a dominant share of 2/3."""
    jobs = tasks("A", 10, 1.0, 4 * GB) + tasks("B", 10, 3.0, 1 * GB)
    assert at_once(jobs, "drf", server(accelerators=0, cores=9.0, memory=18 * GB)) == {"A": 3, "B": 2}


def test_a_weight_counts() -> None:
    jobs = tasks("A", 20, 1.0, 1 * GB) + tasks("B", 20, 1.0, 1 * GB)
    there = server(accelerators=0, cores=12.0, memory=100 * GB)
    assert at_once(jobs, Drf(weights={"B": 3.0}), there) == {"A": 3, "B": 9}


def test_accelerators_are_a_resource_like_the_others() -> None:
    """A's dominant resource is accelerators (1 of 8), B's cores (8 of 32)."""
    jobs = tasks("A", 9, 1.0, 0.0, 1.0) + tasks("B", 9, 8.0, 0.0, 1.0)
    assert at_once(jobs, "drf", server(accelerators=8, cores=32.0, memory=GB)) == {"A": 5, "B": 3}


def test_the_neediest_tenant_blocks_or_is_passed() -> None:
    """A's first job wants all 4 accelerators while one of B's holds one for 50 s."""
    for skip, second in ((False, 150.0), (True, 1.0)):
        jobs = [
            BatchJob(id="b0", submit=0.0, duration=50.0, accelerators=1.0, tenant="B"),
            BatchJob(id="a0", submit=1.0, duration=100.0, accelerators=4.0, tenant="A"),
            BatchJob(id="b1", submit=1.0, duration=10.0, accelerators=1.0, tenant="B"),
        ]
        replay(jobs, Drf(skip=skip), topology=4)
        assert [job.start for job in jobs] == [0.0, 50.0, second]


def test_what_ends_is_given_back() -> None:
    """B had more, but it is over: at 200 s both are equal, and the one that came first starts."""
    jobs = [job(f"b{i}", 0.0, 100.0, "B", 1.0) for i in range(2)]
    jobs += [job("hold", 110.0, 100.0, "C", 2.0), job("b2", 120.0, 10.0, "B", 2.0), job("a", 130.0, 10.0, "A", 2.0)]
    replay(jobs, "drf", topology=2)
    assert [job.start for job in jobs] == [0.0, 0.0, 110.0, 210.0, 220.0]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=25),
    st.integers(4, 12),
    st.integers(4, 12),
)
def test_the_first_pass_is_that_of_a_naive_one(rows: list[tuple[str, int, int]], cores: int, memory: int) -> None:
    """Algorithm 1 of the paper, with shares summed up anew at each step."""
    jobs = [
        BatchJob(id=str(i), submit=0.0, duration=9.0, accelerators=0.0, cores=c, memory=m * GB, tenant=tenant)
        for i, (tenant, c, m) in enumerate(rows)
    ]
    fitting = [job for job in jobs if job.cores <= cores and job.memory <= memory * GB]
    started: list[str] = []
    used = {tenant: np.zeros(2) for tenant in "AB"}
    total = np.array([cores, memory * GB], dtype=float)
    while True:
        waiting = [job for job in fitting if job.id not in started]
        heads = {tenant: next((job for job in waiting if job.tenant == tenant), None) for tenant in "AB"}
        turns = [(float((used[t] / total).max()), job.sequence, job) for t, job in heads.items() if job is not None]
        turns = [(share, fitting.index(job), job) for share, _, job in turns]
        if not turns:
            break
        job = min(turns, key=lambda turn: turn[:2])[2]
        wants = np.array([job.cores, job.memory])
        if (sum(used.values()) + wants > total * (1 + 1e-12)).any():
            break
        used[job.tenant] += wants
        started.append(job.id)
    replay(jobs, "drf", topology=server(accelerators=0, cores=float(cores), memory=memory * GB))
    assert [job.id for job in fitting if job.start == 0] == sorted(started, key=int)


def test_it_passes_the_contract() -> None:
    check_scheduler("drf")
    check_scheduler(Drf(skip=True))


def test_a_wrong_weight_is_said() -> None:
    with pytest.raises(ValueError, match=r"^weights, A: the weight is 0; it must be a finite number above 0$"):
        Drf(weights={"A": 0})
