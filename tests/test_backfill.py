"""Ways of backfilling: conservative against second-by-second gaps, estimates, and what each lets pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.stepped_pool import conservative

from simulator.core.errors import InputError
from simulator.policies.api import Action, ClusterView
from simulator.policies.backfill import backfills
from simulator.policies.backfill.conservative import Conservative
from simulator.policies.backfill.easy import Easy
from simulator.policies.backfill.fill import Fill
from simulator.policies.composed import Composed
from simulator.policies.estimates import Predicted, make_estimates
from simulator.policies.order import Order
from simulator.policies.profile import Profile
from simulator.testing import replay
from simulator.workload.jobs import BatchJob


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def starts(jobs: list[BatchJob], policy: Any, accelerators: int, **options: Any) -> list[float]:
    replay(jobs, policy, topology=accelerators, **options)
    return [each.start for each in jobs]


# -- conservative ---------------------------------------------------------------------------------------------------

rows = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(1, 5), st.integers(0, 8)), min_size=1, max_size=20
)


@settings(max_examples=300)
@given(rows, st.integers(2, 5))
def test_with_exact_estimates_each_job_has_the_first_gap_that_the_ones_before_leave(
    drawn: list[tuple[int, ...]], accelerators: int
) -> None:
    told = sorted((a, b, min(c, accelerators)) for a, b, c, _ in drawn)
    jobs = [job(f"{i}", float(a), float(b), float(c)) for i, (a, b, c) in enumerate(told)]
    assert starts(jobs, "conservative-backfill", accelerators) == conservative(accelerators, told)


class Promising(Conservative):
    """Notes the first reservation of each job."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.promises: dict[str, float] = {}

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        yield from super().fill(view, order)
        for each, slot in self.plan.items():
            self.promises.setdefault(each.id, slot[0])


@settings(max_examples=300)
@given(rows, st.integers(2, 5), st.sampled_from(["fifo", "sjf", "widest"]))
def test_nobody_starts_later_than_first_promised_when_jobs_end_early(
    drawn: list[tuple[int, ...]], accelerators: int, order: str
) -> None:
    """Estimates are 0 to 8 s too long."""
    jobs = [
        job(f"{i}", float(a), float(b), float(min(c, accelerators)), estimate=float(b + over))
        for i, (a, b, c, over) in enumerate(drawn)
    ]
    policy = Promising()
    replay(jobs, Composed(order, policy), topology=accelerators)
    assert policy.promises or len(jobs) < 3 or all(each.waited == 0 for each in jobs)
    late = {each.id: each.start for each in jobs if each.start > policy.promises.get(each.id, math.inf)}
    assert late == {}


@settings(max_examples=100)
@given(rows, st.integers(2, 5), st.integers(0, 3), st.booleans())
def test_every_job_runs_whatever_the_estimates(
    drawn: list[tuple[int, ...]], accelerators: int, depth: int, short: bool
) -> None:
    jobs = [
        job(f"{i}", float(a), float(b), float(min(c, accelerators)), estimate=max(0.0, b + (-over if short else over)))
        for i, (a, b, c, over) in enumerate(drawn)
    ]
    replay(jobs, Composed("fifo", Conservative(depth)), topology=accelerators)
    assert not any(math.isnan(each.end) for each in jobs)


def test_conservative_protects_the_second_in_line_and_easy_does_not() -> None:
    def jobs() -> list[BatchJob]:
        return [
            job("runs", 0.0, 10.0, 2.0),
            job("head", 1.0, 10.0, 3.0),  # from 10 s
            job("second", 2.0, 10.0, 4.0),  # from 20 s
            job("long", 3.0, 25.0, 1.0),  # beside the head, but would hold the second up
        ]

    assert starts(jobs(), "easy-backfill", 4) == [0.0, 10.0, 28.0, 3.0]
    assert starts(jobs(), "conservative-backfill", 4) == [0.0, 10.0, 20.0, 30.0]


