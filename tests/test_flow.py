"""Every iteration on the clock: against a plain simulation of jobs on one link, with and without coasting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.clock import Clock
from simulator.runtime.fabric import Fabric
from simulator.runtime.flow import Flow
from simulator.runtime.pattern import Burst, Pattern
from simulator.workload.jobs import Job, TrainingJob
from tests.reference.iterations import Trainer, run

LINK = 10.0


def job(name: str = "j") -> TrainingJob:
    return TrainingJob(id=name, submit=0.0, accelerators=1.0, iterations=1)


def pattern(
    rounds: float, compute: float, size: float, hidden: float = 0.0, latency: float = 0.0, cap: float = math.inf
) -> Pattern:
    own = size / cap
    burst = Burst("dp", (0,), (size,), size, latency, own, max(own, size / LINK), hidden)
    return Pattern(compute, bursts=(burst,), iterations=rounds)


class Stage:
    """A link, and jobs that begin on it at their times; ``ends`` by name."""

    def __init__(self, coasting: bool, capacity: float = LINK) -> None:
        self.clock = Clock()
        self.fabric = Fabric(self.clock, [capacity])
        self.flow = Flow(self.clock, self.fabric, self._arrived, coasting)
        self.ends: dict[str, float] = {}

    def begin(self, at: float, each: Job, how: Pattern) -> Job:
        def start() -> None:
            each.since, each.work = self.clock.now, how.work
            self.flow.begin(each, how)

        self.clock.at(at, start)
        return each

    def _arrived(self, each: Job) -> None:
        self.flow.end(each)
        self.ends[each.id] = self.clock.now

    def at(self, time: float, function: Callable[..., Any], *arguments: Any) -> None:
        self.clock.at(time, function, *arguments)


trainers = st.lists(
    st.tuples(
        st.integers(0, 20).map(lambda n: n / 4),
        st.integers(1, 6),
        st.integers(1, 12).map(lambda n: n / 8),
        st.integers(0, 8).map(lambda n: n / 8),
        st.integers(1, 40),
        st.sampled_from([math.inf, 4.0, 7.0]),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(trainers, st.booleans())
def test_ends_are_those_of_a_plain_simulation(drawn: list[tuple[Any, ...]], coasting: bool) -> None:
    expected = run([Trainer(*each) for each in drawn], LINK)
    stage = Stage(coasting)
    for index, (start, rounds, alone, beside, size, cap) in enumerate(drawn):
        stage.begin(start, job(f"{index}"), pattern(rounds, alone + beside, float(size), hidden=beside, cap=cap))
    stage.clock.run()
    assert [stage.ends[f"{index}"] for index in range(len(drawn))] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("coasting", [True, False])
def test_alone_a_job_takes_its_work(coasting: bool) -> None:
    """Compute 2 s, 1 s of it beside the burst; 0.5 s latency and 30 bytes at 10 bytes/s: 2 + 3.5 - 1 = 4.5 s."""
    stage = Stage(coasting)
    how = pattern(7, 2.0, 30.0, hidden=1.0, latency=0.5)
    assert how.base == 4.5
    each = stage.begin(1.0, job(), how)
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(1.0 + 7 * 4.5, rel=1e-12)
    assert (each.done, each.ran) == pytest.approx((31.5, 31.5))
    assert stage.fabric.load(0) == 0.0


@pytest.mark.parametrize("coasting", [True, False])
@pytest.mark.parametrize("into", [0.3, 1.2, 2.7, 4.4, 4.5, 10.1])
def test_a_job_that_is_stopped_goes_on_where_it_was(coasting: bool, into: float) -> None:
    """Alone, a stop and a resumption cost nothing but the time between them, wherever in the iteration they fall."""
    for how in (pattern(7, 2.0, 30.0, hidden=1.0, latency=0.5), pattern(7, 3.0, 10.0, hidden=2.5, latency=0.25)):
        stage = Stage(coasting)
        each = stage.begin(0.0, job(), how)
        stage.at(into, stage.flow.end, each)
        stage.begin(100.0, each, how)
        stage.clock.run()
        lost = stage.ends["j"] - (100.0 + how.work - into)
        assert lost >= -1e-9
        assert lost <= 1.25 + 1e-9  # what one of computing and sending was ahead of the other


def test_latency_is_paid_in_every_iteration() -> None:
    stage = Stage(coasting=False)
    stage.begin(0.0, job(), pattern(4, 1.0, 10.0, latency=0.25))
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(4 * 2.25)


def test_restarting_is_paid_before_the_first_iteration() -> None:
    stage = Stage(coasting=False)
    each = job()
    each.restarting = 3.0
    stage.begin(0.0, each, pattern(2, 1.0, 10.0))
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(3.0 + 4.0)
    assert each.overhead == pytest.approx(3.0)


def test_a_dead_link_holds_a_burst_until_it_is_back() -> None:
    stage = Stage(coasting=False)
    stage.begin(0.0, job(), pattern(2, 1.0, 10.0))
    stage.at(1.5, stage.fabric.set_capacity, 0, 0.0)
    stage.at(11.5, stage.fabric.set_capacity, 0, LINK)
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(14.0)


def test_a_coasting_job_takes_up_its_iterations_when_company_comes() -> None:
    """Alone until 2.5 s, in the middle of a computing second; the newcomer's burst begins as the next one of ours."""
    quiet, stepped = Stage(coasting=True), Stage(coasting=False)
    for stage in (quiet, stepped):
        stage.begin(0.0, job("a"), pattern(10, 1.0, 10.0))
        stage.begin(2.5, job("b"), pattern(3, 0.5, 20.0))
        stage.clock.run()
    assert quiet.ends == pytest.approx(stepped.ends, rel=1e-12)
    assert quiet.ends["a"] > 20.0


def test_another_way_through_the_network_keeps_the_place() -> None:
    stage = Stage(coasting=False)
    each = stage.begin(0.0, job(), pattern(4, 1.0, 10.0))
    slower = Pattern(1.0, bursts=(Burst("dp", (0,), (10.0,), 10.0, 0.0, 3.0, 3.0, 0.0),), iterations=4)
    stage.at(4.0, stage.flow.reroute, each, lambda: slower)
    stage.clock.run()
    assert stage.ends["j"] == pytest.approx(4.0 + 2 * 4.0)
