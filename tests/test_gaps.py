from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics import gaps as module
from simulator.metrics.gaps import Gaps

ROW = st.tuples(
    st.floats(1e-3, 10.0),
    st.sampled_from([0.0, 1e-6, 0.01, 0.5, -1e-5]),
    st.integers(1, 40),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.2, 3.0]),
)


def one_by_one(rows) -> np.ndarray:
    """Every gap of every sequence, as a loop would write them down."""
    found = []
    for first, growth, count, sequences, stalled, stall in rows:
        for sequence in range(sequences):
            for i in range(count):
                found.append(first + growth * i + (stall if i == 0 and sequence < stalled else 0.0))
    return np.array(found)


def made(rows) -> Gaps:
    return Gaps(*(np.array(column) for column in zip(*rows, strict=True)))


@given(st.lists(ROW, min_size=1, max_size=8), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]), st.sampled_from([4, 10**6]))
def test_quantiles_are_those_of_all_gaps_one_by_one(rows, probability, expanded):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_EXPANDED", expanded)
        found, expected = made(rows), one_by_one(rows)
        assert len(found) == len(expected)
        if not len(expected):
            assert np.isnan([found.mean(), found.quantile(probability), found.largest()]).all()
            return
        assert found.mean() == pytest.approx(expected.mean(), rel=1e-12)
        assert found.largest() == pytest.approx(expected.max(), rel=1e-12)
        assert found.quantile(probability) == pytest.approx(np.quantile(expected, probability), rel=1e-9, abs=1e-12)


def test_a_row_of_a_billion_iterations_is_never_laid_out():
    found = made([(0.01, 1e-9, 10**9, 256, 0, 0.0), (0.02, 0.0, 10**9, 1, 1, 5.0)])
    assert len(found) == 257 * 10**9
    flat_below = 10**9
    expected = 0.01 + 1e-9 * ((257 * 10**9 - 1) * 0.25 - flat_below) / 256
    assert found.quantile(0.25) == pytest.approx(expected, rel=1e-7)
    assert found.quantile(1.0) == found.largest() == 5.02


def test_equal_gaps_are_all_the_same():
    found = made([(0.5, 0.0, 10**7, 3, 0, 0.0), (0.5, 0.0, 1, 3, 0, 0.0)])
    assert found.quantile(0.5) == found.quantile(1.0) == 0.5
    many = made([(0.5, 0.0, 1, 3, 0, 0.0)] * 300_000)
    assert many.quantile(0.5) == many.quantile(1.0) == 0.5


def test_many_rows_are_narrowed_to_few_and_rightly():
    draw = np.random.default_rng(1)
    rows = 300_000
    first = np.round(draw.lognormal(-4.0, 1.5, rows), 3)
    found = Gaps(first, np.zeros(rows), *np.ones((4, rows), dtype=np.int64))
    for probability in (0.0, 0.5, 0.99, 0.99999, 1.0):
        assert found.quantile(probability) == pytest.approx(np.quantile(first + 1, probability), rel=1e-12)