def test_reservations_move_up_when_a_job_ends_early() -> None:
    jobs = [
        job("early", 0.0, 5.0, 4.0, estimate=50.0),
        job("wide", 1.0, 10.0, 4.0),
        job("next", 2.0, 10.0, 4.0),
    ]
    assert starts(jobs, "conservative-backfill", 4) == [0.0, 5.0, 15.0]


def test_depth_leaves_the_rest_without_a_chance() -> None:
    def jobs() -> list[BatchJob]:
        wide = [job(f"wide-{i}", 1.0, 10.0, 4.0) for i in range(3)]
        return [job("runs", 0.0, 10.0, 3.0), *wide, job("fits", 2.0, 5.0, 1.0)]

    assert starts(jobs(), Composed("fifo", Conservative(depth=3)), 4)[-1] > 10.0
    assert starts(jobs(), Composed("fifo", Conservative(depth=4)), 4)[-1] == 2.0


def test_a_stopped_job_upsets_the_plan_and_all_run() -> None:
    jobs = [
        job("low", 0.0, 20.0, 3.0),
        job("waits", 2.0, 10.0, 3.0),
        job("high", 5.0, 5.0, 4.0, priority=1.0),
        job("slim", 6.0, 30.0, 1.0),
    ]
    assert starts(jobs, Composed("priority", "conservative", preempt=True), 4) == [0.0, 25.0, 5.0, 10.0]
    assert [each.preemptions for each in jobs] == [1, 0, 0, 0]
    assert [each.end for each in jobs] == [25.0, 35.0, 10.0, 40.0]


# -- the profile ----------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10), st.integers(1, 3)), max_size=12),
    st.tuples(st.integers(1, 4), st.integers(1, 10), st.integers(0, 20)),
)
def test_the_profile_finds_the_gap_that_a_list_of_seconds_shows(
    taken: list[tuple[int, int, int]], asked: tuple[int, int, int]
) -> None:
    profile, free = Profile(0.0, 4.0), [4] * 100
    for begin, length, size in taken:
        if min(free[begin : begin + length]) >= size:
            profile.take(float(begin), float(begin + length), float(size))
            free[begin : begin + length] = [each - size for each in free[begin : begin + length]]
    size, length, begin = asked
    fits = next(at for at in range(begin, 100) if min(free[at : at + length]) >= size)
    assert profile.earliest(float(size), float(length), float(begin)) == fits
    assert [profile.free_at(float(at)) for at in range(90)] == free[:90]
    for begin, length, size in taken:
        profile.give(float(begin), float(begin + length), float(size))
        profile.take(float(begin), float(begin + length), float(size))
    assert [profile.free_at(float(at)) for at in range(90)] == free[:90]


def test_a_profile_forgets_the_past_and_knows_what_never_fits() -> None:
    profile = Profile(0.0, 4.0)
    profile.take(1.0, 2.0, 4.0)
    profile.take(5.0, math.inf, 3.0)
    assert len(profile) == 4
    profile.forget(3.0)
    assert len(profile) == 2
    assert profile.earliest(2.0, 1.0, 3.0) == 3.0
    assert profile.earliest(2.0, 3.0, 3.0) == math.inf


# -- greedy and none ------------------------------------------------------------------------------------------------


def test_fill_lets_anyone_pass_and_starves_the_wide() -> None:
    def jobs() -> list[BatchJob]:
        return [job("runs", 0.0, 10.0, 3.0), job("wide", 1.0, 5.0, 4.0), job("slim", 2.0, 30.0, 1.0)]

    assert starts(jobs(), Composed("fifo", "none"), 4) == [0.0, 10.0, 15.0]
    assert starts(jobs(), Composed("fifo", "fill"), 4) == [0.0, 32.0, 2.0]
    assert starts(jobs(), Composed("fifo", Fill(depth=1)), 4) == [0.0, 32.0, 2.0]


@given(rows, st.integers(2, 5))
def test_fill_leaves_nothing_free_that_a_waiting_job_could_use(drawn: list[tuple[int, ...]], accelerators: int) -> None:
    class Watching(Fill):
        def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
            yield from super().fill(view, order)
            assert all(each.accelerators > view.free for each in view.queue)

    jobs = [job(f"{i}", float(a), float(b), float(min(c, accelerators))) for i, (a, b, c, _) in enumerate(drawn)]
    replay(jobs, Composed("sjf", Watching()), topology=accelerators)


