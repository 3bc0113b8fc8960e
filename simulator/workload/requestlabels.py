"""Who sent a generated request: tenants, classes of service and LoRA adapters, some of them busier than others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.generate import weights
from simulator.workload.requestlog import RequestLog
from simulator.workload.rows import as_objects
from simulator.workload.sampling import Draws, choose

Shares = int | Mapping[str, float]
"""A number of them, their popularity by Zipf's law, or weights by name."""
_MOST = 1_000_000


def zipf(count: int, skew: float) -> list[float]:
    """Return the weights of ``count`` things by Zipf's law: the one of rank k has k ** -skew; 0 makes them equal."""
    if not isinstance(skew, int | float) or not 0 <= skew < math.inf:
        raise InputError(f"skew: {skew!r} is not a number of 0 or more")
    ranks = np.arange(1, count + 1, dtype=np.float64)
    found: list[float] = (ranks**-skew).tolist()
    return found


def counted(what: str, value: int, least: int = 1) -> int:
    """Return a whole number of ``least`` or more; ``InputError`` for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
        raise InputError(f"{what}: {value!r} is not a whole number from {least} to {_MOST:,}")
    return value


def named_shares(what: str, given: Shares, skew: float, noun: str) -> dict[str, float]:
    """Return weights by name: those given, or ``<noun>-1``, ``<noun>-2``, ... by Zipf's law."""
    if isinstance(given, Mapping):
        return {str(name): share for name, share in weights(what, given).items()}
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= _MOST:
        raise InputError(f"{what}: {given!r} is neither a number of them (1 to {_MOST:,}) nor weights by name")
    return {f"{noun}-{number}": share for number, share in enumerate(zipf(given, skew), 1)}


def labelled(
    log: RequestLog,
    draws: Draws,
    tenants: Shares | None,
    classes: Mapping[str, float] | None,
    adapters: Shares | None,
    skew: float,
) -> RequestLog:
    """Return the log with tenants, classes and adapters drawn, one for all requests of a session."""
    if tenants is None and classes is None and adapters is None:
        return log
    drawn: dict[str, np.ndarray] = {}
    unit = _units(log)
    for column, what, given, noun in (
        ("tenant", "tenants", tenants, "tenant"),
        ("category", "classes", classes, "class"),
        ("adapter", "adapters", adapters, "adapter"),
    ):
        if given is not None:
            shares = named_shares(what, given, skew, noun)
            names = as_objects(shares)
            uniform = draws.stream(what).random(int(unit.max()) + 1)
            drawn[column] = names[choose(uniform, list(shares.values()))[unit]]
    return replace(log, columns=log.columns | drawn)


def _units(log: RequestLog) -> np.ndarray:
    """Number what is labelled as one: sessions in order of their first request, or requests."""
    sessions = log.columns.get("session")
    if sessions is None:
        return np.arange(len(log))
    known: dict[object, int] = {}
    return np.array([known.setdefault(name or place, len(known)) for place, name in enumerate(sessions.tolist())])
