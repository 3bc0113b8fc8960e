"""When a scheduler is asked though nothing happened: interval, wake, and ``always``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from simulator.core.errors import PolicyError
from simulator.policies.api import Action, ClusterView, Start
from simulator.runtime import ticks
from simulator.testing import replay
from simulator.testing.situations import job
from simulator.workload.jobs import State


class Alarm:
    """Starts what fits once its time has come; notes when it is asked."""

    def __init__(self, *times: float, always: bool = False, opens: float = 0.0) -> None:
        self.times = list(times)
        self.always = always
        self.opens = opens
        self.wake = math.inf
        self.asked: list[float] = []

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.asked.append(view.now)
        self.wake = min((time for time in self.times if time > view.now), default=math.inf)
        if view.now >= self.opens:
            yield from (Start(each) for each in view.queue if each.accelerators <= view.free)


def test_it_is_asked_exactly_at_the_times_it_names() -> None:
    alarm = Alarm(2.5, 7.25, 9.0, opens=9.0)
    one = job("one", 1.0, 3.0, 1.0)
    replay([one], alarm)
    assert alarm.asked == [1.0, 2.5, 7.25, 9.0]
    assert one.start == 9.0


def test_what_happens_in_between_moves_the_time() -> None:
    """The wake is read after each pass: one that is named no more does not come."""

    class Later(Alarm):
        def schedule(self, view: ClusterView) -> Iterator[Action]:
            yield from super().schedule(view)
            self.wake = view.now + 5.0

    later = Later(opens=9.0)
    replay([job("a", 0.0, 1.0, 1.0), job("b", 3.0, 1.0, 1.0)], later)
    assert later.asked == [0.0, 3.0, 8.0, 13.0]


def test_an_earlier_wake_replaces_a_later_one() -> None:
    class Nearer(Alarm):
        def schedule(self, view: ClusterView) -> Iterator[Action]:
            yield from super().schedule(view)
            self.wake = 50.0 if view.now < 3.0 else 4.0

    nearer = Nearer(opens=4.0)
    replay([job("a", 0.0, 1.0, 1.0), job("b", 3.0, 1.0, 1.0)], nearer)
    assert nearer.asked == [0.0, 3.0, 4.0]


def test_a_wake_that_has_passed_or_is_infinite_wakes_nobody() -> None:
    class Fixed:
        def __init__(self, wake: float) -> None:
            self.wake = wake
            self.asked: list[float] = []

        def schedule(self, view: ClusterView) -> tuple[Action, ...]:
            self.asked.append(view.now)
            return ()

    for wake in (0.0, -3.0, 1.0, math.inf, -math.inf):
        fixed = Fixed(wake)
        replay([job("a", 1.0, 1.0, 1.0)], fixed)
        assert fixed.asked == [1.0]


def test_it_is_not_woken_while_nothing_waits_unless_always() -> None:
    def asked(always: bool) -> Sequence[float]:
        alarm = Alarm(2.0, 4.0, always=always)
        replay([job("a", 0.0, 3.0, 1.0), job("b", 10.0, 1.0, 1.0)], alarm)
        return alarm.asked

    assert asked(False) == [0.0, 10.0]
    assert asked(True) == [0.0, 2.0, 10.0]


class Beat:
    """Ticks every two seconds."""

    interval = 2.0

    def __init__(self, always: bool) -> None:
        self.always = always
        self.ticks: list[float] = []
        self.asked: list[float] = []

    def on_tick(self, now: float) -> None:
        self.ticks.append(now)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.asked.append(view.now)
        yield from (Start(each) for each in view.queue if each.accelerators <= view.free)


def test_always_ticks_while_jobs_run() -> None:
    for always, ticked in ((False, []), (True, [2.0, 4.0, 12.0])):
        beat = Beat(always)
        replay([job("a", 0.0, 5.0, 1.0), job("b", 10.0, 3.0, 1.0)], beat)
        assert beat.ticks == ticked
        assert beat.asked == sorted({0.0, 10.0, *ticked})


def test_both_at_one_instant_are_one_pass() -> None:
    class Both(Alarm):
        interval = 2.0

    both = Both(2.0, 3.0, 4.0, opens=4.0)
    replay([job("a", 0.0, 1.0, 1.0)], both)
    assert both.asked == [0.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("wake", [math.nan, None, "noon"])
def test_a_wake_that_is_no_time_is_the_policys_fault(wake: Any) -> None:
    class Odd:
        def __init__(self) -> None:
            self.wake = wake

        def schedule(self, view: ClusterView) -> tuple[Action, ...]:
            return ()

    with pytest.raises(PolicyError) as caught:
        replay([job("a", 1.0, 1.0, 1.0)], Odd())
    assert str(caught.value) == f"policy Odd at 1 s: wake is {wake!r}; it must be a time in seconds, or infinite"


def test_wakes_that_bring_nothing_forward_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "_PATIENCE", 50)

    class Restless(Alarm):
        def schedule(self, view: ClusterView) -> Iterator[Action]:
            yield from super().schedule(view)
            self.wake = view.now + 1.0

    restless = Restless(opens=math.inf)
    one = job("one", 0.0, 1.0, 1.0)
    replay([one], restless)
    assert one.state is State.UNFINISHED
    assert len(restless.asked) <= 101


def test_a_run_with_a_horizon_is_woken_until_then() -> None:
    alarm = Alarm(2.0, 4.0, 6.0, opens=99.0)
    replay([job("a", 0.0, 1.0, 1.0)], alarm, until=4.0)
    assert alarm.asked == [0.0, 2.0, 4.0]


def test_an_interval_too_short_for_a_run_to_end_is_refused() -> None:
    class Hasty:
        interval = 1e-9

        def schedule(self, view: ClusterView) -> Iterator[Action]:
            return iter(())

    with pytest.raises(PolicyError, match=r"interval is 1e-09 s; it must be at least 0\.001 s, or 0 for none"):
        replay([job("a", 0.0, 1.0, 1.0)], Hasty(), topology=1)
