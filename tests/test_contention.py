"""The mean field of phases that interleave, against every combination of who is on."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.models.contention import busy, fair_part, least_part, seldom_full, water_level

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


@given(st.lists(DUTY, max_size=6))
def test_greedy_rivals_share_evenly_with_those_who_are_on(duties: list[float]) -> None:
    others = tuple((duty, 1.0) for duty in duties)
    expected = sum(chance / (1 + len(parts)) for parts, chance in combinations(others))
    assert fair_part(1.0, others) == pytest.approx(expected, rel=1e-9)


@given(STREAMS)
def test_those_who_are_always_on_have_no_advantage(streams: tuple[tuple[float, float], ...]) -> None:
    always = tuple((1.0, part) for _, part in streams)
    assert fair_part(1.0, always) == pytest.approx(least_part(1.0, streams), rel=1e-12)
    assert busy(always) == pytest.approx(min(1.0, sum(part for _, part in always)), rel=1e-12)
    assert fair_part(1.0, streams) >= least_part(1.0, streams) - 1e-9


@given(st.lists(DUTY, min_size=2, max_size=6))
def test_greedy_streams_together_use_all_that_the_link_carries(duties: list[float]) -> None:
    """Each gets its fair part while it is on: the sum is what the link carries on average, so nothing is lost."""
    streams = [(duty, 1.0) for duty in duties]
    total = sum(duty * fair_part(1.0, tuple(streams[:i] + streams[i + 1 :])) for i, (duty, _) in enumerate(streams))
    assert total == pytest.approx(busy(tuple(streams)), rel=1e-9, abs=1e-12)


def test_small_rivals_count_as_much_as_they_take() -> None:
    assert fair_part(1.0, ((1.0, 0.01),)) == pytest.approx(0.99)
    assert fair_part(0.3, ((1.0, 0.5),)) == 0.3  # both fit


def test_many_flows_of_one_stream_count_as_many() -> None:
    assert fair_part(1.0, ((1.0, 4.0),)) == pytest.approx(0.2)
    assert fair_part(4.0, ((1.0, 1.0),)) == pytest.approx(0.8)
    assert busy(((0.5, 4.0),)) == 0.5


@pytest.mark.parametrize(
    ("parts", "level"), [([1.0, 1.0], 0.5), ([1.0, 0.2, 1.0], 0.4), ([0.6, 0.6], 0.5), ([3.0, 1.0], 0.25)]
)
def test_water_level(parts: list[float], level: float) -> None:
    assert water_level(parts) == pytest.approx(level)


def test_many_different_streams_are_told_apart_on_a_grid() -> None:
    streams = tuple((0.5, 0.031 + 0.007 * i) for i in range(14))
    exact = sum(chance * min(1.0, sum(parts)) for parts, chance in combinations(streams))
    assert busy(streams) == pytest.approx(exact, rel=1e-3)


@given(STREAMS)
def test_a_link_that_is_seldom_full_loses_next_to_nothing(streams: tuple[tuple[float, float], ...]) -> None:
    if seldom_full(streams):
        wanted = sum(duty * part for duty, part in streams)
        assert busy(streams) >= wanted * (1 - 0.06)


def test_what_seldom_full_means() -> None:
    assert seldom_full(((0.01, 1.0),) * 2)
    assert not seldom_full(((0.1, 1.0),) * 2)
    assert not seldom_full(((1.0, 1.0),))
