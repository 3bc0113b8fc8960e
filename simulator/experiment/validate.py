"""The error of the models against theory, as ``simulator validate`` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from simulator.core.registry import Registry


class Row(NamedTuple):
    """One comparison; ``error`` is relative unless the reference is 0, and ``ok`` when it is within ``bound``."""

    area: str
    case: str
    measure: str
    unit: str
    reference: float
    source: str
    simulated: float
    error: float
    bound: float
    ok: bool


def row(
    area: str, case: str, measure: str, unit: str, reference: float, source: str, simulated: float, bound: float
) -> Row:
    """Make a row: error and bound are relative to the reference, absolute where that is 0."""
    scale = abs(reference) or 1.0
    # what is less is rounding, and differs from machine to machine
    error = round((simulated - reference) / scale, 12) or 0.0
    return Row(area, case, measure, unit, reference, source, simulated, error, bound, abs(error) <= bound)


areas: Registry[Callable[[], Iterator[Row]]] = Registry("validation area", "simulator.experiment.validation")


def rows(area: str | None = None) -> list[dict[str, Any]]:
    """Run the comparisons of one area, or of all; raises ``InputError`` with the nearest name for an unknown one."""
    names = [area] if area else areas.names()
    return [found._asdict() for name in names for found in areas.get(name)()]
