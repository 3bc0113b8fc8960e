"""Generated requests against the logs that they were fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from simulator.experiment.validate import Row, areas, row
from simulator.workload.requestgenerators import generate_requests
from simulator.workload.requestlog import RequestLog
from simulator.workload.requestsummary import describe

_DATA = Path(__file__).parent / "data"
SAMPLES = 16
"""Logs of each preset, each as long as the one it is fitted to: how bursty a short log is differs from log to log."""
DISTANCE = 0.05
"""Bound of the largest difference of distribution functions, all samples together."""
FIGURES = {
    "input.mean": ("mean prompt", "tokens", 0.05),
    "output.mean": ("mean answer", "tokens", 0.05),
    "input.p50": ("median prompt", "tokens", 0.1),
    "output.p50": ("median answer", "tokens", 0.1),
    "rate": ("requests/s", "", 0.01),
    "gap.cv": ("variation of gaps", "", 0.5),
    "dispersion.1 s": ("dispersion of arrivals, 1 s", "", 0.5),
    "dispersion.10 s": ("dispersion of arrivals, 10 s", "", 0.5),
    "dispersion.1 min": ("dispersion of arrivals, 1 min", "", 0.5),
}
"""Words, unit and relative bound of each figure; bursts have the bound that those of jobs have."""


@areas.register("requests")
def requests() -> Iterator[Row]:
    """Lengths, bursts and means of generated requests against the log of each preset."""
    for name, reference in references().items():
        made = samples(name, reference["requests"])
        source = reference["source"]
        for column, noun in (("input", "prompts"), ("output", "answers")):
            far = quantile_distance(made, column, reference[column])
            yield row("requests", name, f"KS distance of {noun}", "", 0.0, source, far, DISTANCE)
        found = [describe(log) for log in made]
        for key, wanted in reference["figures"].items():
            words, unit, bound = FIGURES[key]
            yield row("requests", name, words, unit, wanted, source, fmean(each[key] for each in found), bound)


def samples(name: str, count: int) -> list[RequestLog]:
    """Return samples of a preset, of that many requests each, at the rate of its log or else one a second."""
    options: dict[str, Any] = {} if "rate" in references()[name]["figures"] else {"rate": 1.0}
    return [generate_requests(name, requests=count, seed=seed, **options) for seed in range(SAMPLES)]


@cache
def references() -> dict[str, Any]:
    """Read what the logs are like."""
    import yaml

    with (_DATA / "requests.yaml").open(encoding="utf-8") as file:
        found: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def quantile_distance(made: Sequence[RequestLog], column: str, table: Mapping[str, Sequence[float]]) -> float:
    """Largest difference of the distribution function of a column and quantiles (p, v), at the quantiles.

    Where several probabilities have one value the law has a step there, and the function takes any of them.
    """
    values = np.sort(np.concatenate([log.columns[column] for log in made]))
    v, p = np.asarray(table["v"], dtype=np.float64), np.asarray(table["p"], dtype=np.float64)
    below, up_to = (np.searchsorted(values, np.round(v), side=side) / len(values) for side in ("left", "right"))
    return float(np.maximum(below - p, p - up_to).clip(0.0).max())
