"""Iterations in a row in closed form, and what cuts them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.core.clock import Clock
from simulator.runtime.serving.rank import Parked
from simulator.runtime.serving.replica import Replica
from simulator.runtime.serving.stretch import Stretch
from simulator.workload.requests import Request
from tests.serving_world import Linear, replicas, service

seconds = st.floats(1e-6, 10.0)


def ends(stretch: Stretch) -> list[float]:
    """When each iteration is over, one after the other."""
    times, now = [], stretch.start
    for number in range(stretch.count):
        now += stretch.first + stretch.growth * number
        times.append(now)
    return times


@given(start=st.floats(0, 1e6), count=st.integers(1, 300), first=seconds, growth=st.floats(0, 0.1))
def test_the_moment_of_an_iteration_is_the_sum_of_those_before(
    start: float, count: int, first: float, growth: float
) -> None:
    stretch = Stretch(start, count, first, growth)
    assert [stretch.moment(k + 1) for k in range(count)] == pytest.approx(ends(stretch), rel=1e-12)
    assert stretch.moment(0) == start


@given(
    start=st.sampled_from([0.0, 0.1, 1e3, 1e7]), count=st.integers(1, 400), first=seconds, data=st.data(),
    growth=st.one_of(st.just(0.0), st.floats(1e-18, 1e-12), st.floats(1e-9, 0.1)),
)  # fmt: skip
def test_boundaries_are_those_that_a_search_finds(
    start: float, count: int, first: float, growth: float, data: st.DataObject
) -> None:
    stretch = Stretch(start, count, first, growth)
    last = stretch.moment(count)
    at = st.one_of(st.floats(start, last), st.integers(0, count).map(stretch.moment))
    near = st.sampled_from([0.0, -math.inf, math.inf])
    time = data.draw(at)
    time = min(last, max(start, math.nextafter(time, data.draw(near))))
    assert stretch.boundary(time) == next(k for k in range(1, count + 2) if stretch.moment(k) >= time)
    assert stretch.over(time) == max(k for k in range(count + 1) if k == 0 or stretch.moment(k) <= time)


@given(first=seconds, growth=st.floats(0, 1e-3), count=st.integers(1, 1 << 40))
@example(first=1e-3, growth=0.0, count=1 << 40)
@example(first=1e-3, growth=1e-17, count=1 << 40)
def test_the_longest_of_them_have_boundaries_too(first: float, growth: float, count: int) -> None:
    stretch = Stretch(5.0, count, first, growth)
    middle = (5.0 + stretch.moment(count)) / 2
    found = stretch.boundary(middle)
    assert stretch.moment(found) >= middle
    assert found == 1 or stretch.moment(found - 1) < middle


class Notes:
    """A ledger that keeps what it is told."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.done, self.rows, self.begins = clock, list[tuple[str, float]](), list[Stretch](), 0

    def through(self, replica: Replica, request: Request) -> None:
        self.done.append((request.id, self.clock.now))

    def prompted(self, replica: Replica, request: Request, parked: Parked) -> None:
        raise AssertionError("it decodes here")

    def iterations(self, replica: Replica, stretch: Stretch) -> None:
        self.rows.append(stretch)

    def begun(self, replica: Replica) -> None:
        self.begins += 1

    def freed(self, replica: Replica) -> None:
        """Nobody waits for room."""

    def noted(self, event: str, request: Request) -> None:
        """Nobody wants to know."""


def made(blocks: int = 1000, max_batch: int = 8, time: Linear | None = None) -> tuple[Clock, Replica, Notes]:
    """A replica by itself; iterations take 1 s."""
    clock = Clock()
    notes = Notes(clock)
    pool = replicas(1, blocks, time or Linear(base=1.0))
    replica = Replica(0, service([], pool, max_batch=max_batch), pool.engine(""), 1, clock, notes)
    replica.taking = True
    return clock, replica, notes


def request(name: str, input: int = 4, output: int = 10) -> Request:
    return Request(id=name, arrival=0.0, input=input, output=output)


def counts(notes: Notes) -> list[tuple[float, int, int, int]]:
    return [(row.start, row.count, row.sequences, row.prompt) for row in notes.rows]


def test_without_a_change_all_iterations_are_one_event() -> None:
    clock, replica, notes = made()
    replica.add(request("a"))
    clock.run()
    assert counts(notes) == [(0.0, 1, 0, 4), (1.0, 9, 1, 0)]
    assert (notes.done, notes.begins, replica.busy) == ([("a", 10.0)], 2, 10.0)


