"""Presets that look like public traces: one arrival process, and one YAML file of fitted numbers for each preset.

A file in ``simulator/workload/data`` has ``summary`` and ``source``; ``arrivals`` (rate, hour_of_day, day_of_week,
step, swings); ``accelerators`` (weights by number); and ``durations`` (laws by number of accelerators, see
``simulator.workload.laws``). It may have ``tenants`` (weights), ``accelerators_by_tenant`` and ``shapes`` (cores,
memory in MiB, weight). Files with ``classes`` are read by ``simulator.workload.generators.mixed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.units import PerSecond, Seconds
from simulator.workload.generate import generators, load_note, rate_for_load
from simulator.workload.presets import begin, durations, longest, numbers, presets, rhythm, shapes, tenant_shares
from simulator.workload.rows import as_objects
from simulator.workload.sampling import Draws, choose, modulated_times, pick
from simulator.workload.trace import Columns, Trace
from simulator.workload.walltimes import requested as estimates


def preset(path: Path, summary: str) -> Callable[..., Trace]:
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
        burstiness: float = 1.0,
        requested: str | float = "exact",
    ) -> Trace:
        fit = numbers(path)
        origin = begin(start)
        columns = _work(draws, jobs, fit, tenants, longest(max_duration))
        mean_size = float(np.mean(columns["accelerators"] * columns["duration"]))
        natural = fit["arrivals"]["rate"] if load is None else None
        chosen = rate_for_load(load, accelerators, mean_size, natural if rate is None else rate)
        times = np.floor(modulated_times(draws, jobs, chosen, origin, rhythm(fit["arrivals"], burstiness)))
        note = load_note(chosen, mean_size, accelerators)
        if requested != "exact":
            columns["estimate"] = estimates(requested, draws, columns["duration"], np.arange(jobs))
        return Trace(f"{path.stem}-{draws.seed}", {"submit": times} | columns, origin=origin, notes=(note,))

    make.__doc__ = f"""{summary}.

    Arrivals follow a profile of hour and weekday and slow random swings, from ``start`` (ISO date; a Monday unless
    given). All jobs come within jobs / rate seconds: ``rate`` (jobs/s) is that of the trace unless given, or with
    ``load`` and ``accelerators`` it is load x accelerators / (mean accelerator-seconds of the jobs drawn). ``tenants``:
    a number of equal ones, or weights by name; as fitted unless given, 0 for none. ``max_duration`` (s) cuts longer
    runs. ``burstiness`` multiplies the variance of the swings, 0 for none. ``requested``: ``exact``, ``user`` (round
    requests, mostly far too long), or a factor on the durations. Times are whole seconds.
    """
    return make


def _work(draws: Draws, jobs: int, fit: Mapping[str, Any], tenants: Any, bound: float) -> Columns:
    """Draw what each job is, without when it comes."""
    shares = tenant_shares(tenants, fit.get("tenants", {}))
    names = list(shares)
    index = choose(draws.stream("tenants").random(jobs), list(shares.values())) if names else np.zeros(jobs, int)
    asked = draws.stream("accelerators").random(jobs)
    gangs = pick(asked, fit["accelerators"])
    if names and tenants is None:
        for number, name in enumerate(names):
            own = index == number
            gangs[own] = pick(asked[own], fit["accelerators_by_tenant"][name])
    uniform = draws.stream("durations").random(jobs)
    columns = {"duration": durations(gangs, uniform, fit["durations"], bound), "accelerators": gangs}
    if names:
        columns["tenant"] = as_objects(names[number] for number in index)
    if "shapes" in fit:
        columns |= shapes(gangs, draws.stream("shapes").random(jobs), fit["shapes"])
    return columns


for _path, _summary in presets(classes=False).items():
    generators.register(_path.stem)(preset(_path, _summary))
