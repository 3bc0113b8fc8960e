"""Rounds with leases: the choice by hand, the engine against a twin over arrays, and ideal shares by arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.gavel_rounds import run as twin

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.metrics.recorder import Record
from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, problem, spread_out
from simulator.policies.heterogeneity.rounds import choose
from simulator.policies.scheduling.gavel import Gavel
from simulator.testing import check_scheduler, replay
from simulator.workload.jobs import BatchJob
from simulator.workload.speedup import ByType

MODELS = ({"a": 1.0, "b": 0.5, "c": 0.25}, {"a": 1.0, "b": 1.25, "c": 0.5}, {"a": 1.0, "b": 0.75})


def cluster(**counts: int) -> Topology:
    return Topology.from_links([], {k: {"accelerators": n, "accelerator": k} for k, n in counts.items()}, "mixed")


def job(name: str, submit: float, duration: float, pace: dict[str, float] | None = None, **more: Any) -> BatchJob:
    speedup = None if pace is None else ByType(duration, pace)
    return BatchJob(id=name, submit=submit, duration=duration, **{"accelerators": 1.0, **more}, speedup=speedup)


def crowd(count: int, seed: int = 3, step: float = 300.0) -> list[BatchJob]:
    """Jobs of 10 min to 4 h, a little more than six accelerators can bear."""
    rng = stream(seed, "gavel.crowd")
    submit = np.cumsum(rng.exponential(step, count)).tolist()
    length = rng.uniform(600, 14400, count).tolist()
    model = rng.integers(0, len(MODELS), count).tolist()
    return [job(str(i), *row[:2], MODELS[row[2]]) for i, row in enumerate(zip(submit, length, model, strict=True))]


def times(record: Record) -> list[float]:
    table = record.tables["jobs"]
    order = np.argsort([int(name) for name in table["id"]])
    return [float(value) for value in (table["end"] - table["submit"])[order]]


# -- the choice of a round --------------------------------------------------------------------------------------------


def test_a_type_goes_to_those_that_had_least_of_their_share() -> None:
    shares = np.array([[0.5], [0.5], [0.25]])
    received = np.array([[540.0], [180.0], [180.0]])
    kinds = choose(shares, received, np.zeros((3, 1)), np.ones((3, 1)), np.ones(3), np.array([2.0]), [0])
    assert kinds.tolist() == [-1, 0, 0]


def test_ties_go_by_what_is_still_owed_then_by_row() -> None:
    even = np.ones((3, 1))
    owed = np.array([[0.0], [0.0], [60.0]])
    assert choose(even, even, owed, even, np.ones(3), np.array([2.0]), [0]).tolist() == [0, -1, 0]


def test_a_gang_that_does_not_fit_is_passed_and_nobody_runs_twice() -> None:
    shares = np.array([[0.9, 0.9], [0.8, 0.0], [0.5, 0.1]])
    flat = np.ones((3, 2))
    kinds = choose(shares, flat, 0 * flat, flat, np.array([1.0, 4.0, 2.0]), np.array([3.0, 1.0]), [0, 1])
    assert kinds.tolist() == [0, -1, 0]


def test_what_is_left_goes_to_others_only_if_nothing_is_to_be_idle() -> None:
    shares, flat = np.array([[0.0], [1.0]]), np.ones((2, 1))
    for conserving, kinds in ((True, [0, 0]), (False, [-1, 0])):
        got = choose(shares, flat, 0 * flat, flat, np.ones(2), np.array([2.0]), [0], conserving)
        assert got.tolist() == kinds


def test_over_many_rounds_everybody_gets_its_share() -> None:
    task = problem(np.array([list(m.values()) if len(m) == 3 else [*m.values(), 0.0] for m in MODELS] * 4), [2, 2, 2])
    shares = objectives.get("max-min-fairness")(task)
    received, count = np.full(shares.shape, 0.5), 2000
    for _ in range(count):
        kinds = choose(shares, received, 0 * shares, task.pace, task.gang, task.capacity, [0, 1, 2], conserving=False)
        rows = np.flatnonzero(kinds >= 0)
        received[rows, kinds[rows]] += 1
    got = ((received - 0.5) / count * task.pace).sum(axis=1)
    assert got == pytest.approx((shares * task.pace).sum(axis=1), rel=0.03)


# -- the engine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max-min-fairness", "isolated", "throughput", "hierarchical"])
def test_the_engine_and_a_twin_over_arrays_agree_on_every_job(name: str) -> None:
    jobs = crowd(80)
    policy = Gavel(objective=name, refill=False)
    record = replay(jobs, policy, topology=cluster(a=2, b=2, c=2))
    rows = [(each.submit, np.array([paces_of(each).get(kind, 0.0) for kind in "abc"]) / each.duration) for each in jobs]
    order: list[tuple[int, ...]] = [(0, 1, 2)]

    def allocate(task: Problem) -> np.ndarray:
        order[0] = tuple(np.argsort(-(task.pace / task.pace.mean(axis=1)[:, None]).sum(axis=0), kind="stable").tolist())
        return objectives.get(name)(task)

    expected = twin(rows, [2, 2, 2], allocate, lambda: order[0], between=1920.0)
    assert times(record) == pytest.approx(expected.tolist(), abs=1.0)


def paces_of(each: BatchJob) -> dict[str, float]:
    assert isinstance(each.speedup, ByType)
    return dict(each.speedup.pace)


def test_so_do_they_when_all_types_are_taken_to_be_equal() -> None:
    jobs = [job(each.id, each.submit, each.duration, {"a": 1.0, "b": 0.5, "c": 0.25}) for each in crowd(60)]
    record = replay(jobs, Gavel(aware=False, refill=False), topology=cluster(a=2, b=2, c=2))
    rng = stream(0, "scheduler")

    def allocate(task: Problem) -> np.ndarray:
        blind = problem(np.where(task.pace > 0, 1.0, 0.0), task.capacity)
        return spread_out(blind, objectives.get("max-min-fairness")(blind))

    rows = [(each.submit, np.array([1.0, 0.5, 0.25]) / each.duration) for each in jobs]
    expected = twin(rows, [2, 2, 2], allocate, lambda: rng.permutation(3).tolist(), between=1920.0)
    assert times(record) == pytest.approx(expected.tolist(), abs=1.0)


def test_a_job_that_is_chosen_again_keeps_its_accelerators() -> None:
    record = replay([job("0", 0.0, 36000.0), job("1", 0.0, 36000.0)], "gavel", topology=cluster(a=2), restart=100.0)
    assert times(record) == [36000.0, 36000.0]
    assert record.tables["jobs"]["preemptions"].tolist() == [0, 0]


def test_two_jobs_take_turns_on_one_accelerator_and_pay_for_it() -> None:
    """Rounds of 360 s by turns; each turn taken after a stop costs its restart."""
    for restart in (0.0, 30.0):
        jobs = [job("0", 0.0, 720.0), job("1", 0.0, 720.0)]
        record = replay(jobs, "gavel", topology=cluster(a=1), restart=restart)
        stops = record.tables["jobs"]["preemptions"].sum()
        assert stops >= 1
        assert max(times(record)) == pytest.approx(1440.0 + restart * stops, abs=0.01)
    assert times(replay([job("0", 0.0, 720.0), job("1", 0.0, 720.0)], "gavel", topology=cluster(a=1))) == [
        1080.0,
        1440.0,
    ]


def test_jobs_change_places_in_one_instant() -> None:
    """Each runs on one type only half of the time: a circle of two, in which one steps aside for a millisecond."""
    jobs = [job(str(i), 0.0, 7200.0, {"a": 1.0, "b": 0.5}) for i in range(2)]
    record = replay(jobs, Gavel(objective="isolated"), topology=cluster(a=1, b=1))
    assert times(record) == pytest.approx([9600.0, 9600.0], rel=0.05)


def test_one_that_may_not_be_stopped_is_left_alone() -> None:
    jobs = [job("0", 0.0, 7200.0, preemptible=False), job("1", 0.0, 720.0)]
    record = replay(jobs, "gavel", topology=cluster(a=1))
    assert times(record) == [7200.0, 7920.0]


def test_what_is_free_before_the_round_is_over_is_used_or_not() -> None:
    for refill, third in ((True, 60.0), (False, 370.0)):
        jobs = [job("0", 0.0, 50.0), job("1", 0.0, 1000.0), job("2", 0.0, 10.0)]
        assert times(replay(jobs, Gavel(refill=refill), topology=cluster(a=2))) == [50.0, 1000.0, third]


def test_ideal_shares_by_arithmetic() -> None:
    """Two equal jobs have half of each type: a pace of 3/4, until the first is done; then the second has all of a."""
    jobs = [job("0", 0.0, 600.0, {"a": 1.0, "b": 0.5}), job("1", 0.0, 1200.0, {"a": 1.0, "b": 0.5})]
    record = replay(jobs, Gavel(execution="ideal"), topology=cluster(a=1, b=1))
    assert times(record) == pytest.approx([800.0, 800.0 + 600.0], rel=1e-4)


def test_rounds_come_near_to_the_ideal() -> None:
    mean = {
        way: np.mean(times(replay(crowd(120), Gavel(execution=way), topology=cluster(a=2, b=2, c=2))))
        for way in ("ideal", "rounds")
    }
    assert mean["rounds"] == pytest.approx(mean["ideal"], rel=0.1)


def test_knowing_paces_pays() -> None:
    mean = {
        aware: np.mean(times(replay(crowd(120), Gavel(aware=aware), topology=cluster(a=2, b=2, c=2))))
        for aware in (True, False)
    }
    assert mean[True] < mean[False]


def test_entities_share_by_their_weights() -> None:
    """Tenant x has three times the weight of y on one accelerator: three of four rounds, one by one."""
    jobs = [job("0", 0.0, 7200.0, tenant="x"), job("1", 0.0, 7200.0, tenant="y")]
    policy = Gavel(objective="hierarchical", entities={"x": {"weight": 3}, "y": {"policy": "fifo"}}, memory=1e6)
    first, second = times(replay(jobs, policy, topology=cluster(a=1)))
    assert first == pytest.approx(9600.0, rel=0.05)
    assert second == pytest.approx(14400.0, abs=1.0)


@pytest.mark.parametrize("name", objectives.names())
def test_every_objective_passes_the_contract(name: str) -> None:
    check_scheduler(Gavel(objective=name))


def test_so_does_the_agnostic_baseline() -> None:
    check_scheduler(Gavel(aware=False))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"round": 0.0}, "round is 0 s; it must be a finite number above 0"),
        ({"memory": float("inf")}, "memory is inf s; it must be a finite number above 0"),
        ({"entities": {"x": {"weight": 0}}}, "entities, x: weight is 0; it must be a finite number above 0"),
        ({"entities": {"x": {"share": 1}}}, "entities, x: 'share' is not known; there are weight and policy"),
        ({"prices": {"a": -1.0}}, "prices, a: the price is -1.0; it must be a finite number above 0"),
    ],
)
def test_what_makes_no_sense_is_said(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$".replace("(", r"\(")):
        Gavel(**options)


def test_names_that_are_not_there_are_said_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown objective 'makespn'.*makespan"):
        Gavel(objective="makespn")
    with pytest.raises(InputError, match=r"execution: 'round' is not a choice.*rounds"):
        Gavel(execution="round")


def test_prices_are_read_with_their_units() -> None:
    """The same price, written twice: both types are equal, so the faster one is taken."""
    policy = Gavel(objective="cost", prices={"a": "$3.60/h", "b": 0.001})
    record = replay([job("0", 0.0, 600.0, {"a": 1.0, "b": 0.5})], policy, topology=cluster(a=1, b=1))
    assert times(record) == [600.0]
