"""Presets that look like public traces: one generator, and one YAML file of fitted numbers for each preset.

A file in ``simulator/workload/data`` has ``summary`` and ``source``; ``arrivals`` (rate, hour_of_day, day_of_week,
step, swings); ``accelerators`` (weights by number); and ``durations`` (quantile tables by number of accelerators). It
may have ``tenants`` (weights), ``accelerators_by_tenant`` and ``shapes`` (cores, memory in MiB, weight).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import PerSecond, Seconds
from simulator.workload.generate import generators, load_note, rate_for_load, weights
from simulator.workload.rows import as_objects
from simulator.workload.sampling import (
    Draws,
    Rhythm,
    Swing,
    choose,
    from_quantiles,
    modulated_times,
    pick,
)
from simulator.workload.trace import Columns, Trace

DATA = Path(__file__).parent.parent / "data"
MONDAY = datetime(2024, 1, 1)
"""Second 0 of a generated workload unless another start is given."""
_MIB = 2.0**20


def preset(path: Path) -> Callable[..., Trace]:
    """Return the generator that draws from the fitted numbers in a YAML file."""

    def make(
        draws: Draws,
        jobs: int,
        accelerators: float | None = None,
        load: float | None = None,
        rate: PerSecond | None = None,
        tenants: int | Mapping[str, float] | None = None,
        max_duration: Seconds | None = None,
        start: str | None = None,
    ) -> Trace:
        fit = numbers(path)
        begin = _begin(start)
        columns = _work(draws, jobs, fit, tenants, math.inf if max_duration is None else max_duration)
        mean_size = float(np.mean(columns["accelerators"] * columns["duration"]))
        natural = fit["arrivals"]["rate"] if load is None else None
        chosen = rate_for_load(load, accelerators, mean_size, natural if rate is None else rate)
        times = np.floor(modulated_times(draws, jobs, chosen, begin, _rhythm(fit["arrivals"])))
        note = load_note(chosen, mean_size, accelerators)
        return Trace(f"{path.stem}-{draws.seed}", {"submit": times} | columns, origin=begin, notes=(note,))

    make.__doc__ = f"""{numbers(path)["summary"]}.

    Arrivals follow a profile of hour and weekday and slow random swings, from ``start`` (ISO date; a Monday unless
    given). All jobs come within jobs / rate seconds: ``rate`` (jobs/s) is that of the trace unless given, or with
    ``load`` and ``accelerators`` it is load x accelerators / (mean accelerator-seconds of the jobs drawn). ``tenants``:
    a number of equal ones, or weights by name; as fitted unless given, 0 for none. ``max_duration`` (s) cuts longer
    runs. Times are whole seconds.
    """
    return make


@lru_cache(maxsize=64)
def numbers(path: Path) -> dict[str, Any]:
    """Read the fitted numbers of a preset."""
    import yaml

    with path.open(encoding="utf-8") as file:
        fit: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return fit


def _begin(start: str | None) -> datetime:
    if start is None:
        return MONDAY
    try:
        return datetime.fromisoformat(str(start))
    except ValueError:
        raise InputError(f"start: {start!r} is not a date such as '2024-01-01'") from None


def _rhythm(arrivals: Mapping[str, Any]) -> Rhythm:
    profiles = {name: tuple(arrivals[name]) for name in ("hour_of_day", "day_of_week") if name in arrivals}
    return Rhythm(swings=tuple(Swing(**swing) for swing in arrivals["swings"]), step=arrivals["step"], **profiles)


def _work(draws: Draws, jobs: int, fit: Mapping[str, Any], tenants: Any, longest: float) -> Columns:
    """Draw what each job is, without when it comes."""
    if not longest >= 1:
        raise InputError(f"max_duration: {longest!r} s is less than 1 s")
    names, index = _tenants(draws, jobs, fit, tenants)
    asked = draws.stream("accelerators").random(jobs)
    gangs = pick(asked, fit["accelerators"])
    if names and tenants is None:
        for number, name in enumerate(names):
            own = index == number
            gangs[own] = pick(asked[own], fit["accelerators_by_tenant"][name])
    columns = {"duration": _durations(draws, gangs, fit["durations"], longest), "accelerators": gangs}
    if names:
        columns["tenant"] = as_objects(names[number] for number in index)
    return columns | (_shapes(draws, gangs, fit["shapes"]) if "shapes" in fit else {})


def _tenants(draws: Draws, jobs: int, fit: Mapping[str, Any], tenants: Any) -> tuple[list[str], np.ndarray]:
    if isinstance(tenants, Mapping):
        shares = weights("tenants", tenants)
    elif tenants is not None:
        if not isinstance(tenants, int) or isinstance(tenants, bool) or tenants < 0:
            raise InputError(f"tenants: {tenants!r} is neither a number of tenants nor weights by name")
        shares = {f"tenant-{number}": 1.0 for number in range(1, int(tenants) + 1)}
    else:
        shares = fit.get("tenants", {})
    if not shares:
        return [], np.zeros(jobs)
    return [str(name) for name in shares], choose(draws.stream("tenants").random(jobs), list(shares.values()))


def _durations(draws: Draws, gangs: np.ndarray, tables: list[Any], longest: float) -> np.ndarray:
    uniform = draws.stream("durations").random(len(gangs))
    values = np.zeros(len(gangs))
    for table, of in _classes(gangs, tables):
        values[of] = from_quantiles(uniform[of], table["p"], table["v"])
    return np.clip(np.round(values), 1.0, longest)


def _shapes(draws: Draws, gangs: np.ndarray, tables: list[Any]) -> Columns:
    """Draw cores and memory (bytes) together, by number of accelerators."""
    uniform = draws.stream("shapes").random(len(gangs))
    shapes = np.zeros((len(gangs), 2))
    for table, of in _classes(gangs, tables):
        kinds = np.asarray(table["of"], dtype=np.float64)
        shapes[of] = kinds[choose(uniform[of], kinds[:, 2].tolist()), :2]
    return {"cores": shapes[:, 0], "memory": shapes[:, 1] * _MIB}


def _classes(gangs: np.ndarray, tables: list[Any]) -> list[tuple[Any, np.ndarray]]:
    """Pair each table with the jobs that it is for: those above the bound of the one before, up to its own."""
    bounds = [-math.inf] + [float(table["up_to"]) for table in tables]
    return [(table, (gangs > low) & (gangs <= table["up_to"])) for low, table in zip(bounds, tables, strict=False)]


for _path in sorted(DATA.glob("*.yaml")):
    generators.register(_path.stem)(preset(_path))
