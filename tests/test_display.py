from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics import display, measures


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("jct.mean", 11520.0, "3.2 h"),
        ("jct.mean", 0.0, "0 s"),
        ("jct.mean", 100 * 86400.0, "100 d"),
        ("jct.mean", 3e-5, "30 us"),
        ("jct.mean", math.nan, "–"),
        ("utilization", 0.71, "71 %"),
        ("utilization", 0.0712, "7.12 %"),
        ("cost.total", 12345.4, "$12,345"),
        ("cost.total", 2.1, "$2.10"),
        ("cost.total", 0.00123, "$0.00123"),
        ("cost.per_accelerator_hour", 2.5, "$2.50/h"),
        ("energy.kwh", 1234567.0, "1,234,567 kWh"),
        ("throughput", 0.01, "36/h"),
        ("jobs.completed", 69850.0, "69,850"),
        ("queue.mean", 3.14159, "3.14"),
        ("slowdown.mean", 1.0, "1"),
    ],
)
def test_values_read_as_people_write_them(name, value, text):
    assert measures.get(name).text(value) == text


@pytest.mark.parametrize(
    ("dimension", "mean", "half_width", "text"),
    [
        ("time", 5400.0, 650.0, "1.50 ± 0.18 h"),
        ("time", 5400.0, 0.0, "1.5 ± 0 h"),
        ("time", 5400.0, math.nan, "1.5 h"),
        ("time", 100.0, 400.0, "1.7 ± 6.7 min"),
        ("money", 12345.0, 678.0, "$12,345 ± 678"),
        ("money", 183.4, 9.79, "$183.40 ± 9.79"),
        ("ratio", 0.715, 0.021, "71.5 ± 2.1 %"),
        ("time", math.nan, math.nan, "–"),
        ("time", 13.94, 14.21, "13.9 ± 14.2 s"),
        ("time", 13.94, 14.9, "14 ± 15 s"),
        ("money", 6.8095, 1e-5, "$6.81 ± <0.01"),
        ("money", 6.8095, 1e-15, "$6.81 ± 0"),
        ("ratio", 0.99, 1e-7, "99 ± <1 %"),
    ],
)
def test_half_widths_are_rounded_to_two_digits_and_share_the_unit(dimension, mean, half_width, text):
    assert display.scale([mean], dimension).interval(mean, half_width) == text


def test_the_unit_is_that_of_the_half_width_where_that_is_larger():
    scale = display.scale([display.wide(0.036, 2.79)], "time")
    assert scale.interval(0.036, 2.79) == "0.04 ± 2.79 s"
    assert display.wide(-3.0, 2.0) == -3.0
    assert display.wide(3.0, math.nan) == 3.0


def test_differences_carry_their_sign_and_shares_differ_by_points():
    assert display.scale([60.0], "time").text(60.0, signed=True) == "+1 min"
    assert display.scale([-60.0], "time").interval(-60.0, 3.0, signed=True) == "-1.000 ± 0.050 min"
    assert measures.get("utilization").difference_scale([-0.05]).text(-0.05, signed=True) == "-5 pp"
    assert measures.get("cost.total").difference_scale([-3.0]).text(-3.0, signed=True) == "-$3.00"


def test_numbers_side_by_side_share_one_unit():
    scale = display.scale([600.0, 7200.0, 36000.0], "time")
    assert [scale.text(value) for value in (600.0, 7200.0, 36000.0)] == ["0.167 h", "2 h", "10 h"]


def test_infinities_have_a_sign():
    scale = display.scale([math.inf], "time")
    assert (scale.text(math.inf), scale.text(-math.inf)) == ("∞ s", "-∞ s")


@given(st.floats(1e-6, 1e12), st.sampled_from(["time", "ratio", "count", "frequency"]))
def test_three_digits_survive(value, dimension):
    scale = display.scale([value], dimension)
    shown = float(scale.number(value).replace(",", "")) * scale.factor
    assert shown == pytest.approx(value, rel=0.00501)
