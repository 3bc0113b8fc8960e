"""Allocations over types of accelerators: against duals and dense programs written by hand, and cases known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from simulator.policies.heterogeneity.isolation import fair_seconds
from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import (
    Problem,
    equal_share,
    normalised,
    problem,
    proportional,
    spread_out,
)
from simulator.policies.heterogeneity.program import classes

few = settings(max_examples=30)
paces = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 3.0])


@st.composite
def problems(draw: Any, fifo: bool = False) -> Problem:
    """Up to seven jobs on up to three types, some alike, some that run nowhere."""
    jobs, types = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    kinds = draw(st.lists(st.lists(paces, min_size=types, max_size=types), min_size=1, max_size=3))
    rows = [draw(st.sampled_from(kinds)) for _ in range(jobs)]
    entity = draw(st.lists(st.integers(0, 2), min_size=jobs, max_size=jobs))

    def each(values: list[float]) -> Any:
        return draw(st.lists(st.sampled_from(values), min_size=jobs, max_size=jobs))

    return problem(
        np.array(rows),
        draw(st.lists(st.integers(1, 4), min_size=types, max_size=types)),
        each([1.0, 1.0, 2.0, 0.5]),
        weight=each([1.0, 1.0, 2.0]),
        remaining=each([1.0, 0.5, 0.1]),
        elapsed=each([0.0, 1.0, 5.0]),
        isolated=each([0.0, 1.0]),
        deadline=each([np.inf, 2.0, 4.0]),
        price=draw(st.lists(st.sampled_from([1.0, 2.0, 4.0]), min_size=types, max_size=types)),
        entity=entity,
        entity_weight=draw(
            st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=max(entity) + 1, max_size=max(entity) + 1)
        ),
        entity_fifo=[fifo and index == 0 for index in range(max(entity) + 1)],
    )


def assert_fits(task: Problem, shares: np.ndarray) -> None:
    assert shares.shape == task.pace.shape
    assert (shares >= 0).all()
    assert (shares.sum(axis=1) <= 1 + 1e-9).all()
    assert (task.gang @ shares <= task.capacity * (1 + 1e-9)).all()
    assert (shares[task.pace == 0] == 0).all()


def least_by_dual(rates: np.ndarray, asks: np.ndarray, task: Problem) -> float:
    """Largest t for which every job gets ``t x asks``, as the value of the dual program, written out densely.

    min sum(u) + capacity @ p over u, y (jobs), p (types) >= 0, with u_m + gang_m p_j >= rates_mj y_m, asks @ y >= 1.
    """
    jobs, types = rates.shape
    works = asks > 0
    if not works.any():
        return 0.0
    cost = np.concatenate([np.ones(jobs), np.zeros(jobs), task.capacity])
    rows, limits = [], []
    for job in range(jobs):
        for kind in range(types):
            if rates[job, kind] > 0:
                row = np.zeros(2 * jobs + types)
                row[job], row[jobs + job], row[2 * jobs + kind] = -1, rates[job, kind], -task.gang[job]
                rows.append(row)
                limits.append(0.0)
    rows.append(np.concatenate([np.zeros(jobs), -asks, np.zeros(types)]))
    limits.append(-1.0)
    found = linprog(cost, A_ub=np.array(rows), b_ub=limits, method="highs")
    assert found.status == 0, found.message
    return float(found.fun or 0.0)


@settings(max_examples=60)
@given(problems(fifo=True), st.sampled_from(objectives.names()))
def test_every_allocation_fits(task: Problem, name: str) -> None:
    assert_fits(task, objectives.get(name)(task))


def test_these_objectives_are_there() -> None:
    assert objectives.names() == [
        "cost", "cost-slo", "fifo", "finish-time-fairness", "hierarchical", "isolated", "makespan", "max-min-fairness",
        "mean-completion-time",
        "throughput",
    ]  # fmt: skip
    assert objectives.summary("makespan") == "The last of the present jobs ends as early as possible."


# -- max-min fairness -----------------------------------------------------------------------------------------------


@few
@given(problems())
def test_the_least_pace_is_the_dual_value(task: Problem) -> None:
    rates = normalised(task)
    works = (rates > 0).any(axis=1)
    shares = objectives.get("max-min-fairness")(task)
    got = (rates * shares).sum(axis=1)
    assert got[works].min(initial=np.inf) == pytest.approx(
        least_by_dual(rates, works.astype(float), task) if works.any() else np.inf, abs=1e-6
    )


@few
@given(problems())
def test_nothing_that_somebody_could_use_is_left_over(task: Problem) -> None:
    shares = objectives.get("max-min-fairness")(task)
    left = task.capacity - task.gang @ shares
    idle = shares.sum(axis=1) < 1 - 1e-5
    assert not ((task.pace > 0) & idle[:, None] & (left > 1e-4)[None, :]).any()


def test_max_min_by_hand() -> None:
    """Job a counts 2, 1 in units of 1.5, job b is 1 everywhere: apart they have 4/3 and 1, and b can have no more."""
    task = problem([[2.0, 1.0], [1.0, 1.0]], [1, 1])
    assert objectives.get("max-min-fairness")(task) == pytest.approx(np.eye(2))


def test_a_weight_and_a_gang_count() -> None:
    """Twice the weight is twice the time; a gang of two has half the time, which is as many accelerator-seconds."""
    max_min = objectives.get("max-min-fairness")
    weighted = max_min(problem([[1.0]] * 3, [1], weight=[2.0, 1.0, 1.0]))
    assert weighted[:, 0] == pytest.approx([0.5, 0.25, 0.25])
    gangs = max_min(problem([[1.0]] * 2, [2], gang=[2.0, 1.0]))
    assert gangs[:, 0] == pytest.approx([0.5, 1.0])


def test_it_does_not_matter_how_long_a_job_is() -> None:
    short, long = (problem(np.array([[2.0, 1.0], [1.0, 1.0]]) * scale, [1, 1]) for scale in (1.0, 1e-6))
    max_min = objectives.get("max-min-fairness")
    assert max_min(short) == pytest.approx(max_min(long))


def test_alike_jobs_form_one_class() -> None:
    first, member, count = classes(np.array([[1.0, 2.0], [1.0, 2.0 + 1e-13], [3.0, 0.0]]), np.array([1.0, 1.0, 1.0]))
    assert sorted(count.tolist()) == [1.0, 2.0]
    assert member[0] == member[1] != member[2]
    assert len(first) == 2


# -- makespan, finish-time fairness ---------------------------------------------------------------------------------


@few
@given(problems())
def test_the_makespan_is_the_inverse_of_the_dual_value(task: Problem) -> None:
    works = (task.pace > 0).any(axis=1)
    if not works.any():
        return
    shares = objectives.get("makespan")(task)
    got = (task.pace * shares).sum(axis=1)
    makespan = (task.remaining[works] / got[works]).max()
    assert makespan == pytest.approx(1 / least_by_dual(task.pace, np.where(works, task.remaining, 0.0), task), rel=1e-5)


def rho(task: Problem, shares: np.ndarray) -> float:
    works = (task.pace > 0).any(axis=1)
    got = (task.pace * shares).sum(axis=1)[works]
    with np.errstate(divide="ignore"):
        return float(((task.elapsed[works] + task.remaining[works] / got) / fair_seconds(task)[works]).max())


@few
@given(problems())
def test_rho_is_the_least_for_which_the_paces_can_be_had(task: Problem) -> None:
    """Bisection over rho with the dual of each feasibility program."""
    works = (task.pace > 0).any(axis=1)
    if not works.any():
        return
    fair = fair_seconds(task)
    low, high = 0.0, rho(task, equal_share(task))
    for _ in range(40):
        middle = (low + high) / 2
        left = middle * np.where(works, fair, 1.0) - task.elapsed
        if (left[works] <= 0).any():
            low = middle
            continue
        asks = np.where(works, task.remaining / np.maximum(left, 1e-12), 0.0)
        low, high = (low, middle) if least_by_dual(task.pace, asks, task) >= 1 else (middle, high)
    found = rho(task, objectives.get("finish-time-fairness")(task))
    assert high * (1 - 1e-6) <= found <= high * 1.002


def test_a_job_that_was_treated_badly_goes_first() -> None:
    """Two equal jobs on one accelerator; the one that has waited longer has more of it."""
    task = problem([[0.1], [0.1]], [1], elapsed=[20.0, 0.0])
    shares = objectives.get("finish-time-fairness")(task)[:, 0]
    assert shares.sum() == pytest.approx(1.0, abs=1e-3)
    assert 20 + 10 / shares[0] == pytest.approx(10 / shares[1], rel=3e-3)


# -- money, throughput, order ---------------------------------------------------------------------------------------


def test_cost_goes_where_most_is_had_for_the_money() -> None:
    """Type 0 is twice as fast for 3 times the price."""
    task = problem([[2.0, 1.0]], [1, 1], price=[3.0, 1.0])
    assert objectives.get("cost")(task) == pytest.approx(np.array([[0.0, 1.0]]))


def test_a_deadline_costs_what_it_takes() -> None:
    """It needs a pace of 1.5: half of the time on the dear type."""
    task = problem([[2.0, 1.0]], [1, 1], price=[3.0, 1.0], deadline=2 / 3)
    assert objectives.get("cost-slo")(task) == pytest.approx(np.array([[0.5, 0.5]]))


def test_a_deadline_that_nobody_could_make_asks_for_nothing() -> None:
    task = problem([[2.0, 1.0]], [1, 1], price=[3.0, 1.0], deadline=0.4)
    assert objectives.get("cost-slo")(task) == pytest.approx(np.array([[0.0, 1.0]]))


@few
@given(problems())
def test_deadlines_that_can_all_be_met_are_met(task: Problem) -> None:
    floors = np.where(np.isfinite(task.deadline), task.remaining / task.deadline, 0.0)
    floors = np.where(floors <= task.pace.max(axis=1), floors, 0.0)
    if floors.any() and least_by_dual(task.pace, floors, task) >= 1:
        got = (task.pace * objectives.get("cost-slo")(task)).sum(axis=1)
        assert (got >= floors * (1 - 1e-5) - 1e-9).all()


@few
@given(problems())
def test_no_mix_of_single_assignments_has_more_throughput(task: Problem) -> None:
    """The optimum is at least that of every assignment of whole jobs to types, tried one by one."""
    gain = task.pace * (task.weight / proportional(task))[:, None]
    best = float((gain * objectives.get("throughput")(task)).sum())
    jobs, types = task.pace.shape
    for code in range(min((types + 1) ** jobs, 500)):
        kinds = [(code // (types + 1) ** job) % (types + 1) - 1 for job in range(jobs)]
        load = np.zeros(types)
        total = 0.0
        for job, kind in enumerate(kinds):
            if kind >= 0:
                load[kind] += task.gang[job]
                total += gain[job, kind]
        if (load <= task.capacity).all():
            assert total <= best + 1e-6


def test_fifo_takes_the_fastest_that_is_left_and_lets_nobody_pass() -> None:
    task = problem([[2.0, 1.0], [3.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [1, 2], gang=[1.0, 1.0, 2.0, 1.0])
    shares = objectives.get("fifo")(task)
    assert shares.tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_equal_shares_by_hand() -> None:
    """Three jobs on 6 and 3 accelerators: 2 and 1 each, which is more than all of the time of a gang of one."""
    shares = equal_share(problem([[1.0, 1.0]] * 3, [6, 3], gang=[1.0, 4.0, 6.0]))
    assert shares == pytest.approx(np.array([[2 / 3, 1 / 3], [0.5, 0.25], [1 / 3, 1 / 6]]))


def test_spreading_out_keeps_the_time_of_each_job_and_fits() -> None:
    task = problem([[1.0, 1.0]] * 2, [3, 1], gang=[3.0, 1.0])
    even = spread_out(task, np.array([[0.8, 0.0], [0.2, 0.8]]))
    assert even == pytest.approx(np.array([[0.6, 0.2], [0.75, 0.25]]))
    assert_fits(task, even)


# -- entities -------------------------------------------------------------------------------------------------------


@few
@given(problems())
def test_with_one_entity_nobody_gets_more_without_taking_it_from_one_who_has_less(task: Problem) -> None:
    """Max-min fairness in full: raise any job while those at its level or below keep theirs, and nothing is won."""
    one = problem(task.pace, task.capacity, task.gang, weight=task.weight)
    rates = normalised(one)
    shares = objectives.get("hierarchical")(one)
    level = (rates * shares).sum(axis=1)
    jobs, types = rates.shape
    for job in range(jobs):
        keep = [other for other in range(jobs) if other != job and level[other] <= level[job] + 1e-6]
        matrix, limits = [], []
        for other in range(jobs):
            row = np.zeros((jobs, types))
            row[other] = 1.0
            matrix.append(row.ravel())
            limits.append(1.0)
        for kind in range(types):
            row = np.zeros((jobs, types))
            row[:, kind] = one.gang
            matrix.append(row.ravel())
            limits.append(float(one.capacity[kind]))
        for other in keep:
            row = np.zeros((jobs, types))
            row[other] = -rates[other]
            matrix.append(row.ravel())
            limits.append(-level[other] * (1 - 1e-6) + 1e-7)
        gain = np.zeros((jobs, types))
        gain[job] = -rates[job]
        found = linprog(gain.ravel(), A_ub=np.array(matrix), b_ub=limits, bounds=(0, 1), method="highs")
        assert -(found.fun or 0.0) <= level[job] * (1 + 1e-3) + 1e-3


def test_the_weights_of_entities_and_of_their_jobs_share_one_type() -> None:
    """Entity 0 has weight 1 and two jobs, entity 1 weight 3 and jobs of weight 2 and 1; 2 accelerators in all."""
    task = problem([[1.0]] * 4, [2], entity=[0, 0, 1, 1], entity_weight=[1.0, 3.0], weight=[1.0, 1.0, 2.0, 1.0])
    assert objectives.get("hierarchical")(task)[:, 0] == pytest.approx([0.25, 0.25, 1.0, 0.5])


def test_what_an_entity_cannot_use_goes_to_the_others() -> None:
    """The one job of entity 0 has all of its time; entity 1 shares the other three accelerators."""
    task = problem([[1.0]] * 5, [4], entity=[0, 1, 1, 1, 1], entity_weight=[5.0, 1.0])
    assert objectives.get("hierarchical")(task)[:, 0] == pytest.approx([1.0, 0.75, 0.75, 0.75, 0.75])


def test_a_fifo_entity_serves_the_oldest_first() -> None:
    task = problem([[1.0]] * 4, [3], entity=[0, 0, 0, 1], entity_weight=[1.0, 1.0], entity_fifo=[True, False])
    assert objectives.get("hierarchical")(task)[:, 0] == pytest.approx([1.0, 1.0, 0.0, 1.0], abs=1e-6)


def test_what_does_not_match_is_said() -> None:
    with pytest.raises(ValueError, match=r"^pace has 2 types, capacity 3$"):
        problem([[1.0, 1.0]], [1, 1, 1])


def test_the_least_mean_completion_time_runs_the_shortest_where_they_lose_least() -> None:
    """Lengths (10, 100), (10, 15), (50, 60) s on one a and one b: 0 on a, 1 on b, and 2 waits behind 0."""
    task = problem([[0.1, 0.01], [0.1, 1 / 15], [0.02, 1 / 60]], [1, 1])
    assert objectives.get("mean-completion-time")(task).tolist() == [[1, 0], [0, 1], [0, 0]]
