"""Quantities at the border: ``"400 Gb/s"``, ``"80 GiB"``, ``"$2.10/h"`` <-> SI floats inside.

Inside the simulator every number is an SI float: seconds, bytes, bytes per second, watts, joules, US dollars.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import Annotated

_SI = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_IEC = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
_TIME = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3,
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
    "y": 31557600.0, "year": 31557600.0, "years": 31557600.0,
}  # fmt: skip
_BYTES = {p + "B": f for p, f in (_SI | _IEC).items()} | {p + "b": f / 8 for p, f in _SI.items()}
_RATE = {f"{unit}/s": factor for unit, factor in _BYTES.items()} | {p + "bps": f / 8 for p, f in _SI.items()}
_PER_HOUR = {"$/h": 1 / 3600.0, "USD/h": 1 / 3600.0}

_UNITS: dict[str, dict[str, float]] = {
    "time": _TIME,
    "bytes": _BYTES,
    "bandwidth": _RATE,
    "power": {p + "W": f for p, f in _SI.items()},
    "energy": {p + "Wh": f * 3600.0 for p, f in _SI.items()} | {p + "J": f for p, f in _SI.items()},
    "compute": {p + "FLOP/s": f for p, f in _SI.items()} | {p + "FLOPS": f for p, f in _SI.items()},
    "frequency": {"/s": 1.0, "/min": 1 / 60.0, "/h": 1 / 3600.0, "/d": 1 / 86400.0, "Hz": 1.0},
    "money": {"$": 1.0, "USD": 1.0} | {f"${p}": _SI[p] for p in "kM"},
    "price": _PER_HOUR | {"$/y": 1 / 31557600.0, "$/s": 1.0},
    "energy price": {"$/kWh": 1 / 3.6e6, "USD/kWh": 1 / 3.6e6, "$/MWh": 1 / 3.6e9, "$/J": 1.0},
    "carbon": {"g/kWh": 1 / 3.6e9, "kg/kWh": 1 / 3.6e6, "gCO2e/kWh": 1 / 3.6e9},
    "ratio": {"": 1.0, "%": 0.01},
}
_EXAMPLES = {
    "time": "5 min", "bytes": "80 GiB", "bandwidth": "400 Gb/s", "power": "700 W", "energy": "3 kWh",
    "compute": "989 TFLOP/s", "frequency": "3 /h", "money": "$250", "price": "$2.10/h",
    "energy price": "$0.11/kWh", "carbon": "350 g/kWh", "ratio": "0.7 or 70 %",
}  # fmt: skip
_NOUNS = {"bytes": "an amount of data", "energy": "an energy", "energy price": "an energy price"}
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d*)?|\.\d+"
_WORDS = r"[+-]?(?:nan|inf(?:inity)?)\b"
_NUMBER = re.compile(rf"([+-]?(?:{_DIGITS})(?:[eE][+-]?\d+)?(?![\d.,_])|{_WORDS})\s*(.*)", re.IGNORECASE | re.ASCII)


class UnitError(ValueError):
    """A text is not a quantity of the wanted dimension."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """Marks a float parameter as a quantity: ``Annotated[float, Dimension("time")]``."""

    name: str


Seconds = Annotated[float, Dimension("time")]
Bytes = Annotated[float, Dimension("bytes")]
BytesPerSecond = Annotated[float, Dimension("bandwidth")]
Watts = Annotated[float, Dimension("power")]
Joules = Annotated[float, Dimension("energy")]
PerSecond = Annotated[float, Dimension("frequency")]
Dollars = Annotated[float, Dimension("money")]
DollarsPerSecond = Annotated[float, Dimension("price")]
DollarsPerJoule = Annotated[float, Dimension("energy price")]
KilogramsPerJoule = Annotated[float, Dimension("carbon")]
Ratio = Annotated[float, Dimension("ratio")]


def parse(value: str | float, dimension: str) -> float:
    """Return ``value`` in SI units.

    A string is a number and a unit; a bare number is taken only for a ratio or when it is 0. NaN, infinities and
    negative quantities are refused. Raises ``UnitError`` saying what was expected.

    >>> parse("400 Gb/s", "bandwidth"), parse("80 GiB", "bytes"), parse("5 min", "time")
    (50000000000.0, 85899345920.0, 300.0)
    >>> round(parse("$2.10/h", "price") * 3600, 9)
    2.1
    """
    units = _UNITS[dimension]
    example = f"write for example {_EXAMPLES[dimension]!r}"
    noun, shown = _NOUNS.get(dimension, f"a {dimension}"), _shown(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f"{shown} is not {noun}; {example}")
    if isinstance(value, str):
        text = value.strip()
        money = "$" if text.startswith("$") else ""
        match = _NUMBER.fullmatch(text[len(money) :].lstrip())
        if match is None:
            raise UnitError(f"{shown} is not {noun}; {example}")
        number, unit = float(match[1].replace("_", "").replace(",", "")), money + match[2].replace(" ", "")
    else:
        number, unit = float(value) if abs(value) < 1e300 else math.inf, ""
    if math.isnan(number) or math.isinf(number):
        raise UnitError(f"{shown} is not finite; {example}")
    if unit not in units and not (number == 0 and unit == ""):
        problem = f"unknown unit {unit!r}{_close(unit, units)}" if unit else "no unit"
        raise UnitError(f"{shown} has {problem} for {noun}; {example}")
    if number < 0:
        raise UnitError(f"{shown} is negative; {noun} must be 0 or more")
    result = _scaled(number, units.get(unit, 1.0))
    if math.isinf(result):
        raise UnitError(f"{shown} is too large for {noun}; {example}")
    return result


def example(dimension: str) -> str:
    """Return a quantity of the dimension as a user would write it.

    >>> example("bandwidth")
    '400 Gb/s'
    """
    return _EXAMPLES[dimension]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _scaled(number: float, factor: float) -> float:
    """Multiply, but divide by the whole inverse of a small factor, so that "70 %" is 0.7 and not 0.7000000000000001."""
    inverse = round(1 / factor)
    return number / inverse if factor < 1 and math.isclose(inverse * factor, 1.0, rel_tol=1e-12) else number * factor


def _close(unit: str, units: dict[str, float]) -> str:
    """Name the nearest unit, first by spelling in other letter cases."""
    same = [known for known in units if known.lower() == unit.lower()]
    near = same or difflib.get_close_matches(unit, units, n=1, cutoff=0.6)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


_STEPS: dict[str, tuple[tuple[float, str], ...]] = {
    "time": ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "bytes": (*((f, p + "B") for p, f in reversed(_IEC.items())), (1.0, "B")),
    "bandwidth": (*((_SI[p] / 8, p + "b/s") for p in "TGMk"), (1 / 8, "b/s")),
    "power": ((1e6, "MW"), (1e3, "kW"), (1.0, "W")),
    "energy": ((3.6e9, "MWh"), (3.6e6, "kWh"), (3.6e3, "Wh"), (1.0, "J")),
    "compute": (*((_SI[p], p + "FLOP/s") for p in "PTG"), (1.0, "FLOP/s")),
}


def format_quantity(value: float, dimension: str, digits: int = 4) -> str:
    """Write an SI number for people, in the largest unit that keeps it at 1 or more.

    >>> format_quantity(50e9, "bandwidth"), format_quantity(5400, "time"), format_quantity(0.07, "ratio")
    ('400 Gb/s', '1.5 h', '7 %')
    """
    if math.isnan(value):
        return "-"
    if dimension == "ratio":
        return f"{value * 100:.{digits}g} %"
    if dimension == "money":
        return f"${value:,.2f}"
    if dimension == "price":
        return f"${value * 3600:,.2f}/h"
    if dimension == "energy price":
        return f"${value * 3.6e6:,.4g}/kWh"
    steps = _STEPS.get(dimension)
    if steps is None or value == 0 or math.isinf(value):
        unit = steps[-2][1] if steps and dimension == "time" else (steps[-1][1] if steps else "")
        return f"{value:.{digits}g} {'s' if dimension == 'time' else unit}".strip()
    factor, unit = next(((f, u) for f, u in steps if abs(value) >= f), steps[-1])
    return f"{value / factor:.{digits}g} {unit}"