@pytest.mark.parametrize("name", ["fill", "easy", "conservative"])
def test_a_depth_below_0_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^depth is -1; it must be 0 \(no limit\) or more$"):
        backfills.get(name)(depth=-1)


# -- estimates ------------------------------------------------------------------------------------------------------


def lied() -> list[BatchJob]:
    return [
        job("runs", 0.0, 10.0, 3.0, estimate=100.0),
        job("head", 1.0, 5.0, 4.0),
        job("fits", 2.0, 8.0, 1.0, estimate=200.0),
    ]


def test_estimates_may_be_the_users_or_the_truth() -> None:
    assert starts(lied(), Composed("fifo", Easy(estimates="user")), 4) == [0.0, 10.0, 15.0]
    assert starts(lied(), Composed("fifo", Easy(estimates="exact")), 4) == [0.0, 10.0, 2.0]
    with pytest.raises(InputError, match=r"^estimates: 'exakt' is not a choice\. Did you mean 'exact'\?"):
        make_estimates("exakt")


def test_predictions_are_the_mean_of_the_users_last_two_jobs() -> None:
    predicted = Predicted()
    for number, seconds in enumerate((10.0, 30.0, 50.0)):
        each = job(f"{number}", 0.0, seconds, user="u", estimate=500.0)
        predicted.on_submit(each)
        assert predicted.of(each) == (500.0 if number < 2 else 20.0)
        replay([each], topology=4)
        predicted.on_finish(each)
    new, other, limited = (
        job("new", 0.0, 9.0, user="u"),
        job("o", 0.0, 9.0, user="v", estimate=7.0),
        job("l", 0.0, 9.0, user="u", limit=15.0),
    )
    for each in (new, other, limited):
        predicted.on_submit(each)
    assert [predicted.of(each) for each in (new, other, limited)] == [40.0, 7.0, 15.0]


def test_a_prediction_that_is_exceeded_is_moved_on() -> None:
    ends: list[tuple[float, float]] = []

    class Watching(Easy):
        def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
            for each in self.estimates.soonest(view):
                if each.id == "long":
                    ends.append((view.now, view.now + self.estimates.remaining(view, each)))
            yield from super().fill(view, order)

    jobs = [job(f"{i}", 0.0, 10.0, user="u") for i in range(2)]
    jobs += [job("long", 10.0, 5000.0, user="u"), job("wide", 11.0, 1.0, 4.0, user="v")]
    jobs += [job(f"poke-{at}", at, 1.0, 4.0, user="w") for at in (25.0, 100.0, 400.0)]
    replay(jobs, Composed("fifo", Watching(estimates="predicted")), topology=4)
    assert [pair for pair in ends if pair[0] in (11.0, 25.0, 100.0, 400.0)] == [
        (11.0, 20.0),
        (25.0, 80.0),  # + 1 min
        (100.0, 380.0),  # + 5 min
        (400.0, 1280.0),  # + 15 min
    ]


@pytest.mark.parametrize("name", ["easy", "conservative"])
def test_the_report_says_when_run_times_were_known(name: str) -> None:
    def notes(jobs: list[BatchJob], **options: Any) -> list[str]:
        policy = Composed("fifo", {"kind": name, **options})
        replay(jobs, policy, topology=4)
        return policy.notes()

    exact = [job("a", 0.0, 5.0), job("b", 1.0, 5.0, estimate=9.0)]
    assert notes(exact) == [
        f"Backfilling ({name}) knew how long 1 of 2 jobs would run: they have no estimates of their own, or exact "
        "ones. With estimates as users make them waits are others."
    ]
    assert notes(lied()[:1]) == []
    assert notes(lied(), estimates="exact") == [
        f"Backfilling ({name}) was told how long every job would run: estimates are exact."
    ]
    assert notes(lied(), estimates="predicted") == []
