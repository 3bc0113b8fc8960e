"""Checks of the parameters of controllers of nodes, in one wording."""

from __future__ import annotations

import math


def seconds(**times: float) -> None:
    """Raise ``ValueError`` for a time in seconds that is negative or no number; infinity stands for never."""
    for name, value in times.items():
        if not value >= 0:
            raise ValueError(f"{name} is {value:g} s; it must be 0 or more")


def interval(value: float) -> None:
    """Raise ``ValueError`` for a time between two steps that is no finite number above 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"interval is {value:g} s; it must be above 0")


def shares(**values: float) -> None:
    """Raise ``ValueError`` for a share that is not between 0 and 1."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value:g}; it must be between 0 and 1")


def counts(least: int = 0, **numbers: int) -> None:
    """Raise ``ValueError`` for a number of nodes that is below ``least`` or not whole."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number, {least} or more")
