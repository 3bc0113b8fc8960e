"""Requests that look like public logs: one YAML file of fitted numbers for each.

A file in ``simulator/workload/data/requests`` has ``summary`` and ``source``; ``input`` and ``output`` (laws of
tokens, see ``simulator.workload.lengths``) and ``spearman`` (their rank correlation); perhaps ``together`` (most tokens
of both), and ``arrivals`` (``rate``, and what ``simulator.workload.requestarrivals`` takes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import PerSecond
from simulator.workload.lengths import Length, length_law, pairs
from simulator.workload.presets import DATA, checked_burstiness, numbers
from simulator.workload.requestarrivals import Arrivals, arrival_times, checked_rate, rate_note
from simulator.workload.requestgenerators import generator
from simulator.workload.requestlog import RequestLog
from simulator.workload.sampling import Draws
from simulator.workload.trace import Columns

FOLDER = DATA / "requests"
_CALM = 0.02
"""Coefficient of variation below which a swing is none."""


def preset(path: Path, summary: str) -> Callable[..., RequestLog]:
    """Return the generator that draws from the fitted numbers in a YAML file."""

    def make(
        draws: Draws,
        requests: int,
        rate: PerSecond | None = None,
        burstiness: float = 1.0,
        arrivals: Mapping[str, Any] | None = None,
        input: Length | None = None,
        output: Length | None = None,
    ) -> RequestLog:
        fit = numbers(path)
        fitted = dict(fit.get("arrivals", {}))
        natural = fitted.pop("rate", None)
        chosen = checked_rate(natural if rate is None else rate)
        if arrivals is not None and burstiness != 1.0:
            raise InputError("burstiness and arrivals contradict each other: give one of them")
        process = _grown(fitted, checked_burstiness(burstiness)) if arrivals is None else arrivals
        columns = {"arrival": arrival_times(draws, requests, chosen, process)} | _lengths(
            draws, requests, fit, input, output
        )
        return RequestLog(f"{path.stem}-{draws.seed}", columns, notes=(rate_note(columns["arrival"]),))

    make.__doc__ = f"""{summary}.

    ``rate`` in requests/s, that of the log unless given (where it has one); the swings of the rate keep their relative
    size. ``burstiness`` multiplies the variance of the swings and what clumps have beyond their first request; 0 for a
    Poisson process. ``arrivals`` takes their place, as for ``profile``. ``input`` and ``output`` are laws of tokens
    that take the place of the fitted ones, as those of ``poisson``.
    """
    return make


def _lengths(draws: Draws, requests: int, fit: Mapping[str, Any], input: Any, output: Any) -> Columns:
    first, second = pairs(draws.stream("lengths"), requests, fit["spearman"])
    columns = {
        "input": length_law("input", fit["input"] if input is None else input)(first),
        "output": length_law("output", fit["output"] if output is None else output)(second),
    }
    if "together" in fit and input is None and output is None:
        columns["input"] = np.minimum(columns["input"], np.maximum(fit["together"] - columns["output"], 1))
    return {name: np.asarray(column) for name, column in columns.items()}


def _grown(fitted: Arrivals, burstiness: float) -> Arrivals:
    """Return arrivals whose swings have ``burstiness`` times their variance."""
    grown = dict(fitted)
    swings = [row | {"cv": row["cv"] * math.sqrt(burstiness)} for row in fitted.get("swings", ())]
    grown["swings"] = swings
    if "clumps" in fitted:
        grown["clumps"] = fitted["clumps"] | {"mean": 1 + (fitted["clumps"]["mean"] - 1) * burstiness}
    if not any(row["cv"] >= _CALM for row in swings):
        grown = {name: value for name, value in grown.items() if name not in ("swings", "step")}
    return grown


def _summary(path: Path) -> str:
    return path.read_text("utf-8").partition("\n")[0].removeprefix("summary: ").strip('"')


for _path in sorted(FOLDER.glob("*.yaml")):
    generator(_path.stem)(preset(_path, _summary(_path)))
