"""Workloads of queueing theory: Poisson arrivals, durations of a known law."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import PerSecond, Seconds
from simulator.workload.generate import generators, load_note, rate_for_load, weights
from simulator.workload.options import one_of
from simulator.workload.sampling import Draws, pick, poisson_times
from simulator.workload.trace import Trace

_LAWS = ("exponential", "deterministic", "lognormal")


@generators.register("poisson")
def poisson(
    draws: Draws,
    jobs: int,
    accelerators: float | None = None,
    load: float | None = None,
    rate: PerSecond | None = None,
    mean: Seconds = 3600.0,
    duration: Literal["exponential", "deterministic", "lognormal"] = "exponential",
    cv: float = 1.0,
    size: float | Mapping[float, float] = 1.0,
) -> Trace:
    """Poisson arrivals; exponential, deterministic or lognormal durations; for queueing theory.

    ``mean`` of the durations in seconds, ``cv`` (lognormal only) their coefficient of variation; ``size`` accelerators
    of a job, or weights by number. ``rate`` in jobs/s, or ``load`` with ``accelerators``: then the rate is load x
    accelerators / (mean size x mean duration), with the means of the laws and not of the jobs drawn, as theory has it.
    """
    one_of("duration", duration, _LAWS)
    for what, value in (("mean", mean), ("cv", cv)):
        if not 0 < value < math.inf:
            raise InputError(f"{what}: {value!r} is not a number above 0")
    sizes = _sizes(size)
    mean_size = sum(number * share for number, share in sizes.items()) / sum(sizes.values()) * mean
    rate = rate_for_load(load, accelerators, mean_size, rate)
    columns = {
        "submit": poisson_times(draws, jobs, rate),
        "duration": _durations(draws, jobs, duration, mean, cv),
        "accelerators": pick(draws.stream("accelerators").random(jobs), sizes),
    }
    return Trace(f"poisson-{draws.seed}", columns, notes=(load_note(rate, mean_size, accelerators),))


def _sizes(size: float | Mapping[float, float]) -> dict[float, float]:
    given = weights("size", size) if isinstance(size, Mapping) else {size: 1.0}
    try:
        sizes = {float(number): share for number, share in given.items()}
    except (TypeError, ValueError):
        raise InputError(f"size: {size!r} is neither a number of accelerators nor weights by number") from None
    for number in sizes:
        if not (0 <= number < math.inf and (number < 1 or number == int(number))):
            raise InputError(f"size: {number:g} accelerators: whole accelerators, or a share below 1 of a single one")
    return sizes


def _durations(draws: Draws, jobs: int, law: str, mean: float, cv: float) -> np.ndarray:
    generator = draws.stream("durations")
    if law == "deterministic":
        return np.full(jobs, mean)
    if law == "exponential":
        return generator.standard_exponential(jobs) * mean
    sigma = math.sqrt(math.log1p(cv * cv))
    values: np.ndarray = mean * np.exp(sigma * generator.standard_normal(jobs) - sigma * sigma / 2)
    return values
