"""Measured numbers for people: one unit for all the numbers that are compared, three digits that mean something."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MISSING = "–"
_ROUNDING = 1e-12
"""Relative: a half width that is smaller comes of the rounding of sums."""

_UNITS: dict[str, tuple[tuple[float, str, str], ...]] = {
    "time": (
        (86400.0, "", " d"),
        (3600.0, "", " h"),
        (60.0, "", " min"),
        (1.0, "", " s"),
        (1e-3, "", " ms"),
        (1e-6, "", " us"),
        (1e-9, "", " ns"),
    ),
    "frequency": ((1.0, "", "/s"), (1 / 60.0, "", "/min"), (1 / 3600.0, "", "/h"), (1 / 86400.0, "", "/d")),
    "ratio": ((0.01, "", " %"),),
    "points": ((0.01, "", " pp"),),
    "money": ((1.0, "$", ""),),
    "price": ((1 / 3600.0, "$", "/h"),),
    "energy": ((3.6e6, "", " kWh"),),
    "request rate": ((1.0, "", "/s"),),
    "token rate": ((1.0, "", " tok/s"),),
    "token energy": ((1.0, "", " J"), (1e-3, "", " mJ")),
    "count": ((1.0, "", ""),),
    "factor": ((1.0, "", ""),),
}


def decimals(value: float, digits: int = 3) -> int:
    """Places after the point that show ``digits`` significant digits, without cutting whole numbers.

    >>> decimals(3.14159), decimals(31415.9), decimals(0.0314)
    (2, 0, 4)
    """
    if value == 0.0 or not math.isfinite(value):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def plain(value: float, places: int) -> str:
    """Write ``value`` with ``places`` decimals and thousands commas; powers of ten only where that is unreadable."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if places > 7 or abs(value) >= 1e15:
        return f"{value:.3g}"
    text = f"{value:,.{places}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit for numbers that stand side by side: ``factor`` SI units make one; written prefix, number, suffix."""

    factor: float
    prefix: str
    suffix: str
    dimension: str

    def number(self, value: float, digits: int = 3) -> str:
        """The bare number in this unit, for a column whose head carries the unit."""
        return plain(value / self.factor, self._places(value, digits))

    def text(self, value: float, signed: bool = False, digits: int = 3) -> str:
        """Number and unit; ``signed`` writes the plus of a difference too.

        >>> scale([5400.0, 7200.0], "time").text(5400.0), scale([0.715], "ratio").text(0.715)
        ('1.5 h', '71.5 %')
        >>> scale([12345.678], "money").text(-12345.678, signed=True)
        '-$12,346'
        """
        if math.isnan(value):
            return MISSING
        sign = "-" if value < 0 else ("+" if signed and value > 0 else "")
        return f"{sign}{self.prefix}{self.number(abs(value), digits)}{self.suffix}"

    def interval(self, mean: float, half_width: float, signed: bool = False) -> str:
        """Mean, half width (two digits) and unit; the mean alone when there is no half width.

        Both have the same places, so that one sees whether the interval covers 0: one more than two digits need where
        they would look equal, or the mean like 0. A half width that is smaller than what is shown is said to be so.

        >>> scale([5400.0], "time").interval(5400.0, 650.0)
        '1.50 ± 0.18 h'
        >>> scale([14.0], "time").interval(13.9, 14.2), scale([6.8], "money").interval(6.8095, 1e-6)
        ('13.9 ± 14.2 s', '$6.81 ± <0.01')
        """
        if math.isnan(half_width) or math.isnan(mean):
            return self.text(mean, signed)
        scaled, half = abs(mean) / self.factor, half_width / self.factor
        half = 0.0 if half <= _ROUNDING * scaled else half
        places = min(decimals(half, 2), decimals(scaled) + 2) if half > 0 else self._places(mean)
        if half > 0 and (scaled < 10.0**-places or plain(scaled, places) == plain(half, places)):
            places = max(places, min(decimals(scaled, 3), decimals(half, 3)))
        places = 2 if places == 1 and self.dimension in ("money", "price") else places
        told = plain(half, places if half > 0 else 0)
        if half > 0 and not told.strip("0.,"):
            places = self._places(mean)
            told = f"<{plain(10.0**-places, places)}"
        sign = "-" if mean < 0 else ("+" if signed and mean > 0 else "")
        return f"{sign}{self.prefix}{plain(scaled, places)} ± {told}{self.suffix}"

    @property
    def unit(self) -> str:
        """The unit alone: ``h``, ``%``, ``$``, ``$/h``; empty for bare numbers."""
        return (self.prefix + self.suffix).strip()

    def _places(self, value: float, digits: int = 3) -> int:
        scaled = abs(value / self.factor)
        if self.dimension == "count" and scaled == math.floor(scaled):
            return 0
        if self.dimension in ("money", "price") and 0.1 <= scaled < 1000:
            return 2
        places = decimals(scaled, digits)
        text = f"{scaled:.{places}f}" if places and math.isfinite(scaled) else ""
        return len(text.rstrip("0").partition(".")[2]) if text else places


def wide(mean: float, half_width: float) -> float:
    """The number that says in which unit an interval reads best: the half width where that is larger than the mean."""
    return half_width if half_width > abs(mean) else mean


def scale(values: Iterable[float], dimension: str) -> Scale:
    """Pick the unit in which ``values`` (SI) read best together: the largest that keeps their geometric mean at 1.

    >>> scale([40.0, 7200.0], "time").unit
    'min'
    """
    units = _UNITS[dimension]
    sizes = [math.log(abs(v)) for v in values if v != 0 and math.isfinite(v)]
    if not sizes:
        default = next((u for u in units if u[0] == 1.0), units[0])
        return Scale(*default, dimension)
    typical = math.exp(sum(sizes) / len(sizes)) * (1 + 1e-9)
    largest_first = sorted(units, reverse=True)
    chosen = next((u for u in largest_first if typical >= u[0] * (2.0 if u[2] == " d" else 1.0)), largest_first[-1])
    return Scale(*chosen, dimension)
