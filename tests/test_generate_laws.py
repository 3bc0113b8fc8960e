"""Laws as rows of data: they have the means and quantiles of the textbook, and say what is wrong with them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.core.errors import InputError
from simulator.workload.laws import FAMILIES, law

EVEN = (np.arange(200_000) + 0.5) / 200_000

LAWS: list[tuple[dict[str, Any], float]] = [
    ({"lognormal": {"mu": 1.0, "sigma": 0.5}}, math.exp(1.125)),
    ({"lognormal": {"weights": [3, 1], "mu": [0, 2], "sigma": [0.1, 0.2]}}, 2.6384),
    ({"exponential": {"mean": 7.0}}, 7.0),
    ({"exponential": {"weights": [0.9, 0.1], "mean": [1, 100]}}, 10.9),
    ({"weibull": {"shape": 0.5, "scale": 3.0}}, 6.0),
    ({"gamma": {"shape": 2.0, "scale": 3.0}}, 6.0),
    ({"log_uniform": {"low": 1.0, "high": math.e}}, math.e - 1),
    ({"constant": {"value": 4.0}}, 4.0),
    ({"exponential": {"mean": 1.0}, "at_most": 1.0}, 1 - math.exp(-1)),
]  # fmt: skip


@pytest.mark.parametrize(("row", "mean"), LAWS)
def test_means(row: dict[str, Any], mean: float) -> None:
    assert law(row)(EVEN).mean() == pytest.approx(mean, rel=0.01)


def test_inverses_are_scipys() -> None:
    reference = {
        "lognormal": stats.lognorm(s=0.7, scale=math.exp(2.0)),
        "exponential": stats.expon(scale=5.0),
        "weibull": stats.weibull_min(c=0.6, scale=4.0),
        "gamma": stats.gamma(a=0.4, scale=9.0),
        "log_uniform": stats.loguniform(2.0, 200.0),
    }
    parameters = {
        "lognormal": {"mu": 2.0, "sigma": 0.7}, "exponential": {"mean": 5.0}, "weibull": {"shape": 0.6, "scale": 4.0},
        "gamma": {"shape": 0.4, "scale": 9.0}, "log_uniform": {"low": 2.0, "high": 200.0},
    }  # fmt: skip
    assert set(FAMILIES) == {*reference, "constant"}
    at = np.array([0.001, 0.2, 0.5, 0.9, 0.999])
    for family, scipys in reference.items():
        assert law({family: parameters[family]})(at) == pytest.approx(scipys.ppf(at), rel=1e-9), family


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.sampled_from(LAWS))
def test_values_are_finite_and_above_zero(uniform: list[float], pair: tuple[dict[str, Any], float]) -> None:
    values = law(pair[0])(np.array(uniform))
    assert np.all(np.isfinite(values))
    assert np.all(values >= 0)


def test_a_quantile_table_goes_through_its_points() -> None:
    row = {"up_to": 4, "p": [0, 0.5, 1], "v": [1, 10, 1000], "at_most": 500}
    assert law(row)(np.array([0.0, 0.25, 0.5, 1.0])) == pytest.approx([1, math.sqrt(10), 10, 500])


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"lognormall": {}}, "unknown law 'lognormall'. Did you mean 'lognormal'?"),
        ({}, "a law has one family, or p and v; this one has nothing"),
        ({"p": [0, 1]}, "unknown law 'p'"),
        ({"gamma": {}, "weibull": {}}, "a law has one family, or p and v; this one has gamma, weibull"),
        ({"exponential": {"weights": [1, 2], "mean": [1]}}, "exponential: mean has 1 numbers for 2 weights"),
    ],
)
def test_refusals(row: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as wrong:
        law(row)
    assert str(wrong.value).startswith(text)
