"""Failure rates: how often components of a kind fail, as somebody has counted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from simulator.cluster.records.base import Record
from simulator.core.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Record):
    """A failure rate. ``mtbf`` is the mean time of one unit between its failures, in use all the time.

    Where ``events`` and ``exposure`` are known the rate is their quotient, and ``mtbf`` its inverse, rounded.
    """

    section: ClassVar[str] = "failures"
    file: ClassVar[str] = "failures.yaml"

    what: str
    """What fails."""
    component: Literal["accelerator", "node", "nic", "link", "switch", "other"]
    """What one unit of the exposure is; ``other`` is nothing that a cluster here is made of."""
    mtbf: Seconds
    events: int | None = None
    """Failures that were counted."""
    exposure: Seconds | None = None
    """Unit-seconds in which they were."""
    repair: str = ""
    """What the source says of repairs."""

    @property
    def rate(self) -> float:
        """Failures of one unit per second."""
        if self.events is not None and self.exposure is not None:
            return self.events / self.exposure
        return 1.0 / self.mtbf

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        if not self.mtbf > 0:
            return f"mtbf {self.mtbf:g} s is not above 0"
        if (self.events is None) != (self.exposure is None):
            return "events and exposure must both be there, or neither"
        if abs(self.rate * self.mtbf - 1) > 0.01:
            return f"mtbf {self.mtbf:g} s is not exposure over events, {1 / self.rate:g} s"
        return None
