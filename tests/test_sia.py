"""Sia: its program against enumeration, types of accelerators, and what it is worth on a mixed cluster."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.policies.api import schedulers
from simulator.policies.elastic.program import solve
from simulator.policies.elastic.separable import cheapest
from simulator.testing import replay
from simulator.testing.situations import servers
from simulator.workload.generate import generate
from simulator.workload.jobs import BatchJob, State
from simulator.workload.speedup import ByType

TYPES = {"t4": ("nvidia/t4", 4), "rtx": ("nvidia/rtx-2080-ti", 8), "a100": ("nvidia/a100-sxm-40", 8)}


def mixed(**counts: int) -> Topology:
    each = {
        f"{name}-{index}": {"accelerators": TYPES[name][1], "accelerator": TYPES[name][0]}
        for name, count in counts.items()
        for index in range(count)
    }
    return Topology.from_links([], each, "mixed")


ENTRIES = st.lists(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(-9, 9).map(float)), max_size=4).map(
        lambda row: [(0, 0, 10.0), *row]
    ),
    min_size=1,
    max_size=4,
)


@given(ENTRIES, st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=60)
def test_the_program_finds_what_enumeration_finds(
    options: list[list[tuple[int, int, float]]], one: int, other: int
) -> None:
    capacity = [one, other]

    def fits(chosen: tuple[tuple[int, int, float], ...]) -> bool:
        return all(sum(size for pool, size, _ in chosen if pool == which) <= capacity[which] for which in (0, 1))

    picks = solve(options, capacity)
    chosen = tuple(row[pick] for row, pick in zip(options, picks, strict=True))
    assert fits(chosen)
    best = min(sum(cost for *_, cost in each) for each in itertools.product(*options) if fits(each))
    assert sum(cost for *_, cost in chosen) == pytest.approx(best, abs=1e-2)


@given(ENTRIES, st.integers(0, 8))
@settings(max_examples=40)
def test_on_one_type_the_program_and_the_recursion_agree(
    options: list[list[tuple[int, int, float]]], capacity: int
) -> None:
    plain = [[(size, cost) for _, size, cost in row] for row in options]
    alone = [[(0, size, cost) for size, cost in row] for row in plain]
    costs = [
        sum(row[pick][-1] for row, pick in zip(options, picks, strict=True))
        for picks in (cheapest(plain, capacity), solve(alone, [capacity]))
    ]
    assert costs[0] == pytest.approx(costs[1], abs=1e-2)


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no choice of 1 jobs fits into \[2\] accelerators: "):
        solve([[(0, 3, 1.0)]], [2])
    assert solve([], [1]) == []


def test_each_job_goes_to_the_type_that_it_makes_most_of() -> None:
    slow, fast = "nvidia/t4", "nvidia/a100-sxm-40"
    jobs = [
        BatchJob(id=name, submit=0, duration=5000, accelerators=4, speedup=ByType(5000, pace))
        for name, pace in (("same", {slow: 1.0, fast: 1.05}), ("fond", {slow: 1.0, fast: 4.0}))
    ]
    each = {"t4": {"accelerators": 4, "accelerator": slow}, "a100": {"accelerators": 4, "accelerator": fast}}
    record = replay(jobs, "sia", topology=Topology.from_links([], each, "two"), until=5001.0)
    ends = dict(zip(record.tables["jobs"]["id"], record.tables["jobs"]["end"], strict=True))
    assert ends["fond"] == 1250.0
    assert jobs[0].state is State.COMPLETED


def test_gangs_are_of_one_type() -> None:
    jobs = list(generate("pollux-like", jobs=20, seed=3, load=2.0).jobs())
    topology = mixed(t4=3, a100=1)
    replay(jobs, "sia", topology=topology)
    types = [server.accelerator for server in topology.servers]
    assert all(job.state is State.COMPLETED for job in jobs)
    assert all(len({types[server] for server, _ in job.placement}) <= 1 for job in jobs)


def test_on_equal_servers_it_does_about_as_pollux_does() -> None:
    found = {}
    for name in ("sia", "pollux"):
        jobs = list(generate("pollux-like", jobs=80, seed=6).jobs())
        replay(jobs, name, topology=servers(16, 4))
        found[name] = np.mean([job.end - job.submit for job in jobs])
    assert found["sia"] == pytest.approx(found["pollux"], rel=0.1)


def test_on_a_mixed_cluster_it_beats_who_does_not_look_at_types() -> None:
    found = {}
    for name in ("sia", "pollux"):
        jobs = list(generate("pollux-like", jobs=30, seed=1).jobs())
        replay(jobs, name, topology=mixed(t4=6, rtx=3, a100=2))
        found[name] = np.mean([job.end - job.submit for job in jobs])
    assert found["sia"] < 0.9 * found["pollux"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"p": 0}, "p is 0; it must be from -10 to below 0"),
        ({"penalty": 1}, "penalty is 1; it must be a finite number above 1, or nothing would run"),
        ({"growth": 0.5}, "growth is 0.5; it must be a finite number above 1"),
        ({"restart": -1}, "restart is -1 s; it must be a finite number, 0 or more"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(options: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        schedulers.get("sia")(**options)
