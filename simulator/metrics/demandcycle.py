"""Whether the demand on a cluster comes again and again in the same way, and with what period."""

from __future__ import annotations

import math

import numpy as np

from simulator.metrics.oscillation import period
from simulator.metrics.window import Window

SAME = 0.15
"""Share by which a period may differ from that of the demand and still be called the same (ours)."""
REPEATS = 0.5
"""Correlation of the demand with itself one period later from which on the period is told (ours)."""
_CELL = 60.0
"""Seconds over which requests are counted (ours)."""
_FEWEST = 24
"""Cells that a run is cut into at least to count requests, so that short periods are seen (ours)."""
_FINEST = 4096
"""Cells that a run is cut into at most to count requests."""
_DISPERSED = 2.0
"""Variance over mean of the counts from which on they are more than chance (ours): Poisson's law has 1."""


def periods(window: Window) -> dict[str, float]:
    """Period (s) of the demand of each load and of the arrivals of each service that repeats; others are left out."""
    span = (window.warmup, window.end)
    found = {}
    for name, (time, value) in (_loads(window) | _requests(window)).items():
        before = value[time <= span[0]]
        inside = (time > span[0]) & (time < span[1])
        first = float(before[-1]) if before.size else 0.0
        length, strength = period(time[inside], value[inside], span, first)
        if strength >= REPEATS:
            found[name] = length
    return found


def followed(length: float, demands: dict[str, float]) -> float:
    """The period of a demand (s) that a period (s) agrees with, the nearest one; NaN when it agrees with none.

    >>> followed(3050.0, {"shop": 3000.0, "chat": 600.0}), followed(math.nan, {"shop": 3000.0})
    (3000.0, nan)
    """
    close = [other for other in demands.values() if abs(length - other) <= SAME * other]
    return min(close, key=lambda other: abs(length - other), default=math.nan)


def _loads(window: Window) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Demand (1/s) of each load: from when on, and how much; rows that repeat the one before are left out."""
    workload = window.column("loads", "workload")
    found = {}
    for name in dict.fromkeys(workload.tolist()):
        rows = np.asarray(workload == name, dtype=bool)
        time, value = (window.column("loads", column)[rows] for column in ("time", "demand"))
        news = np.append(True, np.diff(value) != 0) if len(value) else np.zeros(0, dtype=bool)
        found[str(name)] = (time[news], value[news])
    return found


def _requests(window: Window) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Requests of each service by cells of one length: when each cell begins (s), and how many came in it."""
    workload, came = window.column("requests", "workload"), window.column("requests", "arrival")
    length = window.end - window.warmup
    if not length > 0:
        return {}
    cells = int(min(max(length / _CELL, _FEWEST), _FINEST))
    edges = np.linspace(window.warmup, window.end, cells + 1)
    found = {}
    for name in dict.fromkeys(workload.tolist()):
        count = np.histogram(came[np.asarray(workload == name, dtype=bool)], edges)[0].astype(float)
        if count.var() > _DISPERSED * count.mean():
            found[str(name)] = (edges[:-1], count)
    return found
