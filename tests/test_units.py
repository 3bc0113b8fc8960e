"""Quantities: what is read, what is refused, and how numbers are written for people."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core import units
from simulator.core.units import UnitError, format_quantity, parse

GOOD = [
    ("5 min", "time", 300.0),
    ("5min", "time", 300.0),
    ("1e3 s", "time", 1000.0),
    ("2.5e-6s", "time", 2.5e-6),
    ("3 us", "time", 3e-6),
    ("3 µs", "time", 3e-6),
    ("1 y", "time", 31557600.0),
    ("10_000 s", "time", 10000.0),
    ("1,500 h", "time", 5.4e6),
    (0, "time", 0.0),
    ("0", "time", 0.0),
    ("400 Gb/s", "bandwidth", 50e9),
    ("400 Gbps", "bandwidth", 50e9),
    ("50 GB/s", "bandwidth", 50e9),
    ("80 GiB", "bytes", 80 * 2.0**30),
    ("80 GB", "bytes", 80e9),
    ("8 b", "bytes", 1.0),
    ("700 W", "power", 700.0),
    ("10.2 kW", "power", 10200.0),
    ("3 kWh", "energy", 1.08e7),
    ("989 TFLOP/s", "compute", 989e12),
    ("180 /h", "frequency", 0.05),
    ("$250", "money", 250.0),
    ("$2,500,000", "money", 2.5e6),
    ("$2.5 M", "money", 2.5e6),
    ("250 USD", "money", 250.0),
    ("$3.60/h", "price", 0.001),
    ("$ 3.60/h", "price", 0.001),
    ("$0.11/kWh", "energy price", 0.11 / 3.6e6),
    ("350 g/kWh", "carbon", 0.35 / 3.6e6),
    ("70 %", "ratio", 0.7),
    ("0.7", "ratio", 0.7),
    (0.7, "ratio", 0.7),
    (1, "ratio", 1.0),
]


@pytest.mark.parametrize(("text", "dimension", "value"), GOOD, ids=repr)
def test_reads(text: str | float, dimension: str, value: float) -> None:
    assert parse(text, dimension) == pytest.approx(value, rel=1e-14)


def test_decimal_fractions_come_out_as_written() -> None:
    assert parse("70 %", "ratio") == 0.7
    assert parse("3 us", "time") == 3e-6
    assert parse("3 ns", "time") == 3e-9
    assert parse("9 ms", "time") == 0.009


BAD = [
    ("5", "time", "'5' has no unit for a time; write for example '5 min'"),
    (5, "time", "5 has no unit for a time; write for example '5 min'"),
    ("1,5 h", "time", "'1,5 h' is not a time; write for example '5 min'"),
    ("1.2.3 s", "time", "'1.2.3 s' is not a time; write for example '5 min'"),
    ("", "time", "'' is not a time; write for example '5 min'"),
    ("soon", "time", "'soon' is not a time; write for example '5 min'"),
    ("-5 s", "time", "'-5 s' is negative; a time must be 0 or more"),
    ("nan s", "time", "'nan s' is not finite; write for example '5 min'"),
    ("-inf s", "time", "'-inf s' is not finite; write for example '5 min'"),
    (math.nan, "ratio", "nan is not finite; write for example '0.7 or 70 %'"),
    (math.inf, "ratio", "inf is not finite; write for example '0.7 or 70 %'"),
    ("1e308 y", "time", "'1e308 y' is too large for a time; write for example '5 min'"),
    (True, "time", "True is not a time; write for example '5 min'"),
    ([1], "time", "[1] is not a time; write for example '5 min'"),
    (None, "bytes", "None is not an amount of data; write for example '80 GiB'"),
    (
        "5 minuts",
        "time",
        "'5 minuts' has unknown unit 'minuts' (did you mean 'minutes'?) for a time; write for example '5 min'",
    ),
    (
        "400 gb/s",
        "bandwidth",
        "'400 gb/s' has unknown unit 'gb/s' (did you mean 'GB/s' or 'Gb/s'?) for a bandwidth; "
        "write for example '400 Gb/s'",
    ),
    ("5 s", "bandwidth", "'5 s' has unknown unit 's' for a bandwidth; write for example '400 Gb/s'"),
    ("1 000 s", "time", "'1 000 s' has unknown unit '000s' for a time; write for example '5 min'"),
]


@pytest.mark.parametrize(("text", "dimension", "message"), BAD, ids=repr)
def test_refuses(text: object, dimension: str, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse(text, dimension)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_huge_values_make_short_messages() -> None:
    for value in ("x" * 5000, 10**400, [0] * 5000):
        with pytest.raises(UnitError) as caught:
            parse(value, "ratio")  # type: ignore[arg-type]
        assert len(str(caught.value)) < 120


@given(st.text() | st.floats() | st.integers() | st.none(), st.sampled_from(sorted(units._UNITS)))
def test_anything_else_is_refused_and_nothing_crashes(value: object, dimension: str) -> None:
    with contextlib.suppress(UnitError):
        assert 0 <= parse(value, dimension) < math.inf  # type: ignore[arg-type]


@given(st.floats(1e-9, 1e15), st.sampled_from(["time", "bytes", "bandwidth", "power", "energy", "compute"]))
def test_what_is_written_for_people_reads_back(value: float, dimension: str) -> None:
    assert parse(format_quantity(value, dimension, digits=17), dimension) == pytest.approx(value, rel=1e-12)


@given(st.sampled_from(sorted(units._UNITS)), st.floats(0, 1e6), st.data())
def test_every_unit_scales_linearly(dimension: str, number: float, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(sorted(units._UNITS[dimension])))
    one, many = (parse(f"${n}{unit[1:]}" if unit[:1] == "$" else f"{n} {unit}", dimension) for n in (1.0, number))
    assert many == pytest.approx(one * number, rel=1e-12)


WRITTEN = [
    (50e9, "bandwidth", "400 Gb/s"),
    (5400, "time", "1.5 h"),
    (0.0, "time", "0 s"),
    (math.inf, "time", "inf s"),
    (3e-6, "time", "3 us"),
    (0.07, "ratio", "7 %"),
    (1234567.891, "money", "$1,234,567.89"),
    (2.1 / 3600, "price", "$2.10/h"),
    (0.11 / 3.6e6, "energy price", "$0.11/kWh"),
    (2**34, "bytes", "16 GiB"),
    (0.5, "bytes", "0.5 B"),
    (1.8e9, "energy", "500 kWh"),
    (math.nan, "time", "-"),
    (3.0, "frequency", "3"),
]


@pytest.mark.parametrize(("value", "dimension", "text"), WRITTEN)
def test_writes(value: float, dimension: str, text: str) -> None:
    assert format_quantity(value, dimension) == text


def test_every_dimension_has_an_example_that_reads() -> None:
    for dimension in units._UNITS:
        assert parse(units.example(dimension).partition(" or ")[0], dimension) >= 0
