"""The mean field of phases that interleave, against every combination of who is on."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.models.contention import busy, least_parts, mean, mean_least, seldom_full, shares, water_level

DUTY = st.floats(0.0, 1.0)
STREAMS = st.lists(st.tuples(DUTY, st.floats(0.05, 1.0)), min_size=1, max_size=6).map(tuple)


def combinations(streams: tuple[tuple[float, float], ...]):
    """Who is on (as parts), and how likely that is."""
    for on in product((0, 1), repeat=len(streams)):
        chance = prod(duty if there else 1 - duty for there, (duty, _) in zip(on, streams, strict=True))
        yield [part for there, (_, part) in zip(on, streams, strict=True) if there], chance


@given(STREAMS)
def test_a_link_carries_what_those_who_are_on_can_take(streams: tuple[tuple[float, float], ...]) -> None:
    expected = sum(chance * min(1.0, sum(parts)) for parts, chance in combinations(streams))
    assert busy(streams) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(STREAMS)
def test_each_gets_its_fair_part_of_what_is_asked_for(streams: tuple[tuple[float, float], ...]) -> None:
    """Against every combination of the others, each counting for as much of a flow as it can use."""
    if sum(part for _, part in streams) <= 1:
        assert [mean(parts) for parts in shares(streams)] == pytest.approx([part for _, part in streams])
        return
    level = water_level([part for _, part in streams])
    for index, parts in enumerate(shares(streams)):
        others = [(duty, min(1.0, part / level)) for duty, part in streams[:index] + streams[index + 1 :]]
        own = streams[index][1]
        expected = sum(chance * min(own, 1 / (1 + sum(counts))) for counts, chance in combinations(tuple(others)))
        assert mean(parts) == pytest.approx(expected, rel=1e-5)
        assert sum(chance for _, chance in parts) == pytest.approx(1.0, abs=1e-6)


@given(STREAMS)
def test_those_who_are_always_on_get_the_least(streams: tuple[tuple[float, float], ...]) -> None:
    always = tuple((1.0, part) for _, part in streams)
    assert [mean(parts) for parts in shares(always)] == pytest.approx(least_parts(streams), rel=1e-5)
    assert busy(always) == pytest.approx(min(1.0, sum(part for _, part in always)), rel=1e-5)
    for parts, least in zip(shares(streams), least_parts(streams), strict=True):
        assert mean(parts) >= least * (1 - 1e-5)


@given(st.lists(DUTY, min_size=2, max_size=6))
def test_greedy_streams_together_use_all_that_the_link_carries(duties: list[float]) -> None:
    """Each gets its fair part while it is on: the sum is what the link carries on average, so nothing is lost."""
    streams = [(duty, 1.0) for duty in duties]
    total = sum(duty * mean(parts) for duty, parts in zip(duties, shares(streams), strict=True))
    assert total == pytest.approx(busy(streams), rel=1e-6, abs=1e-9)


def test_small_rivals_count_as_much_as_they_take() -> None:
    assert mean(shares(((0.5, 1.0), (1.0, 0.01)))[0]) == pytest.approx(0.99, rel=1e-3)
    assert shares(((0.1, 0.3), (1.0, 0.5)))[0] == ((0.3, 1.0),)  # both fit


def test_many_flows_of_one_stream_count_as_many() -> None:
    one, four = shares(((1.0, 1.0), (1.0, 4.0)))
    assert (mean(one), mean(four)) == pytest.approx((0.2, 0.8))
    assert busy(((0.5, 4.0),)) == 0.5


def test_the_slowest_of_several_links() -> None:
    coin = ((1.0, 0.5), (0.5, 0.5))
    assert mean_least([coin, coin, coin]) == pytest.approx(0.5 + 0.5 / 8)
    assert mean_least([coin, ((2.0, 1.0),)]) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("parts", "level"), [([1.0, 1.0], 0.5), ([1.0, 0.2, 1.0], 0.4), ([0.6, 0.6], 0.5), ([3.0, 1.0], 0.25)]
)
def test_water_level(parts: list[float], level: float) -> None:
    assert water_level(parts) == pytest.approx(level)


def test_many_different_streams_are_told_apart_on_a_grid() -> None:
    streams = tuple((0.5, 0.031 + 0.007 * i) for i in range(14))
    exact = sum(chance * min(1.0, sum(parts)) for parts, chance in combinations(streams))
    assert busy(streams) == pytest.approx(exact, rel=2e-2)
    for parts, (_, part) in zip(shares(streams), streams, strict=True):
        assert mean(parts) == pytest.approx(part, rel=0.1)


@given(STREAMS)
def test_a_link_that_is_seldom_full_loses_next_to_nothing(streams: tuple[tuple[float, float], ...]) -> None:
    if seldom_full(streams):
        wanted = sum(duty * part for duty, part in streams)
        assert busy(streams) >= wanted * (1 - 0.1)


def test_what_seldom_full_means() -> None:
    assert seldom_full(((0.02, 0.2),) * 10)
    assert not seldom_full(((0.5, 0.2),) * 10)
    assert not seldom_full(((0.01, 1.0),) * 2)  # alone it fills the link: any company is in the way
    assert not seldom_full(((1.0, 1.0),))
