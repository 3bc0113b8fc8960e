"""US dollars: capital, electricity, and cloud. What has no known price is reported and never counted as free.

Straight-line depreciation and electricity at facility level, as in Barroso, Hoelzle and Ranganathan, "The Datacenter
as a Computer", 3rd edition (2018), chapter 6; buildings, staff, software and interest are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from simulator.core.errors import InputError
from simulator.models.energy import facility_energy

T = TypeVar("T", float, NDArray[np.float64])


class Priced(Protocol):
    """A line of a bill of materials: ``count`` pieces at ``unit_price`` US dollars (None when not known)."""

    @property
    def count(self) -> int:
        """Pieces."""
        ...

    @property
    def unit_price(self) -> float | None:
        """US dollars apiece."""
        ...


L = TypeVar("L", bound=Priced)


class BillTotal(NamedTuple, Generic[L]):
    """US dollars of all lines whose price is known, and the lines whose price is not."""

    dollars: float
    missing: tuple[L, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost in US dollars, by part. A part that does not apply is 0; one that is not known is NaN."""

    capex: float = 0.0
    electricity: float = 0.0
    cloud: float = 0.0

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return self.capex + self.electricity + self.cloud

    def per(self, units: float) -> float:
        """Return the total over ``units`` (accelerator-hours, jobs, ...); NaN when there are none.

        >>> Cost(capex=30.0, electricity=6.0).per(18)
        2.0
        """
        return self.total / units if units > 0 else float("nan")


def bill_total(lines: Sequence[L]) -> BillTotal[L]:
    """Add up a bill of materials; lines without a price come back in ``missing``."""
    priced = [(line.count, line.unit_price) for line in lines]
    dollars = sum((count * price for count, price in priced if price is not None), 0.0)
    return BillTotal(dollars, tuple(line for line in lines if line.unit_price is None))


def capex(price: T, span: float, life: float) -> T:
    """Return the share of a purchase that ``span`` seconds use up: ``price * span / life`` (straight line).

    ``price`` in US dollars, ``life`` in seconds; beyond the life it goes on, as if what wore out
    were bought again. Raises ``InputError`` when ``life`` is not above 0 or ``span`` is negative.

    >>> capex(1_000.0, span=86_400.0, life=10 * 86_400.0)
    100.0
    """
    if not life > 0:
        raise InputError(f"a life of {life:g} s is not above 0")
    if not span >= 0:
        raise InputError(f"a span of {span:g} s is negative")
    return price * (span / life)


def electricity(joules: T, price: float, pue: float = 1.0) -> T:
    """Return US dollars for ``joules`` of IT energy at ``price`` ($/J) in a facility of ``pue``.

    >>> round(electricity(3.6e9, price=0.10 / 3.6e6, pue=1.2), 9)
    120.0
    """
    return facility_energy(joules, pue) * price


def cloud(accelerator_seconds: T, price: float) -> T:
    """Return US dollars for ``accelerator_seconds`` that were provisioned, busy or not, at ``price`` ($/s each).

    >>> round(cloud(8 * 3600.0, price=2.10 / 3600), 9)
    16.8
    """
    return accelerator_seconds * price
