"""JobSet against sorted lists, and loops that live through changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simulator.runtime.jobset import JobSet
from simulator.workload.jobs import BatchJob, Job


def job(sequence: int, estimate: float = 0.0, priority: float = 0.0) -> BatchJob:
    made = BatchJob(
        id=f"job-{sequence}",
        submit=0.0,
        accelerators=float(sequence % 5),
        duration=1.0,
        estimate=estimate,
        priority=priority,
    )
    made.sequence = sequence
    return made


def short(each: Job) -> float:
    return each.estimate


def width(each: Job) -> float:
    return each.accelerators


def urgent(each: Job) -> Any:
    return (-each.priority, each.estimate)


KEYS: list[Callable[[Job], Any]] = [short, urgent, lambda each: each.id, *(lambda each, k=k: k for k in range(8))]


class Model(RuleBasedStateMachine):
    """Adds and removes at random, and compares every order with a freshly sorted list; loops run on meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.set = JobSet()
        self.jobs: list[Job] = []
        self.gone: list[Job] = []
        self.loops: list[tuple[Iterator[Job], list[Job]]] = []
        self.made = 0

    @rule(estimate=st.integers(0, 3), priority=st.integers(0, 2), count=st.integers(1, 12))
    def add(self, estimate: int, priority: int, count: int) -> None:
        for _ in range(count):
            self.made += 1
            self.put(job(self.made, float(estimate), float(priority)))

    @rule(index=st.integers(0, 99), estimate=st.integers(0, 3))
    def add_again(self, index: int, estimate: int) -> None:
        if self.gone:
            back = self.gone.pop(index % len(self.gone))
            if not any(back in left for _, left in self.loops):
                back.estimate = float(estimate)
                self.put(back)

    def put(self, each: Job) -> None:
        self.set.add(each)
        self.jobs.append(each)

    @rule(index=st.integers(0, 99), count=st.integers(1, 12))
    def remove(self, index: int, count: int) -> None:
        for _ in range(min(count, len(self.jobs))):
            each = self.jobs.pop(index % len(self.jobs))
            self.set.remove(each)
            self.gone.append(each)

    @rule(key=st.sampled_from(KEYS))
    def sorted_order(self, key: Callable[[Job], Any]) -> None:
        assert list(self.set.by(key)) == sorted(self.jobs, key=lambda each: (key(each), each.sequence))

    @rule(key=st.sampled_from(KEYS))
    def backwards(self, key: Callable[[Job], Any]) -> None:
        expected = sorted(self.jobs, key=lambda each: (key(each), each.sequence), reverse=True)
        found = list(self.set.by(key, backwards=True))
        assert found == expected or len(found) < 2

    @rule(
        key=st.sampled_from(KEYS[:4]),
        longest=st.integers(-1, 3),
        widest=st.integers(0, 4),
        after=st.none() | st.integers(0, 99),
        use_length=st.booleans(),
    )
    def those_that_fit(
        self, key: Callable[[Job], Any], longest: int, widest: int, after: int | None, use_length: bool
    ) -> None:
        ordered = sorted(self.jobs, key=lambda each: (key(each), each.sequence))
        start = ordered[after % len(ordered)] if after is not None and ordered else None
        behind = ordered if start is None else ordered[ordered.index(start) + 1 :]

        def limit(size: float) -> float:
            return float(longest) if size <= widest else -math.inf

        length = short if use_length else None
        found = list(self.set.fitting(key, limit, start, length))
        assert found == [
            each for each in behind if each.accelerators <= widest and (each.estimate if use_length else 0.0) <= longest
        ]

    @rule(index=st.integers(0, 99), estimate=st.integers(0, 3), every=st.booleans())
    def change(self, index: int, estimate: int, every: bool) -> None:
        if self.jobs and not self.loops:
            each = self.jobs[index % len(self.jobs)]
            each.estimate = float(estimate)
            self.set.again(None if every else each)

    @rule(key=st.sampled_from(KEYS[:2]))
    def parts(self, key: Callable[[Job], Any]) -> None:
        found = self.set.split(width)
        assert sum(map(len, found.values())) == len(self.jobs)
        for size, part in found.items():
            expected = [each for each in self.jobs if each.accelerators == size]
            assert list(part.by(key)) == sorted(expected, key=lambda each: (key(each), each.sequence))

    @rule(key=st.none() | st.sampled_from(KEYS), started=st.integers(1, 3))
    def begin_loop(self, key: Callable[[Job], Any] | None, started: int) -> None:
        expected = self.jobs if key is None else sorted(self.jobs, key=lambda each: (key(each), each.sequence))
        loop = iter(self.set) if key is None else self.set.by(key)
        assert [next(loop, None) for _ in range(started)][: len(expected)] == expected[:started]
        self.loops.append((loop, list(expected[started:])))

    @rule()
    def end_loops(self) -> None:
        for loop, left in self.loops:
            assert list(loop) == [each for each in left if each in self.jobs]
        self.loops.clear()

    @invariant()
    def same(self) -> None:
        assert list(self.set) == self.jobs
        assert len(self.set) == len(self.jobs)
        assert self.set.accelerators == sum(each.accelerators for each in self.jobs)
        assert all(each in self.set for each in self.jobs)
        assert not any(each in self.set for each in self.gone)


