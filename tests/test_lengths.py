"""Laws of lengths and times, as users write them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.lengths import length_law, pairs, seconds_law
from simulator.workload.likeness import spearman

LAWS = st.one_of(
    st.floats(0.2, 5000),
    st.fixed_dictionaries({"lognormal": st.fixed_dictionaries({"mean": st.floats(1, 9999), "cv": st.floats(0.1, 3)})}),
    st.fixed_dictionaries({"exponential": st.fixed_dictionaries({"mean": st.floats(0.1, 9999)})}),
    st.tuples(st.integers(1, 50), st.integers(50, 900)).map(lambda ends: {"uniform": list(ends)}),
)


@given(LAWS, st.lists(st.floats(0, 0.999999), min_size=1, max_size=20))
def test_lengths_are_whole_rise_with_the_uniform_number_and_are_1_or_more(law: Any, uniform: list[float]) -> None:
    values = length_law("x", law)(np.array(sorted(uniform)))
    assert values.dtype == np.int64
    assert values.min() >= 1
    assert (np.diff(values) >= 0).all()


def test_means_are_met() -> None:
    uniform = (np.arange(100_000) + 0.5) / 100_000
    assert length_law("x", {"lognormal": {"mean": 800, "cv": 1.2}})(uniform).mean() == pytest.approx(800, rel=0.01)
    assert length_law("x", {"uniform": [10, 20]})(uniform).mean() == pytest.approx(15, rel=0.001)
    assert length_law("x", {"p": [0, 0.5, 1], "v": [1, 100, 100]})(np.array([0.75])).tolist() == [100]


def test_bounds_cut() -> None:
    law = length_law("x", {"lognormal": {"mean": 100, "cv": 2}, "at_least": 50, "at_most": 200})
    assert law(np.array([0.0001, 0.9999])).tolist() == [50, 200]


def test_times_carry_units() -> None:
    assert seconds_law("x", "2 min")(np.zeros(2)).tolist() == [120.0, 120.0]
    assert seconds_law("x", 0)(np.zeros(1)).tolist() == [0.0]
    assert seconds_law("x", {"exponential": {"mean": "1 min"}})(np.array([0.5])) == pytest.approx(60 * np.log(2))
    uniform = (np.arange(100_000) + 0.5) / 100_000
    assert seconds_law("x", {"lognormal": {"mean": "30 s", "cv": 1}})(uniform).mean() == pytest.approx(30, rel=0.01)


@pytest.mark.parametrize(
    ("law", "told"),
    [
        (-1, "x: -1 is neither a time such as '30 s' nor a law of times"),
        ("5 kg", "x: '5 kg' has unknown unit 'kg'"),
        ({"exponentail": {"mean": 1}}, "x: unknown law 'exponentail'. Did you mean 'exponential'?"),
        ({"uniform": ["5 s", "1 s"]}, "x: uniform takes [low, high], the lower first"),
        ({"exponential": 5}, "x: exponential takes parameters by name, not 5"),
        ({"constant": {"value": "-5 s"}}, "is negative"),
        ({"exponential": {"mean": -5}}, "x, exponential, mean: -5 is not a number of 0 or more"),
    ],
)
def test_times_that_make_no_sense_are_told(law: Any, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        seconds_law("x", law)


@pytest.mark.parametrize(
    ("law", "told"),
    [
        ("five", "x: 'five' is neither a number of tokens nor a law"),
        ({}, "x: {} is neither a number of tokens nor a law"),
        ({"fixed": True}, "x, fixed: True is not a number above 0"),
        ({"uniform": [1, 2, 3]}, "x: uniform takes [low, high], not [1, 2, 3]"),
        ({"fixed": 5, "at_most": 0}, "x, at_most: 0 is not a number of tokens from 1"),
        ({"fixed": 5, "at_least": 9, "at_most": 8}, "x: at_least 9 is more than at_most 8"),
        ({"lognormal": {"mu": 1, "sgma": 2}}, "is no law"),
        (0.0, "x: 0 is not a number above 0"),
        (-3, "x: -3 is not a number above 0"),
        (2e7, "x: 2e+07 is more than 10,000,000 tokens"),
        ({"fixed": 0}, "x, fixed: 0 is not a number above 0"),
        ({"constant": {"value": 0}}, "x: {'constant': {'value': 0}} gives no tokens at all"),
        ({"exponential": {"mean": -5}}, "x, exponential, mean: -5 is not a number of 0 or more"),
        ({"exponential": {"mean": [5, -5], "weights": [1, 1]}}, "x, exponential, mean: -5 is not"),
        ({"exponential": {"mean": "5"}}, "x, exponential, mean: '5' is not a number"),
        ({"lognormal": {"mean": -1, "cv": 1}}, "x, mean: -1 is not a number above 0"),
        ({"fixed": 5, "uniform": [1, 2]}, "x: a law has one family, or p and v; this one has fixed, uniform"),
    ],
)
def test_lengths_that_make_no_sense_are_told(law: Any, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        length_law("x", law)


def test_pairs_have_the_rank_correlation_asked_for() -> None:
    for wanted in (-0.5, 0.0, 0.3):
        first, second = pairs(np.random.default_rng(1), 50_000, wanted)
        assert spearman(first, second) == pytest.approx(wanted, abs=0.02)
        assert second.mean() == pytest.approx(0.5, abs=0.01)
    short = pairs(np.random.default_rng(1), 10, 0.3)
    assert np.array_equal(short[1], pairs(np.random.default_rng(1), 20, 0.3)[1][:10])
