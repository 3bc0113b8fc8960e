"""Workload presets against the traces that they were fitted to, or against what is published of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from simulator.experiment.validate import Row, areas, row
from simulator.workload.generate import generate
from simulator.workload.likeness import describe
from simulator.workload.trace import Trace

_DATA = Path(__file__).parent / "data"
SAMPLES = (3, 16)
"""Fewest and most samples of a preset, each as long as its trace; in between as many as have ``JOBS`` jobs together."""
JOBS = 150_000
DISTANCE = 0.05
"""Bound of the largest difference of distribution functions, all samples together. One sample can be further off: its
jobs come in sessions of near-identical ones, as those of the trace do (docs/generators.md)."""
FIGURES = {
    "dispersion.1 min": ("dispersion of arrivals, 1 min", "", 0.5),
    "dispersion.1 h": ("dispersion of arrivals, 1 h", "", 0.5),
    "duration.mean": ("mean duration", "s", 0.25),
    "duration.p50": ("median duration", "s", 0.25),
    "size.mean": ("mean accelerators", "", 0.10),
    "work.mean": ("accelerator-seconds of a job", "s", 0.35),
}
"""Words, unit and relative bound of each figure. The tail of work is so heavy that samples differ by as much."""


@areas.register("generators")
def generators() -> Iterator[Row]:
    """Laws, bursts and means of each preset against its trace, or what is published of it."""
    for name, reference in references().items():
        made = samples(name, reference["jobs"])
        source = reference["source"]
        for key, words, distance in (
            ("durations", "KS distance of durations", quantile_distance),
            ("sizes", "KS distance of accelerators", share_distance),
        ):
            if key in reference:
                far = distance(made, reference[key])
                yield row("generators", name, words, "", 0.0, source, far, DISTANCE)
        found = [describe(trace) for trace in made]
        for key, wanted in reference["figures"].items():
            words, unit, bound = FIGURES[key]
            yield row("generators", name, words, unit, wanted, source, fmean(each[key] for each in found), bound)


def samples(name: str, jobs: int) -> list[Trace]:
    """Return samples of a preset, of that many jobs each."""
    number = min(max(JOBS // jobs, SAMPLES[0]), SAMPLES[1])
    return [generate(name, jobs=jobs, seed=seed) for seed in range(number)]


@cache
def references() -> dict[str, Any]:
    """Read what the traces are like."""
    import yaml

    with (_DATA / "generators.yaml").open(encoding="utf-8") as file:
        found: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def quantile_distance(made: Sequence[Trace], table: Mapping[str, Sequence[float]]) -> float:
    """Largest difference of the distribution function of all durations and quantiles (p, v), at the quantiles.

    Where several probabilities have one value the law has a step there, and the function takes any of them.
    """
    values = np.sort(np.concatenate([trace.columns["duration"] for trace in made]))
    v, p = np.asarray(table["v"], dtype=np.float64), np.asarray(table["p"], dtype=np.float64)
    below, up_to = (np.searchsorted(values, np.round(v), side=side) / len(values) for side in ("left", "right"))
    return float(np.maximum(below - p, p - up_to).clip(0.0).max())


def share_distance(made: Sequence[Trace], sizes: Mapping[float, float]) -> float:
    """Largest difference of the shares of all jobs on up to so many accelerators."""
    values = np.sort(np.concatenate([trace.columns["accelerators"] for trace in made]))
    found = np.searchsorted(values, list(sizes), side="right") / len(values)
    return float(np.abs(found - np.array(list(sizes.values()))).max())
