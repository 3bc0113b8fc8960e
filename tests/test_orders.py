"""Orders of the queue: who goes first, learned and reckoned orders by hand, preemptive ones against the naive twin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.stepped_pool import Job as Twin
from reference.stepped_pool import simulate

from simulator.policies.composed import Composed
from simulator.policies.fairness import Factors
from simulator.policies.history import LastOnes, Rolling
from simulator.policies.orders import orders
from simulator.policies.orders.gittins import Gittins, indices
from simulator.policies.orders.tiresias import Tiresias
from simulator.policies.usage import classic, fair_tree
from simulator.testing import replay
from simulator.workload.jobs import BatchJob


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def sequence(order: Any, waiting: list[BatchJob], accelerators: int = 4) -> list[str]:
    """The order in which jobs that all wait are started, one after the other."""
    blocker = job("blocker", 0.0, 50.0, float(accelerators), tenant="z", user="z")
    replay([blocker, *waiting], Composed(order), topology=accelerators)
    return [each.id for each in sorted(waiting, key=lambda each: (each.start, each.sequence))]


# -- static orders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("fifo", ["a", "b", "c", "d"]),
        ("sjf", ["c", "b", "d", "a"]),
        ("ljf", ["a", "d", "b", "c"]),
        ("widest", ["d", "a", "b", "c"]),
        ("narrowest", ["c", "b", "a", "d"]),
        ("smallest-area", ["c", "b", "d", "a"]),
        ("srsf", ["c", "b", "d", "a"]),
        ("priority", ["c", "d", "a", "b"]),
        ("edf", ["b", "d", "a", "c"]),
        ("least-laxity", ["d", "b", "a", "c"]),
        ("f1", ["a", "b", "c", "d"]),
    ],
)
def test_who_goes_first(order: str, expected: list[str]) -> None:
    waiting = [
        job("a", 1.0, 900.0, 3.0),
        job("b", 1.5, 20.0, 2.0, deadline=1000.0),
        job("c", 1.6, 10.0, 1.0, priority=2.0),
        job("d", 1.7, 500.0, 4.0, priority=1.0, deadline=1400.0),
    ]
    policy = Composed(order)
    blocker = job("blocker", 0.0, 50.0, 4.0)
    seen: list[str] = []

    class Once:
        def schedule(self, view: Any) -> Any:
            if view.now < 50 and len(view.queue) == 4:
                seen[:] = [each.id for each in policy.order.waiting(view)]
                some = [
                    each.id for each in policy.order.fitting(view, lambda size: math.inf if size < 3 else -math.inf)
                ]
                assert some == [name for name in seen if name in "bc"]
                behind = policy.order.fitting(view, lambda size: math.inf, next(iter(policy.order.waiting(view))))
                assert [each.id for each in behind] == seen[1:]
            return policy.schedule(view)

    replay([blocker, *waiting], Once(), topology=4)
    assert seen == expected


def test_random_is_random_and_the_same_again() -> None:
    waiting = [f"{i}" for i in range(30)]
    first = sequence("random", [job(name, 1.0, 5.0, 4.0) for name in waiting])
    assert first == sequence("random", [job(name, 1.0, 5.0, 4.0) for name in waiting])
    assert first != waiting


def test_preemptive_priority_stops_the_lowest_first_and_leaves_equals_alone() -> None:
    jobs = [
        job("low", 0.0, 50.0, 2.0, priority=1.0),
        job("lower", 0.0, 50.0, 2.0, priority=0.0),
        job("high", 5.0, 5.0, 2.0, priority=2.0),
        job("equal", 6.0, 5.0, 2.0, priority=1.0),
    ]
    replay(jobs, "priority", topology=4)
    assert [each.preemptions for each in jobs] == [0, 1, 0, 0]
    assert [each.start for each in jobs] == [0.0, 0.0, 5.0, 10.0]


def test_a_job_that_may_not_be_stopped_is_not() -> None:
    jobs = [
        job("fixed", 0.0, 50.0, 2.0, preemptible=False),
        job("loose", 0.0, 50.0, 2.0, priority=1.0),
        job("high", 5.0, 5.0, 3.0, priority=2.0),
        job("small", 6.0, 5.0, 2.0, priority=2.0),
    ]
    replay(jobs, "priority", topology=4)
    assert [each.start for each in jobs[2:]] == [50.0, 6.0]
    assert [each.preemptions for each in jobs] == [0, 2, 0, 0]


def test_least_laxity_saves_the_job_that_is_in_a_hurry() -> None:
    jobs = [job("easy", 0.0, 100.0, deadline=10_000.0), job("tight", 10.0, 50.0, deadline=80.0)]
    replay(jobs, Composed("least-laxity", "fill", preempt=True), topology=1)
    assert (jobs[1].start, jobs[1].end, jobs[0].preemptions) == (10.0, 60.0, 1)
    with pytest.raises(ValueError, match=r"^margin is -1 s; it must be a finite number, 0 or more$"):
        orders.get("least-laxity")(margin=-1.0)


# -- attained service -----------------------------------------------------------------------------------------------

rows = st.lists(st.tuples(st.integers(0, 14), st.integers(1, 12), st.sampled_from([1, 2, 4])), min_size=1, max_size=12)


@settings(max_examples=300)
@given(rows, st.sampled_from([2, 4, 5]), st.sampled_from([(4,), (4, 12), (8, 16, 20)]), st.integers(0, 2))
def test_tiresias_does_as_the_naive_twin(
    drawn: list[tuple[int, int, int]], accelerators: int, thresholds: tuple[int, ...], restart: int
) -> None:
    told = sorted(drawn, key=lambda row: row[0])
    twins = [Twin(a, b, c, b) for a, b, c in told]
    simulate(accelerators, twins, "tiresias", restart=restart, thresholds=thresholds)
    jobs = [job(f"{i}", float(a), float(b), float(c)) for i, (a, b, c) in enumerate(told)]
    policy = Composed(Tiresias([float(each) for each in thresholds], within="stay"), "fill", preempt=True)
    replay(jobs, policy, topology=accelerators, restart=float(restart))
    lived = [(each.start, each.end, each.preemptions) for each in jobs if each.accelerators <= accelerators]
    assert lived == [(twin.start, twin.end, twin.preemptions) for twin in twins if twin.accelerators <= accelerators]


def test_tiresias_counts_accelerators_and_time() -> None:
    """The wide one reaches its threshold in half the time, and gives way to the newcomer."""
    jobs = [job("wide", 0.0, 100.0, 2.0), job("slim", 0.0, 100.0, 1.0), job("new", 10.0, 30.0, 1.0)]
    replay(jobs, Composed(Tiresias([60.0]), "fill", preempt=True), topology=3)
    assert jobs[2].start == 30.0
    assert [each.preemptions for each in jobs[:2]] == [1, 0]


def test_tiresias_brings_back_who_has_waited_long_enough() -> None:
    def ends(promote: float) -> tuple[float, int]:
        jobs = [job("old", 0.0, 20.0)] + [job(f"new-{i}", 10.0 + 10.0 * i, 10.0) for i in range(20)]
        replay(jobs, Composed(Tiresias([10.0], promote), "fill", preempt=True), topology=1)
        return jobs[0].end, jobs[0].preemptions

    assert ends(0.0) == (220.0, 1)
    # stopped at 10 s after 10 s of running; back at the top after 2 x 10 s of waiting, when who runs has had its turn
    assert ends(2.0) == (40.0, 1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"thresholds": []}, r"^thresholds are \[\]; give one or more finite numbers above 0$"),
        ({"thresholds": [5.0, 5.0]}, r"^thresholds are \[5\.0, 5\.0\]; each must be larger than the one before$"),
        ({"promote": -1.0}, r"^promote is -1; it must be a finite number, 0 or more$"),
    ],
)
def test_tiresias_wants_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Tiresias(**options)


# -- Gittins --------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 50), min_size=1, max_size=15), st.lists(st.integers(0, 60), min_size=1, unique=True))
def test_the_index_is_the_best_ratio_of_ends_to_service(services: list[int], drawn: list[int]) -> None:
    ages = sorted(drawn)
    for age, index in zip(ages, indices(services, [float(each) for each in ages]), strict=True):
        left = [each - age for each in services if each > age]
        ahead = [later - age for later in (*ages, max(services)) if later > age] if left else []
        ratios = [sum(each <= d for each in left) / sum(min(each, d) for each in left) for d in ahead]
        assert index == pytest.approx(max(ratios, default=0.0))


def test_gittins_with_a_memoryless_distribution_has_nothing_to_choose() -> None:
    services = np.random.default_rng(1).exponential(100.0, 200_000)
    assert indices(services, [0.0, 50.0, 100.0, 200.0]) == pytest.approx([0.01] * 4, rel=0.03)


def test_gittins_lets_a_job_near_its_likely_end_go_on() -> None:
    """Jobs take 10 or 1,000 s. Past 10 s there is far to go; with services of 100 s sharp, who has run goes first."""

    def preempted(services: list[float]) -> int:
        jobs = [job("runs", 0.0, 100.0), job("new", 60.0, 10.0)]
        replay(jobs, Composed(Gittins(services, quantum=10.0), "fill", preempt=True), topology=1)
        return jobs[0].preemptions

    assert preempted([10.0, 1000.0]) == 1
    assert preempted([100.0]) == 0


def test_gittins_learns_from_what_has_finished() -> None:
    policy = Gittins(quantum=10.0, learn=3)
    before = list(policy._index)
    assert before[:3] == [0.0, -10.0, -20.0]  # least attained service first
    for number in range(3):
        each = job(f"{number}", 0.0, 50.0)
        replay([each], topology=1)
        policy.on_finish(each)
    assert policy._index[:5] == pytest.approx([1 / 50, 1 / 40, 1 / 30, 1 / 10, 0.0])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"quantum": 0.0}, r"^quantum is 0 accelerator-seconds; it must be"),
        ({"learn": 0}, r"^learn is 0; it must be 1 or more$"),
        ({"growth": 1.0}, r"^growth is 1; it must be more than 1$"),
        ({"services": [1.0, -1.0]}, r"^services must be finite numbers above 0$"),
    ],
)
def test_gittins_wants_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Gittins(**options)


# -- history --------------------------------------------------------------------------------------------------------


def test_rolling_means_weigh_the_newest_most_and_fall_back() -> None:
    rolling = Rolling((lambda each: each.user, lambda each: each.accelerators), 0.5)
    assert rolling.predict(job("x", 0.0, 1.0)) is None
    rolling.learn(job("a", 0.0, 1.0, user="u"), 10.0)
    rolling.learn(job("b", 0.0, 1.0, user="u"), 40.0)
    assert rolling.predict(job("x", 0.0, 1.0, 2.0, user="u")) == pytest.approx((10.0 * 0.5 + 40.0) / 1.5)
    assert rolling.predict(job("x", 0.0, 1.0, user="v")) == pytest.approx(30.0)
    assert rolling.predict(job("x", 0.0, 1.0, 2.0, user="v")) is None
    last = LastOnes(lambda each: each.user, 2)
    last.learn(job("a", 0.0, 1.0), 10.0)
    assert last.predict(job("x", 0.0, 1.0)) is None


def test_qssf_puts_users_of_short_jobs_first_and_knows_no_durations() -> None:
    past = [job("p", 0.0, 10.0, user="quick"), job("q", 0.0, 40.0, 2.0, user="slow"), job("r", 0.0, 50.0)]
    waiting = [
        job("liar", 42.0, 5.0, 4.0, user="slow", estimate=1.0),
        job("wide", 42.5, 900.0, 4.0, user="quick"),
        job("slim", 43.0, 900.0, 3.0, user="quick"),
    ]
    blocker = job("blocker", 0.0, 60.0, 4.0, user="z")
    replay([*past, blocker, *waiting], "qssf", topology=8, until=5000.0)
    assert [each.start for each in waiting][1:] == [50.0, 60.0] or waiting[2].start < waiting[0].start
    assert waiting[1].start < waiting[0].start


# -- fair shares ----------------------------------------------------------------------------------------------------


def test_classic_factors_are_those_of_the_formula() -> None:
    usage = {("a", "1"): 30.0, ("a", "2"): 10.0, ("b", "3"): 60.0}
    factors = classic(usage, {"a": 3.0}, 1.0)
    # S: a has 3/4, halved; effective usage: own part and half of what the account used beyond it
    assert factors["a", "1"] == pytest.approx(2 ** -((0.3 + (0.4 - 0.3) / 2) / 0.375))
    assert factors["a", "2"] == pytest.approx(2 ** -((0.1 + (0.4 - 0.1) / 2) / 0.375))
    assert factors["b", "3"] == pytest.approx(2 ** -(0.6 / 0.25))
    assert classic(usage, {"a": 3.0}, 4.0)["b", "3"] == pytest.approx(2 ** -(0.6 / 0.25 / 4))
    assert set(classic(dict.fromkeys(usage, 0.0), {}, 1.0).values()) == {1.0}


def test_fair_tree_ranks_tenants_before_users() -> None:
    usage = {("a", "1"): 1.0, ("a", "2"): 60.0, ("b", "3"): 20.0, ("b", "4"): 20.0, ("c", "5"): 0.0}
    factors = fair_tree(usage, {})
    assert factors == {("c", "5"): 1.0, ("b", "3"): 0.8, ("b", "4"): 0.8, ("a", "1"): 0.4, ("a", "2"): 0.2}
    assert fair_tree(usage, {"a": 10.0})["a", "1"] == 0.8


def test_shares_decide_who_goes_first_and_old_use_is_forgotten() -> None:
    def order(half_life: float) -> list[str]:
        past = [job("p", 0.0, 100.0, 4.0, tenant="a"), job("q", 1000.0, 40.0, 4.0, tenant="b")]
        waiting = [job("w-a", 1010.0, 10.0, 4.0, tenant="a"), job("w-b", 1009.0, 10.0, 4.0, tenant="b")]
        policy = {"kind": "fair-share", "half_life": half_life, "period": 5.0}
        replay([*past, *waiting], Composed(policy), topology=4)
        return [each.id for each in sorted(waiting, key=lambda each: each.start)]

    assert order(0.0) == ["w-b", "w-a"]
    assert order(100.0) == ["w-a", "w-b"]


def test_fair_share_finds_the_same_whoever_looks() -> None:
    policy = orders.get("fair-share")()
    names: list[list[str]] = []

    class Look:
        name = "look"

        def reset(self, rng: Any) -> None:
            policy.reset(rng)

        def on_submit(self, each: Any) -> None:
            policy.on_submit(each)

        def on_finish(self, each: Any) -> None:
            policy.on_finish(each)

        def schedule(self, view: Any) -> Any:
            found = list(policy.waiting(view))
            rank = policy.rank(view)
            assert found == sorted(view.queue, key=rank)
            for after in (None, *found[:3]):
                small = policy.fitting(view, lambda size: math.inf if size < 3 else -math.inf, after)
                behind = found if after is None else found[found.index(after) + 1 :]
                assert list(small) == [each for each in behind if each.accelerators < 3]
            names.append([each.id for each in found])
            return Composed(policy).schedule(view)

    jobs = [job(f"{i}", float(i), 7.0 + i % 5, 1.0 + i % 4, tenant="ab"[i % 2], user=f"{i % 3}") for i in range(40)]
    replay(jobs, Look(), topology=4)
    assert max(map(len, names)) > 5


def test_multifactor_adds_up() -> None:
    policy = orders.get("multifactor")(
        age=10.0, fair_share=0.0, job_size=100.0, partition=1.0, qos=1000.0, max_age=20.0, partitions={"slow": 0.25}
    )
    policy._now, policy._capacity = 15.0, 8.0
    each = job("a", 5.0, 10.0, 2.0, partition="slow", priority=0.5)
    assert policy.priority(each) == pytest.approx(10.0 * 0.5 + 100.0 * 0.25 + 0.25 + 500.0)
    waiting = [job("small", 1.0, 5.0, 3.0), job("large", 2.0, 5.0, 4.0)]
    assert sequence({"kind": "multifactor", "job_size": 1000.0}, waiting) == ["large", "small"]
    waiting = [job("small", 1.0, 5.0, 3.0), job("large", 2.0, 5.0, 4.0)]
    assert sequence({"kind": "multifactor", "job_size": 1000.0, "favor_small": True}, waiting) == ["small", "large"]


def test_wfq_serves_tenants_by_weight() -> None:
    waiting = [job(f"a{i}", 1.0, 10.0, 4.0, tenant="a") for i in range(6)]
    waiting += [job(f"b{i}", 1.0, 10.0, 4.0, tenant="b") for i in range(6)]
    order = sequence({"kind": "wfq", "weights": {"b": 2.0}}, waiting)
    assert order == ["a0", "b0", "b1", "a1", "b2", "b3", "a2", "b4", "b5", "a3", "a4", "a5"]


def test_wfq_gives_no_credit_for_having_been_away() -> None:
    jobs = [job(f"a{i}", 0.0, 10.0, 4.0, tenant="a") for i in range(10)]
    jobs += [job(f"b{i}", 45.0, 10.0, 4.0, tenant="b") for i in range(3)]
    replay(jobs, "wfq", topology=4)
    assert [each.start for each in jobs[10:]] == [60.0, 80.0, 100.0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"period": 0.0}, r"^period is 0 s; it must be a finite number above 0$"),
        ({"dampening": 0.0}, r"^dampening is 0; it must be a finite number above 0$"),
        ({"half_life": -1.0}, r"^half_life is -1 s; it must be a finite number, 0 or more \(0: no decay\)$"),
        ({"shares": {"a": 0.0}}, r"^shares of 'a' is 0\.0; it must be a finite number above 0$"),
        ({"algorithm": "tree"}, r"^algorithm: 'tree' is not a choice"),
    ],
)
def test_factors_want_sense(options: dict[str, Any], text: str) -> None:
    good = {"shares": {}, "algorithm": "fair-tree", "half_life": 1.0, "period": 1.0, "dampening": 1.0}
    with pytest.raises(Exception, match=text):
        Factors(**(good | options))
