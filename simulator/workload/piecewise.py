"""Integrals of rates over time that are given piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def stepwise(times: np.ndarray, edges: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Integral from 0 until each of ``times`` of a rate that is ``rates[i]`` from ``edges[i]`` on, and 0 before.

    Arrays of shape (n,) and twice (m,); edges rise, the last rate goes on for ever.

    >>> stepwise(np.array([0.0, 5.0, 20.0]), np.array([0.0, 10.0]), np.array([2.0, 1.0])).tolist()
    [0.0, 10.0, 30.0]
    """
    sums = np.append(0.0, np.cumsum(rates[:-1] * np.diff(edges)))
    place = np.searchsorted(edges, times, side="right") - 1
    found = np.maximum(place, 0)
    return np.asarray(np.where(place < 0, 0.0, sums[found] + rates[found] * (times - edges[found])))


def linear(times: np.ndarray, knots: Sequence[float], rates: Sequence[float]) -> np.ndarray:
    """Integral from 0 until each of ``times`` of a rate that is linear between knots, and constant beyond them.

    ``knots`` rise strictly and begin at 0 or later.

    >>> linear(np.array([5.0, 10.0, 20.0]), [0.0, 10.0], [0.0, 2.0]).tolist()
    [2.5, 10.0, 30.0]
    """
    at, height = np.array([0.0, *knots]), np.array([rates[0], *rates])
    sums = np.append(0.0, np.cumsum((height[1:] + height[:-1]) / 2 * np.diff(at)))
    place = np.clip(np.searchsorted(at, times, side="right") - 1, 0, None)
    return np.asarray(sums[place] + (height[place] + np.interp(times, at, height)) / 2 * (times - at[place]))


def check_rate(name: str, rate: float) -> None:
    """Raise ``ValueError`` for a rate that is below 0 or no number."""
    if not 0 <= rate < np.inf:
        raise ValueError(f"{name} is {rate:g} /s; it must be 0 or more")


def check_time(name: str, seconds: float) -> None:
    """Raise ``ValueError`` for a time that is not above 0."""
    if not 0 < seconds < np.inf:
        raise ValueError(f"{name} is {seconds:g} s; it must be above 0")
