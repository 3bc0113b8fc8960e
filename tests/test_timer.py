"""Deadlines that move, against a dictionary of deadlines that is searched from end to end."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.clock import Clock
from simulator.core.errors import InvariantError
from simulator.core.timer import _SLACK, Deadlines, Timer

DELAYS = (0.0, 1.0, 1.0, 2.0, 5.0, math.inf)


class Naive:
    """What ``Deadlines`` promises, done plainly: by deadline, then by the last time it was set."""

    def __init__(self) -> None:
        self.deadlines: dict[str, tuple[float, int]] = {}
        self.sets = 0

    def set(self, owner: str, deadline: float) -> None:
        self.sets += 1
        self.deadlines[owner] = (deadline, self.sets)

    def clear(self, owner: str) -> None:
        self.deadlines.pop(owner, None)

    def due(self, until: float) -> list[tuple[float, str]]:
        """Take out, in order, all that is due through ``until``."""
        found = sorted((*key, owner) for owner, key in self.deadlines.items() if key[0] <= until)
        for _, _, owner in found:
            del self.deadlines[owner]
        return [(time, owner) for time, _, owner in found]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([*DELAYS, None])), max_size=4),
    ),
    max_size=20,
)


@given(STEPS)
def test_deadlines_come_as_in_a_searched_dictionary(steps: list[tuple[float, list[tuple[str, float | None]]]]) -> None:
    clock, plain = Clock(), Naive()
    rung: list[tuple[float, str]] = []
    expected: list[tuple[float, str]] = []
    deadlines: Deadlines[str] = Deadlines(clock, lambda owner: rung.append((clock.now, owner)))
    for wait, changes in steps:
        now = clock.now + wait
        clock.run(until=now)
        expected += plain.due(now)
        for owner, delay in changes:
            if delay is None:
                deadlines.clear(owner)
                plain.clear(owner)
            else:
                deadlines.set(owner, now + delay)
                plain.set(owner, now + delay)
    clock.run()
    expected += [item for item in plain.due(math.inf) if item[0] < math.inf]
    assert rung == expected


@given(STEPS)
def test_one_timer_comes_as_its_last_setting_said(steps: list[tuple[float, list[tuple[str, float | None]]]]) -> None:
    clock, plain = Clock(), Naive()
    rung: list[float] = []
    expected: list[float] = []
    timer = Timer(clock, lambda: rung.append(clock.now))
    for wait, changes in steps:
        now = clock.now + wait
        clock.run(until=now)
        expected += [time for time, _ in plain.due(now)]
        for _, delay in changes:
            deadline = math.inf if delay is None else now + delay
            timer.set(deadline)
            plain.set("timer", deadline)
    clock.run()
    expected += [time for time, _ in plain.due(math.inf) if time < math.inf]
    assert rung == expected


def test_equal_deadlines_come_in_the_order_of_setting_even_when_one_was_put_off() -> None:
    """A deadline that was put off is pushed again late; it was set first, so it comes first."""
    clock, rung = Clock(), []
    deadlines: Deadlines[str] = Deadlines(clock, rung.append)
    deadlines.set("a", 1.0)
    deadlines.set("a", 5.0)
    deadlines.set("b", 5.0)
    clock.run()
    assert rung == ["a", "b"]


def test_a_deadline_set_from_a_deadline_at_the_same_instant_comes_too() -> None:
    clock, rung = Clock(), []

    def due(owner: str) -> None:
        rung.append((clock.now, owner))
        if len(rung) < 3:
            deadlines.set("next", clock.now)
            deadlines.set("later", clock.now + 1.0)

    deadlines: Deadlines[str] = Deadlines(clock, due)
    deadlines.set("first", 2.0)
    clock.run()
    assert rung == [(2.0, "first"), (2.0, "next"), (2.0, "next"), (3.0, "later")]


@pytest.mark.parametrize("deadline", [math.nan, 1.0])
def test_deadlines_that_are_none_are_refused(deadline: float) -> None:
    """NaN compares false with everything: unchecked it would be lost without a word."""
    clock = Clock()
    clock.run(until=2.0)
    with pytest.raises(InvariantError):
        Timer(clock, print).set(deadline)
    with pytest.raises(InvariantError):
        Deadlines(clock, print).set("a", deadline)


def test_clearing_what_is_not_there_is_fine() -> None:
    deadlines: Deadlines[str] = Deadlines(Clock(), print)
    deadlines.clear("a")


def test_a_timer_can_be_taken_away_and_set_anew() -> None:
    clock, rung = Clock(), []
    timer = Timer(clock, lambda: rung.append(clock.now))
    timer.set(1.0)
    timer.set(math.inf)
    clock.run(until=2.0)
    timer.set(3.0)
    clock.run()
    assert rung == [3.0]


def test_putting_off_costs_no_event() -> None:
    clock = Clock()
    timer = Timer(clock, lambda: None)
    for step in range(1000):
        timer.set(10.0 + step)
    assert len(clock._environment._queue) == 1


def test_moving_deadlines_forward_again_and_again_keeps_the_heap_small() -> None:
    """A thousand owners, each drawn nearer a hundred times: outdated pushes are thrown out on the way."""
    clock, rung = Clock(), []
    deadlines: Deadlines[int] = Deadlines(clock, rung.append)
    for step in range(100):
        for owner in range(1000):
            deadlines.set(owner, 1e6 - step - owner / 1e4)
    assert len(deadlines._heap) <= 2 * 1000 + _SLACK + 1
    clock.run()
    assert rung == list(range(999, -1, -1))
