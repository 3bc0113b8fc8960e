"""An iteration adds up: its parts, its stages and its bytes, however its bursts are stretched."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.runtime.pattern import Burst, Pattern

seconds = st.floats(0.0, 100.0).map(lambda value: round(value, 3))


@st.composite
def bursts(draw: st.DrawFn) -> Burst:
    links = draw(st.lists(st.integers(0, 5), unique=True, min_size=1, max_size=4))
    flow = draw(st.floats(1.0, 1e9))
    usage = tuple(flow * n for n in draw(st.lists(st.integers(1, 8), min_size=len(links), max_size=len(links))))
    own = draw(st.floats(0.001, 50.0))
    alone = own * draw(st.sampled_from([1.0, 1.0, 2.5]))
    latency = draw(seconds)
    hidden = draw(st.floats(0.0, 1.0)) * (latency + alone)  # nothing hides more than there is
    return Burst("dp", tuple(links), usage, flow, latency, own, alone, hidden)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    found = tuple(draw(st.lists(bursts(), max_size=4)))
    compute = draw(seconds) + sum(burst.hidden for burst in found)
    return Pattern(compute, draw(seconds), found, draw(st.integers(1, 1000)))


@given(patterns())
def test_stages_cover_an_iteration(pattern: Pattern) -> None:
    """All computing is in the stages, each as long as the slower of its parts, and together ``base``."""
    assert sum(compute for compute, _ in pattern.stages) == pytest.approx(pattern.compute + pattern.inside, abs=1e-9)
    assert [burst for _, burst in pattern.stages] == [None, *pattern.bursts]
    assert sum(map(pattern.length, range(len(pattern.stages)))) == pytest.approx(pattern.base, abs=1e-9)
    assert pattern.bounds[-1] == pytest.approx(pattern.base, abs=1e-9)
    assert list(pattern.bounds) == sorted(pattern.bounds)


@given(patterns(), st.floats(1.0, 50.0))
def test_stretching_adds_what_the_bursts_add(pattern: Pattern, stretch: float) -> None:
    """Hidden time is full at 1, so every second by which a burst gets longer is a second of the iteration."""
    longer = pattern.time(stretch) - pattern.base
    assert longer == pytest.approx((stretch - 1) * pattern.alone, rel=1e-9, abs=1e-7)
    assert 0.0 <= pattern.duty() <= pattern.duty(stretch) + 1e-12 <= 1.0 + 1e-12


@given(patterns())
def test_bytes_are_those_of_the_bursts(pattern: Pattern) -> None:
    sent: dict[int, float] = {}
    for burst in pattern.bursts:
        for link, volume in zip(burst.links, burst.usage, strict=True):
            sent[link] = sent.get(link, 0.0) + volume
    assert {link: flows * pattern.flow for link, flows in pattern.usage.items()} == pytest.approx(sent)
    if pattern.bursts:
        assert pattern.pace * pattern.alone == pytest.approx(pattern.flow)
        assert pattern.limit >= pattern.pace * (1 - 1e-12)


@given(patterns())
def test_work_is_all_iterations(pattern: Pattern) -> None:
    assert pattern.work == pytest.approx(pattern.iterations * pattern.base)
    assert pattern.share * pattern.base == pytest.approx(pattern.base - pattern.compute, abs=1e-9)


def test_one_burst_is_held_by_its_cards_alone() -> None:
    """A link faster than it was built can speed it up; two bursts are never faster than one after the other, alone."""
    burst = Burst("dp", (0,), (10.0,), 10.0, 0.0, own=1.0, alone=4.0, hidden=0.0)
    assert Pattern(1.0, bursts=(burst,)).limit == 10.0
    assert Pattern(1.0, bursts=(burst, burst)).limit == 2.5


def test_a_dead_link_makes_an_iteration_endless() -> None:
    burst = Burst("dp", (0,), (10.0,), 10.0, 0.5, own=1.0, alone=math.inf, hidden=2.0)
    pattern = Pattern(3.0, bursts=(burst,))
    assert (pattern.base, pattern.duty(), pattern.pace) == (math.inf, 1.0, 0.0)
    assert burst.left(100.0) == 1.0


@pytest.mark.parametrize(("after", "left"), [(0.0, 1.0), (0.5, 1.0), (1.5, 0.75), (4.5, 0.0), (9.0, 0.0)])
def test_what_is_left_of_a_burst(after: float, left: float) -> None:
    """Half a second of latency, then four of sending."""
    assert Burst("dp", (0,), (4.0,), 4.0, 0.5, own=1.0, alone=4.0, hidden=0.0).left(after) == left


def test_without_iterations_there_is_no_work() -> None:
    assert Pattern(1.0, iterations=0).work == 0.0
    assert Pattern(0.0).share == 0.0
    assert Pattern(1.0, iterations=3, given=7.0).work == 7.0