TestModel = Model.TestCase


def test_loop_may_remove_what_it_sees_and_what_comes_later() -> None:
    jobs = JobSet()
    made = [job(number, estimate=9.0 - number) for number in range(10)]
    for each in made:
        jobs.add(each)
    seen = []
    for each in jobs.by(short):
        seen.append(each.sequence)
        jobs.remove(each)
        if each.sequence == 9:
            jobs.remove(made[8])
            jobs.add(job(99, estimate=-1.0))
    assert seen == [9, 7, 6, 5, 4, 3, 2, 1, 0]
    assert [each.sequence for each in jobs] == [99]


def test_jobs_added_in_this_pass_are_in_the_next_loop_of_the_same_pass() -> None:
    jobs = JobSet()
    jobs.add(job(0, estimate=5.0))
    outer = jobs.by(short)
    assert next(outer).sequence == 0
    jobs.add(job(1, estimate=3.0))
    assert [each.sequence for each in jobs.by(short)] == [1, 0]
    assert list(outer) == []


def test_key_is_asked_once_for_a_stay_in_the_set_and_only_when_the_order_is_wanted() -> None:
    asked: list[int] = []

    def key(each: Job) -> float:
        asked.append(each.sequence)
        return each.estimate

    jobs = JobSet()
    jobs.add(job(0))
    list(jobs.by(key))
    assert asked == []  # one job is in order anyhow
    jobs.add(job(1))
    list(jobs.by(key))
    assert asked == [0, 1]
    gone = job(2)
    jobs.add(gone)
    jobs.remove(gone)
    jobs.add(job(3))
    for _ in range(3):
        list(jobs.by(key))
    assert asked == [0, 1, 3]


def test_key_that_fails_speaks_when_the_order_is_wanted_not_when_a_job_comes() -> None:
    jobs = JobSet()
    key = lambda each: 1 / each.estimate  # noqa: E731
    jobs.add(job(0, estimate=1.0))
    jobs.add(job(1, estimate=2.0))
    assert [each.sequence for each in jobs.by(key)] == [1, 0]
    jobs.add(job(2, estimate=0.0))
    with pytest.raises(ZeroDivisionError):
        jobs.by(key)


@pytest.mark.parametrize("keys", [1, 9, 40])
def test_orders_that_fall_out_of_use_still_end_well(keys: int) -> None:
    jobs = JobSet()
    for number in range(20):
        jobs.add(job(number, estimate=float(number % 3)))
    first = jobs.by(short)
    next(first)
    others = [jobs.by(lambda each, k=k: (k * each.sequence) % 7) for k in range(keys)]
    for each in list(jobs)[:10]:
        jobs.remove(each)
    assert {each.sequence for each in first} == {each.sequence for each in jobs} - {0}
    for other in others:
        assert {each.sequence for each in other} == {each.sequence for each in jobs}


def test_a_long_queue_does_not_pile_up_gaps() -> None:
    jobs = JobSet()
    waiting = []
    for number in range(20_000):
        fresh = job(number, estimate=float(number))
        jobs.add(fresh)
        waiting.append(fresh)
        first = next(jobs.by(short))
        assert first is waiting[0]
        if number % 2:
            jobs.remove(waiting.pop(0))
            jobs.remove(waiting.pop(0))
    order = next(iter(jobs._orders.values()))
    assert len(order._items) <= 2 * len(order.entry) + 65


def test_among_many_that_do_not_fit_the_one_that_does_is_found() -> None:
    """Blocks are skipped, split and cleared: all that come and go in between leave the order as it is."""
    jobs = JobSet()
    made = [job(5 * number + 4, estimate=float(100 - number % 90)) for number in range(1000)]
    for each in made:
        jobs.add(each)

    def found(longest: float) -> list[int]:
        return [each.sequence for each in jobs.fitting(by_sequence, lambda size: longest, None, short)]

    for longest in (11.0, 50.0, 99.0):
        assert found(longest) == [each.sequence for each in made if each.estimate <= longest]
    for each in made[::3]:
        jobs.remove(each)
    left = [each for number, each in enumerate(made) if number % 3]
    assert found(12.0) == [each.sequence for each in left if each.estimate <= 12.0]
    for each in left[:500]:
        jobs.remove(each)
    assert found(1000.0) == [each.sequence for each in left[500:]]
    assert found(-math.inf) == []


def by_sequence(each: Job) -> int:
    return each.sequence


def test_a_limit_may_fall_while_the_loop_goes_on() -> None:
    jobs = JobSet()
    for number in range(20):
        jobs.add(job(number, estimate=float(number % 4)))
    most = [math.inf]
    seen = []
    for each in jobs.fitting(by_sequence, lambda size: most[0], None, short):
        seen.append(each.sequence)
        if each.sequence == 6:
            most[0] = 0.0
    assert seen == [0, 1, 2, 3, 4, 5, 6, 8, 12, 16]
