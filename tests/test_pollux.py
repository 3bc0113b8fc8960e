"""Pollux, and what schedulers of elastic jobs share: exact choices against enumeration, places, rounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import Action, ClusterView, schedulers
from simulator.policies.elastic.places import clear, place, shrunk
from simulator.policies.elastic.separable import cheapest, power
from simulator.policies.elastic.sizes import Servers, choices, span
from simulator.policies.scheduling.pollux import Pollux
from simulator.testing import replay
from simulator.testing.situations import servers
from simulator.workload.generate import generate
from simulator.workload.jobs import BatchJob, Job, State
from simulator.workload.speedup import ByCount

LINEAR = {float(size): float(size) for size in range(1, 65)}
FLAT = {1.0: 1.0}


def elastic(name: str, submit: float, duration: float, pace: dict[float, float], **more: Any) -> BatchJob:
    given = {"minimum": 1.0, "maximum": 64.0, "accelerators": 4.0} | more
    return BatchJob(id=name, submit=submit, duration=duration, speedup=ByCount(duration, pace), **given)


def resizes(record: Any) -> list[tuple[float, str, float]]:
    events = record.tables["events"]
    rows = zip(events["time"], events["event"], events["subject"], events["amount"], strict=True)
    return [(time, subject, value) for time, event, subject, value in rows if event == "resize"]


OPTIONS = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-20, 20).map(float)), min_size=1, max_size=4).map(
        lambda row: [(0, 25.0), *row]
    ),
    min_size=1,
    max_size=5,
)


@given(OPTIONS, st.integers(0, 12))
@settings(max_examples=200)
def test_the_cheapest_choice_is_that_of_enumeration(options: list[list[tuple[int, float]]], capacity: int) -> None:
    picks = cheapest(options, capacity)
    chosen = [row[pick] for row, pick in zip(options, picks, strict=True)]
    assert sum(size for size, _ in chosen) <= capacity
    fitting = (each for each in itertools.product(*options) if sum(size for size, _ in each) <= capacity)
    assert sum(cost for _, cost in chosen) == min(sum(cost for _, cost in each) for each in fitting)


def test_equal_choices_stay_with_the_first() -> None:
    assert cheapest([[(1, 0.0), (2, 0.0)], [(0, 5.0), (1, 5.0)]], 3) == [0, 0]
    assert cheapest([[(0, 1.0), (1, 0.0)], [(0, 1.0), (1, 0.0)]], 1) == [1, 0]
    assert cheapest([], 4) == []


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="the smallest options of 1 jobs do not fit into 2 accelerators"):
        cheapest([[(3, 0.0)]], 2)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=4), st.lists(st.floats(0.1, 10), min_size=2, max_size=4),
       st.sampled_from([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0]))  # fmt: skip
def test_costs_rank_as_the_power_mean_does(one: list[float], other: list[float], p: float) -> None:
    size = min(len(one), len(other))

    def mean(values: list[float]) -> float:
        if p == 0:
            return float(np.exp(np.mean(np.log(values))))
        return float(np.mean(np.power(values, p)) ** (1 / p))

    first, second = one[:size], other[:size]
    costs = [sum(power(value, p) for value in values) for values in (first, second)]
    if not math.isclose(mean(first), mean(second), rel_tol=1e-9):
        assert (costs[0] < costs[1]) == (mean(first) > mean(second))


def test_sizes_are_powers_of_two_within_a_server_and_whole_servers_beyond() -> None:
    four = Servers([4, 4, 4])
    assert (four.steps(), four.capacity, four.largest) == ([1, 2, 4, 8, 12], 12, 4)
    assert Servers([8]).steps() == [1, 2, 4, 8]
    assert Servers([6, 6]).steps() == [1, 2, 4, 6, 12]
    assert [four.needed(size) for size in (1, 4, 5, 8, 9, 12)] == [1, 1, 2, 2, 3, 3]


def test_a_job_may_have_what_lies_between_its_bounds() -> None:
    job = elastic("a", 0, 1, LINEAR, minimum=2.0, maximum=8.0, accelerators=3.0)
    four = Servers([4] * 4)
    assert span(job) == (2, 8)
    assert choices(job, four.steps(), four, math.inf) == [2, 4, 8]
    assert choices(job, four.steps(), four, 1) == [2]
    rigid = BatchJob(id="b", submit=0, duration=1, accelerators=3)
    assert (span(rigid), choices(rigid, four.steps(), four, math.inf)) == ((3, 3), [3])
    pod = elastic("c", 0, 1, LINEAR, max_servers=1)
    assert choices(pod, four.steps(), four, math.inf) == [1, 2, 4]


def running(name: str, placement: tuple[tuple[int, float], ...], nodes: Allocator) -> BatchJob:
    job = elastic(name, 0, 1, LINEAR)
    job.state, job.placement, job.held = State.RUNNING, placement, sum(part for _, part in placement)
    for server, count in placement:
        nodes.take(server, count)
    return job


def test_a_gang_grows_where_it_is_and_else_goes_to_the_tightest_server() -> None:
    nodes = Allocator(servers(3, 4).servers)
    here = running("here", ((1, 1.0),), nodes)
    running("other", ((2, 2.0),), nodes)
    assert place(here, 2, nodes, 1) == ((1, 2.0),)
    fresh = elastic("fresh", 0, 1, LINEAR)
    assert place(fresh, 2, nodes, 1) == ((2, 2.0),)
    assert place(fresh, 8, nodes, 2) is None
    assert place(here, 8, nodes, 2) == ((0, 4.0), (1, 4.0))


def test_two_gangs_over_servers_are_kept_apart() -> None:
    nodes = Allocator(servers(3, 4).servers)
    wide = running("wide", ((0, 4.0), (1, 2.0)), nodes)
    fresh = elastic("fresh", 0, 1, LINEAR)
    assert place(fresh, 6, nodes, 2) == ((1, 2.0), (2, 4.0))
    assert place(fresh, 6, nodes, 2, taken={0: wide, 1: wide}) is None
    assert place(wide, 8, nodes, 2, taken={0: wide, 1: wide}) == ((0, 4.0), (1, 4.0))


def test_a_gang_shrinks_onto_the_servers_where_it_has_most() -> None:
    nodes = Allocator(servers(3, 4).servers)
    job = running("wide", ((0, 1.0), (1, 4.0), (2, 2.0)), nodes)
    assert shrunk(job, 5) == ((1, 4.0), (2, 1.0))
    assert shrunk(job, 2) == ((1, 2.0),)


def test_small_gangs_make_room_at_the_least_moves() -> None:
    nodes = Allocator(servers(3, 4).servers)
    full = [running("a", ((0, 1.0),), nodes), running("b", ((1, 2.0),), nodes), running("c", ((2, 2.0),), nodes)]
    found = clear(elastic("fresh", 0, 1, LINEAR), 4, nodes, full)
    assert found is not None
    assert (found.server, found.moved) == (0, 1)
    assert found.moves == ((full[0], ((1, 1.0),)),)
    full[0].preemptible = False
    found = clear(elastic("fresh", 0, 1, LINEAR), 4, nodes, full)
    assert found is not None
    assert (found.server, found.moves) == (1, ((full[1], ((2, 2.0),)),))


def test_who_scales_gets_more_and_who_does_not_keeps_one() -> None:
    jobs = [elastic("linear", 0, 8000, LINEAR), elastic("flat", 0, 2000, FLAT)]
    record = replay(jobs, "pollux", topology=8)
    ends = dict(zip(record.tables["jobs"]["id"], record.tables["jobs"]["end"], strict=True))
    assert ends["flat"] == 2000
    # alone with the job that cannot use more than one, it doubles each minute up to a power of two that fits
    assert [(subject, value) for time, subject, value in resizes(record) if time < 2000] == [
        ("linear", 1.0),
        ("linear", 2.0),
    ]


def test_a_job_at_most_doubles_in_a_round() -> None:
    record = replay([elastic("only", 0, 5000, LINEAR)], "pollux", topology=16)
    assert resizes(record) == [(60.0, "only", 1.0), (120.0, "only", 2.0), (180.0, "only", 4.0), (240.0, "only", 8.0)]


def test_a_fast_growth_takes_what_there_is_at_once() -> None:
    record = replay([elastic("only", 0, 5000, LINEAR)], Pollux(growth=64), topology=16)
    assert resizes(record) == [(60.0, "only", 15.0)]


@given(st.lists(st.lists(st.floats(0.1, 4.0), min_size=4, max_size=4), min_size=1, max_size=3))
@settings(max_examples=30)
def test_a_round_has_the_greatest_power_mean_of_speedups_over_a_fair_share(gains: list[list[float]]) -> None:
    """Against enumeration over all sizes on one server of 8, on a first round, where nobody pays for a restart."""
    sizes = (1.0, 2.0, 4.0, 8.0)
    paces = [dict(zip(sizes, np.cumsum(row).tolist(), strict=True)) for row in gains]
    jobs = [elastic(f"job-{index}", 0, 1e6, pace, maximum=8.0) for index, pace in enumerate(paces)]
    seen: list[list[float]] = []

    class Seen(Pollux):
        def kept(self, view: ClusterView, job: Job, restart: float) -> float:
            return 1.0

        def schedule(self, view: ClusterView) -> Iterator[Action]:
            yield from super().schedule(view)
            seen.append([job.held if job.state is State.RUNNING else 0.0 for job in jobs])

    replay(jobs, Seen(growth=8), topology=8, until=61.0)
    fair = max(size for size in sizes if size <= math.ceil(8 / len(jobs)))
    base = [pace[fair] for pace in paces]

    def mean(held: Any) -> float:
        return float(
            sum(1 / (pace.get(size, 0.0) / own + 1e-3) for pace, own, size in zip(paces, base, held, strict=True))
        )

    everything = itertools.product((0.0, *sizes), repeat=len(jobs))
    best = min(mean(held) for held in everything if sum(held) <= 8)
    assert mean(seen[-1]) == pytest.approx(best)


class Watched(Pollux):
    """Pollux that looks at what runs after every pass."""

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        before = {job: job.placement for job in view.running}
        due = self._due
        yield from super().schedule(view)
        if before and not due:
            assert all(job.placement == where for job, where in before.items() if job.state is State.RUNNING)
        spread = [server for job in view.running if len(job.placement) > 1 for server, _ in job.placement]
        assert len(spread) == len(set(spread))


def test_gangs_over_servers_never_meet_and_nobody_moves_between_rounds() -> None:
    jobs = list(generate("pollux-like", jobs=60, seed=2, load=2.0).jobs())
    record = replay(jobs, Watched(), topology=servers(8, 4))
    assert len(resizes(record)) > 50
    assert all(job.state is State.COMPLETED for job in jobs)


def test_a_job_that_may_not_be_stopped_keeps_what_it_has() -> None:
    jobs = [elastic("pinned", 0, 3000, LINEAR, preemptible=False), elastic("other", 100, 3000, LINEAR)]
    record = replay(jobs, "pollux", topology=8)
    assert {subject for _, subject, _ in resizes(record)} == {"other"}


def test_restarts_are_paid_and_who_restarts_often_stays() -> None:
    jobs = list(generate("pollux-like", jobs=40, seed=1, load=2.0, restart=30.0).jobs())
    replay(jobs, "pollux", topology=servers(8, 4))
    cheap = sum(job.overhead for job in jobs)
    slow = list(generate("pollux-like", jobs=40, seed=1, load=2.0, restart=300.0).jobs())
    replay(slow, "pollux", topology=servers(8, 4))
    moves = [sum(job.overhead for job in slow) / 300, cheap / 30]
    assert cheap > 0
    assert moves[0] < moves[1]


def test_goodput_beats_equal_numbers() -> None:
    found = {}
    for name in ("pollux", "elastic-max-min"):
        jobs = list(generate("pollux-like", jobs=80, seed=6, load=1.5).jobs())
        replay(jobs, name, topology=servers(16, 4))
        found[name] = np.mean([job.end - job.submit for job in jobs])
    assert found["pollux"] < found["elastic-max-min"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"interval": 0}, "interval is 0 s; it must be a finite number above 0"),
        ({"p": 2}, "p is 2; it must be from -10 to 1"),
        ({"growth": 1}, "growth is 1; it must be a finite number above 1"),
        ({"restart": -1}, "restart is -1 s; it must be a finite number, 0 or more"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(options: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        schedulers.get("pollux")(**options)


@pytest.mark.parametrize("name", ["pollux", "sia", "optimus", "elastic-max-min"])
@pytest.mark.parametrize("seed", range(4))
def test_every_action_is_legal_whatever_jobs_demand(name: str, seed: int) -> None:
    """Cores, memory, types, pods, pinned jobs, shares and fixed sizes among elastic ones, on servers of two types."""
    rng = np.random.default_rng(seed)
    each = {
        f"node-{index}": {
            "accelerators": 2 + 2 * (index % 3),
            "accelerator": "ab"[index % 2],
            "cores": 32.0,
            "memory": 64e9,
        }
        for index in range(7)
    }
    jobs: list[Job] = []
    for index in range(40):
        size = float(rng.choice([0.5, 1.0, 2.0, 4.0]))
        more: dict[str, Any] = {"cores": 2 * size, "memory": float(rng.choice([0.0, 4e9])) * size}
        more["accelerator_types"] = ("a",) if rng.random() < 0.3 else ()
        more["max_servers"] = int(rng.choice([0, 1])) if size > 1 else 0
        more["preemptible"] = bool(rng.random() < 0.8)
        bounds = {"minimum": 1.0, "maximum": 2 * size, "speedup": ByCount(300.0, LINEAR)}
        more |= bounds if size >= 1 and rng.random() < 0.7 else {}
        submit = float(rng.integers(0, 1500))
        jobs.append(BatchJob(id=f"job-{index}", submit=submit, duration=300.0, accelerators=size, restart=20.0, **more))
    replay(jobs, name, topology=Topology.from_links([], each, "mixed"))
    assert [job.id for job in jobs if job.state is not State.COMPLETED] == []
