"""The clock and the traps of SimPy that it owns."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.clock import Clock, Phase, Soon
from simulator.core.errors import InvariantError

TIMES = st.floats(0.0, 1e9, allow_nan=False)


@pytest.mark.parametrize("delay", [math.nan, -1.0, -math.inf, math.inf])
def test_delays_that_are_none_are_refused(delay: float) -> None:
    clock = Clock()
    with pytest.raises(InvariantError, match=r"cannot schedule .* at .* s: the clock shows 0\.0 s"):
        clock.after(delay, print)


def test_the_past_is_refused() -> None:
    clock = Clock()
    clock.at(5.0, lambda: None)
    clock.run()
    with pytest.raises(InvariantError, match=r"cannot schedule .* at 4.0 s: the clock shows 5.0 s"):
        clock.at(4.0, print)


@pytest.mark.parametrize("until", [math.nan, 4.0, -math.inf])
def test_running_into_the_past_is_refused(until: float) -> None:
    """SimPy itself would turn the clock back, or never stop for NaN."""
    clock = Clock()
    clock.run(until=5.0)
    with pytest.raises(InvariantError, match=f"cannot run until {until} s: the clock shows 5.0 s"):
        clock.run(until)
    assert clock.now == 5.0


def test_an_event_at_the_horizon_happens_and_one_after_it_does_not() -> None:
    clock, seen = Clock(), []
    for time in (1.0, 2.0, math.nextafter(2.0, 3.0)):
        clock.at(time, lambda: seen.append(clock.now))
    clock.run(until=2.0)
    assert (seen, clock.now) == ([1.0, 2.0], 2.0)
    clock.run()
    assert seen[2:] == [math.nextafter(2.0, 3.0)]


def test_what_the_horizon_itself_sets_off_still_happens() -> None:
    clock, seen = Clock(), []
    clock.at(2.0, lambda: clock.at(2.0, lambda: seen.append("later that instant"), phase=Phase.SOLVE))
    clock.run(until=2.0)
    assert seen == ["later that instant"]


def test_now_is_the_horizon_even_when_nothing_is_left() -> None:
    clock = Clock()
    clock.run(until=7.0)
    assert clock.now == 7.0
    clock.run()
    assert clock.now == 7.0


@given(TIMES, TIMES)
def test_times_are_absolute_and_exact(first: float, second: float) -> None:
    """``now + (t - now)`` may differ from ``t`` in the last bit; an event at ``t`` sees ``t``."""
    clock, seen = Clock(), []
    early, late = sorted((first, second))
    clock.at(early, lambda: clock.at(late, lambda: seen.append(clock.now)))
    clock.run()
    assert seen == [late]


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 1.5]), st.sampled_from(list(Phase)[:-1])), max_size=20))
def test_order_is_time_then_phase_then_asking(asked: list[tuple[float, Phase]]) -> None:
    clock, seen = Clock(), []
    for index, (time, phase) in enumerate(asked):
        clock.at(time, lambda key=(time, phase, index): seen.append(key), phase=phase)
    clock.run()
    assert seen == sorted(seen)
    assert len(seen) == len(asked)


def test_phases_of_an_instant() -> None:
    assert sorted(Phase, key=int) == [
        Phase.ENDS, Phase.FAILURES, Phase.ARRIVALS, Phase.TICKS, Phase.PASS, Phase.SOLVE, Phase.STOP
    ]  # fmt: skip


def test_an_error_in_a_callback_comes_out_as_it_is() -> None:
    clock = Clock()
    clock.at(1.0, lambda: {}["missing"])
    with pytest.raises(KeyError, match="missing"):
        clock.run()


def test_soon_calls_once_an_instant_and_again_in_the_next() -> None:
    clock, seen = Clock(), []
    soon = Soon(clock, lambda: seen.append(clock.now), Phase.PASS)
    for time in (1.0, 1.0, 2.0):
        clock.at(time, soon)
    clock.run()
    assert seen == [1.0, 2.0]


def test_soon_comes_after_what_else_the_instant_holds() -> None:
    clock, seen = Clock(), []
    soon = Soon(clock, lambda: seen.append("pass"), Phase.PASS)
    clock.at(1.0, soon)
    clock.at(1.0, lambda: seen.append("tick"), phase=Phase.TICKS)
    clock.run()
    assert seen == ["tick", "pass"]


def test_soon_may_be_asked_for_from_its_own_call() -> None:
    clock, seen = Clock(), []

    def work() -> None:
        seen.append(clock.now)
        if len(seen) < 3:
            soon()

    soon = Soon(clock, work, Phase.PASS)
    clock.at(1.0, soon)
    clock.run()
    assert seen == [1.0, 1.0, 1.0]


def test_arguments_are_handed_over() -> None:
    clock, seen = Clock(), []
    clock.after(1.0, seen.append, 3)
    clock.run()
    assert seen == [3]
