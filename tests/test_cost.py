"""Cost: capital, electricity and cloud, and what has no price."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.models import cost

YEAR = 31_557_600.0
dollars = st.floats(0, 1e9)
spans = st.floats(0, 1e8)


@dataclass(frozen=True)
class Line:
    item: str
    count: int
    unit_price: float | None


@given(price=dollars, first=spans, second=spans, life=st.floats(1, 1e9))
def test_capex_adds_up_over_spans(price: float, first: float, second: float, life: float) -> None:
    parts = cost.capex(price, first, life) + cost.capex(price, second, life)
    assert parts == pytest.approx(cost.capex(price, first + second, life), rel=1e-9, abs=1e-9)


@given(price=dollars, life=st.floats(1, 1e9))
def test_the_whole_price_is_used_up_over_the_life(price: float, life: float) -> None:
    assert cost.capex(price, life, life) == pytest.approx(price)


@given(seconds=spans, price=st.floats(0, 1), factor=st.floats(0, 100))
def test_cloud_is_linear(seconds: float, price: float, factor: float) -> None:
    assert cost.cloud(seconds * factor, price) == pytest.approx(factor * cost.cloud(seconds, price))


@given(lines=st.lists(st.tuples(st.integers(0, 1000), st.none() | st.floats(0, 1e6)), max_size=8))
def test_every_line_is_either_counted_or_missing(lines: list[tuple[int, float | None]]) -> None:
    bill = [Line(str(i), count, price) for i, (count, price) in enumerate(lines)]
    total = cost.bill_total(bill)
    assert total.dollars == pytest.approx(sum(count * price for count, price in lines if price is not None))
    assert list(total.missing) == [line for line in bill if line.unit_price is None]


def test_known_bills() -> None:
    bill = [Line("nvidia/dgx-h100", 4, 270_000.0), Line("nvidia/qm9700", 2, 13_500.0), Line("", 32, None)]
    total = cost.bill_total(bill)
    assert total.dollars == 1_107_000.0
    assert total.missing == (bill[2],)
    assert cost.capex(total.dollars, 30 * 86_400.0, 4 * YEAR) == pytest.approx(1_107_000 * 30 / 1461)
    assert cost.electricity(3.6e6 * 1000, 0.11 / 3.6e6, pue=1.25) == pytest.approx(137.5)
    assert cost.cloud(8 * 3600.0 * 24, 6.88 / 3600) == pytest.approx(8 * 24 * 6.88)


def test_arrays() -> None:
    assert cost.capex(np.array([100.0, 200.0]), 50.0, 100.0).tolist() == [50.0, 100.0]
    assert cost.electricity(np.array([1.0, 2.0]), 3.0, 2.0).tolist() == [6.0, 12.0]
    assert cost.cloud(np.array([1.0, 2.0]), 3.0).tolist() == [3.0, 6.0]


def test_totals() -> None:
    run = cost.Cost(capex=10.0, electricity=2.0, cloud=3.0)
    assert run.total == 15.0
    assert run.per(5.0) == 3.0
    assert math.isnan(run.per(0.0))


def test_an_unknown_part_makes_the_total_unknown() -> None:
    assert math.isnan(cost.Cost(capex=math.nan, electricity=2.0).total)


def test_messages() -> None:
    with pytest.raises(InputError, match=r"^a life of 0 s is not above 0$"):
        cost.capex(1.0, 1.0, 0.0)
    with pytest.raises(InputError, match=r"^a span of -1 s is negative$"):
        cost.capex(1.0, -1.0, 1.0)
    with pytest.raises(InputError, match=r"a PUE of 0.5 is below 1"):
        cost.electricity(1.0, 1.0, pue=0.5)
