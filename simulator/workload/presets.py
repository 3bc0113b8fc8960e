"""The rows of fitted numbers that come with the project, and what all presets read from them in the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.generate import weights
from simulator.workload.laws import law
from simulator.workload.sampling import Rhythm, Swing, choose
from simulator.workload.trace import Columns

DATA = Path(__file__).parent / "data"
MONDAY = datetime(2024, 1, 1)
"""Second 0 of a generated workload unless another start is given."""
_MIB = 2.0**20
_CALM = 0.05
"""Coefficient of variation below which a swing is none."""


@lru_cache(maxsize=64)
def numbers(path: Path) -> dict[str, Any]:
    """Read the fitted numbers of a preset."""
    import yaml

    with path.open(encoding="utf-8") as file:
        fit: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return fit


def presets(classes: bool) -> dict[Path, str]:
    """Return the files with ``classes``, or those without, and their summaries; only the text is looked at."""
    texts = {path: path.read_text("utf-8") for path in sorted(DATA.glob("*.yaml"))}
    return {
        path: text.partition("\n")[0].removeprefix("summary: ").strip('"')
        for path, text in texts.items()
        if ("\nclasses:" in text) == classes
    }


def begin(start: str | None) -> datetime:
    """Return the date of second 0; raises ``InputError`` for what is no date."""
    if start is None:
        return MONDAY
    try:
        return datetime.fromisoformat(str(start))
    except ValueError:
        raise InputError(f"start: {start!r} is not a date such as '2024-01-01'") from None


def longest(max_duration: float | None) -> float:
    """Return the bound on durations (s), infinite unless given; raises ``InputError`` below 1 s."""
    bound = math.inf if max_duration is None else max_duration
    if not bound >= 1:
        raise InputError(f"max_duration: {bound!r} s is less than 1 s")
    return bound


def tenant_shares(tenants: int | Mapping[str, float] | None, fitted: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of tenants by name: as ``fitted``, or a number of equal ones, or those given."""
    if isinstance(tenants, Mapping):
        return {str(name): share for name, share in weights("tenants", tenants).items()}
    if tenants is None:
        return {str(name): share for name, share in fitted.items()}
    if not isinstance(tenants, int) or isinstance(tenants, bool) or tenants < 0:
        raise InputError(f"tenants: {tenants!r} is neither a number of tenants nor weights by name")
    return {f"tenant-{number}": 1.0 for number in range(1, tenants + 1)}


def checked_burstiness(burstiness: float) -> float:
    """Return ``burstiness``; raises ``InputError`` for what is no finite number of 0 or more."""
    if not isinstance(burstiness, int | float) or not 0 <= burstiness < math.inf:
        raise InputError(f"burstiness: {burstiness!r} is not a number of 0 or more")
    return float(burstiness)


def rhythm(arrivals: Mapping[str, Any], burstiness: float = 1.0) -> Rhythm:
    """Return the rhythm that a row of data describes, the variance of its swings times ``burstiness``."""
    profiles = {name: tuple(arrivals[name]) for name in ("hour_of_day", "day_of_week") if name in arrivals}
    grown = math.sqrt(checked_burstiness(burstiness))
    swings = tuple(
        Swing(row["share"], row["cv"] * grown, row["memory"])
        for row in arrivals.get("swings", ())
        if row["cv"] * grown >= _CALM
    )
    return Rhythm(swings=swings, step=arrivals.get("step", 600.0), **profiles)


def durations(gangs: np.ndarray, uniform: np.ndarray, tables: list[Any], bound: float) -> np.ndarray:
    """Return durations in whole seconds, 1 to ``bound``, by the law for each number of accelerators."""
    values = np.zeros(len(gangs))
    for table, of in by_size(gangs, tables):
        values[of] = law(table)(uniform[of])
    return np.clip(np.round(values), 1.0, bound)


def shapes(gangs: np.ndarray, uniform: np.ndarray, tables: list[Any]) -> Columns:
    """Return cores and memory (bytes), drawn together, by number of accelerators."""
    found = np.zeros((len(gangs), 2))
    for table, of in by_size(gangs, tables):
        kinds = np.asarray(table["of"], dtype=np.float64)
        found[of] = kinds[choose(uniform[of], kinds[:, 2].tolist()), :2]
    return {"cores": found[:, 0], "memory": found[:, 1] * _MIB}


def by_size(gangs: np.ndarray, tables: list[Any]) -> list[tuple[Any, np.ndarray]]:
    """Pair each table with the jobs that it is for: those above the bound of the one before, up to its own."""
    bounds = [-math.inf] + [float(table.get("up_to", math.inf)) for table in tables]
    return [
        (table, (gangs > low) & (gangs <= high))
        for table, low, high in zip(tables, bounds[:-1], bounds[1:], strict=True)
    ]
