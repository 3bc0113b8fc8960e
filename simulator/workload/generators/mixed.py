"""Presets of several classes of jobs, each with its own process: one YAML file of fitted numbers for each preset.

A file in ``simulator/workload/data`` with ``classes`` (see ``simulator.workload.classes``), ``summary``, ``source`` and
``arrivals`` with the ``rate``. What a class does not say is what the file says beside ``classes``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import PerSecond, Seconds
from simulator.workload.classes import Choices, checked_weights, counts, draw, together
from simulator.workload.generate import generators, load_note, rate_for_load
from simulator.workload.presets import begin, checked_burstiness, longest, numbers, presets, tenant_shares
from simulator.workload.sampling import Draws, checked_span
from simulator.workload.trace import Trace

_OWN = ("summary", "source", "classes")


def preset(path: Path, summary: str) -> Callable[..., Trace]:
    """Return the generator that draws from the fitted numbers in a YAML file."""

    def make(
        draws: Draws,
        jobs: int,
        accelerators: float | None = None,
        load: float | None = None,
        rate: PerSecond | None = None,
        tenants: int | Mapping[str, float] | None = None,
        users: int | None = None,
        max_duration: Seconds | None = None,
        start: str | None = None,
        burstiness: float = 1.0,
        requested: str | float = "exact",
        priorities: Mapping[float, float] | None = None,
        slack: Mapping[float, float] | None = None,
        types: Mapping[str, str] | None = None,
    ) -> Trace:
        origin = begin(start)
        if users is not None and (not isinstance(users, int) or isinstance(users, bool) or users < 0):
            raise InputError(f"users: {users!r} is not a whole number of users of a tenant, 0 or more")
        choices = Choices(
            None if tenants is None else tenant_shares(tenants, {}), users, checked_burstiness(burstiness), requested,
            checked_weights("priorities", priorities), checked_weights("slack", slack), longest(max_duration),
            types,
        )  # fmt: skip
        drawn = [
            draw(replace(draws, prefix=f"{draws.prefix}{name}/"), count, row, choices)
            for (name, row), count in zip(rows(path).items(), counts(_shares(path), jobs).values(), strict=True)
            if count
        ]
        columns = together([each.columns for each in drawn])
        mean_size = float(np.mean(columns["accelerators"] * columns["duration"]))
        natural = numbers(path)["arrivals"]["rate"] if load is None else None
        chosen = rate_for_load(load, accelerators, mean_size, natural if rate is None else rate)
        span = checked_span(jobs, chosen, min(row["arrivals"].get("step", 600.0) for row in rows(path).values()))
        times = np.concatenate([each.times(span, origin, burstiness) for each in drawn])
        columns["submit"] = np.floor(times)
        if "deadline" in columns:
            columns["deadline"] = columns["submit"] + columns["deadline"]
        note = load_note(chosen, mean_size, accelerators)
        return Trace.sorted(f"{path.stem}-{draws.seed}", columns, origin=origin, notes=(note,))

    make.__doc__ = f"""{summary}.

    Each class of jobs has its own arrivals: a profile of hour and weekday, slow random swings, and sessions of
    near-identical jobs, from ``start`` (ISO date; a Monday unless given). All jobs come within jobs / rate seconds:
    ``rate`` (jobs/s) is that of the trace unless given, or with ``load`` and ``accelerators`` it is load x accelerators
    / (mean accelerator-seconds of the jobs drawn). ``tenants``: a number of equal ones, or weights by name, drawn for
    whole sessions; as fitted unless given, 0 for none. ``users``: how many in each tenant, their activity by Zipf's
    law. ``max_duration`` (s) cuts longer runs. ``burstiness`` multiplies the variance of the swings and what sessions
    have beyond their first job; 0 for a Poisson process with the profile. ``requested``: ``exact``, ``user`` (round
    requests, mostly far too long), or a factor on the durations. ``priorities``: weights by priority. ``slack``:
    weights by (deadline - submission) / duration. ``types``: what the cluster calls the models of accelerators of the
    preset. Times are whole seconds.
    """
    return make


def rows(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the classes of a preset by name, each with what is common to all."""
    fit = numbers(path)
    common = {key: value for key, value in fit.items() if key not in _OWN}
    return {
        str(name): common | row | {"arrivals": common["arrivals"] | row.get("arrivals", {})}
        for name, row in fit["classes"].items()
    }


def _shares(path: Path) -> dict[str, float]:
    return {name: row["share"] for name, row in rows(path).items()}


for _path, _summary in presets(classes=True).items():
    generators.register(_path.stem)(preset(_path, _summary))
