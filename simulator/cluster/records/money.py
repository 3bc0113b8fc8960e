"""What clusters and their power cost and emit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from simulator.cluster.records.base import Record
from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import DollarsPerJoule, DollarsPerSecond, KilogramsPerJoule, Ratio

PRICE_KINDS = ("on-demand", "spot", "1y", "3y", "capacity-block", "reserved")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPrice(Record):
    """What a provider asks for one accelerator-second of an instance that has ``accelerators`` of them.

    A row without ``accelerator`` is a CPU instance, priced as a whole.
    """

    section: ClassVar[str] = "prices"
    file: ClassVar[str] = "prices.yaml"
    references: ClassVar[Mapping[str, str]] = {"accelerator": "accelerator"}

    provider: str
    instance: str
    accelerator: str | None = None
    accelerators: int = 1
    region: str
    prices: dict[str, DollarsPerSecond] = field(hash=False)
    """Kind of purchase (one of ``PRICE_KINDS``) -> US dollars per accelerator-second."""

    @property
    def short(self) -> str:
        """The whole id: what an instance costs is a matter of its provider."""
        return self.id

    def rate(self, kind: str = "on-demand") -> float:
        """Return US dollars per accelerator-second; ``InputError`` when the row has no such price."""
        if kind not in self.prices:
            raise InputError(f"{self.id} has no {kind!r} price. {did_you_mean(kind, self.prices)}")
        return self.prices[kind]

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        unknown = [kind for kind in self.prices if kind not in PRICE_KINDS]
        if unknown:
            return f"unknown kind of price {unknown[0]!r}. {did_you_mean(unknown[0], PRICE_KINDS)}"
        return None if self.prices else "prices is empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pue(Record):
    """Power usage effectiveness: facility energy over IT energy, a yearly mean."""

    section: ClassVar[str] = "pue"
    file: ClassVar[str] = "power.yaml"

    region: str
    value: Ratio

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        return f"a PUE of {self.value:g} is below 1" if self.value < 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Electricity(Record):
    """Price of electricity at the meter, US dollars per joule."""

    section: ClassVar[str] = "electricity"
    file: ClassVar[str] = "power.yaml"

    region: str
    price: DollarsPerJoule


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon(Record):
    """Carbon intensity of a grid, kilograms of CO2-equivalent per joule, location-based."""

    section: ClassVar[str] = "carbon"
    file: ClassVar[str] = "power.yaml"

    region: str
    intensity: KilogramsPerJoule