def test_an_arrival_cuts_them_at_the_next_boundary() -> None:
    clock, replica, notes = made()
    replica.add(request("a"))
    clock.at(3.5, replica.add, request("b"))
    clock.run()
    assert counts(notes) == [(0.0, 1, 0, 4), (1.0, 3, 1, 0), (4.0, 1, 1, 4), (5.0, 5, 2, 0), (10.0, 4, 1, 0)]
    assert notes.done == [("a", 10.0), ("b", 14.0)]


def test_an_arrival_on_a_boundary_is_let_in_there() -> None:
    clock, replica, notes = made()
    replica.add(request("a"))
    clock.at(3.0, replica.add, request("b"))
    clock.run()
    assert counts(notes)[:3] == [(0.0, 1, 0, 4), (1.0, 2, 1, 0), (3.0, 1, 1, 4)]


def test_who_cannot_be_let_in_cuts_nothing() -> None:
    clock, replica, notes = made(max_batch=1)
    replica.add(request("a"))
    clock.at(3.5, replica.add, request("b"))
    clock.run()
    assert counts(notes) == [(0.0, 1, 0, 4), (1.0, 9, 1, 0), (10.0, 1, 0, 4), (11.0, 9, 1, 0)]


def test_who_gives_up_leaves_at_the_next_boundary_and_its_blocks_with_it() -> None:
    clock, replica, _ = made()
    first, second = request("a", output=30), request("b", output=30)
    replica.add(first)
    replica.add(second)
    clock.at(5.5, replica.give_up, second)
    seen: list[tuple[int, int, int]] = []
    for time in (5.7, 6.1):
        clock.at(time, lambda: seen.append((replica.running, replica.held, second.generated)))
    clock.run(7.0)
    assert seen == [(2, 6, 5), (1, 3, 6)]


def test_who_gives_up_at_the_head_of_the_queue_lets_the_next_one_in() -> None:
    clock, replica, _ = made(blocks=10)
    large, small = request("large", 36, 4), request("small", 4, 2)
    replica.add(request("a", 8, 20))
    clock.at(2.5, replica.add, large)
    clock.at(2.6, replica.add, small)
    clock.at(4.5, replica.give_up, large)
    clock.run()
    assert small.start == 5.0


def test_what_is_held_grows_as_iterations_pass() -> None:
    clock, replica, _ = made()
    replica.add(request("a", 4, 40))
    seen: list[tuple[float, int]] = []
    for time in (0.5, 1.0, 1.5, 4.5, 5.0, 5.5, 9.5):
        clock.at(time, lambda: seen.append((clock.now, replica.held)), phase=2)
    clock.run(20.0)
    assert seen == [(0.5, 1), (1.0, 1), (1.5, 2), (4.5, 2), (5.0, 2), (5.5, 3), (9.5, 4)]


def test_a_stop_in_the_middle_keeps_whole_iterations_and_counts_the_seconds() -> None:
    clock, replica, notes = made()
    asked = request("a")
    replica.add(asked)
    lost: list[list[Request]] = []
    clock.at(4.25, lambda: lost.append(replica.stop()))
    clock.run()
    assert lost == [[asked]]
    assert counts(notes) == [(0.0, 1, 0, 4), (1.0, 3, 1, 0)]
    assert [row.tokens for row in notes.rows] == [1, 3]
    assert (asked.generated, replica.busy, notes.done) == (4, 4.25, [])


def test_a_stop_while_a_prompt_is_computed_keeps_nothing_of_it() -> None:
    clock, replica, notes = made()
    asked = request("a")
    replica.add(asked)
    clock.at(0.25, replica.stop)
    clock.run()
    assert (notes.rows, asked.generated, replica.busy) == ([], 0, 0.25)


def test_busy_seconds_never_fall() -> None:
    clock, replica, _ = made()
    replica.add(request("a"))
    seen: list[float] = []
    for number in range(24):
        clock.at(number / 2, lambda: seen.append(replica.busy_until(clock.now)))
    clock.at(7.75, replica.stop)
    clock.run()
    assert seen == [min(number / 2, 7.75) for number in range(24)]


def test_generated_tokens_are_told_in_the_middle() -> None:
    clock, replica, _ = made()
    asked = request("a")
    replica.add(asked)
    seen: list[int] = []
    for time in (0.5, 1.5, 2.0, 4.5, 9.5):
        clock.at(time, lambda: seen.append(replica.generated(asked)), phase=2)
    clock.run()
    assert seen == [0, 1, 2, 4, 9]
