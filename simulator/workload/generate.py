"""Made-up workloads that behave like real ones, or like the textbook's: seeded, and the same on every machine.

``generate(name, jobs=..., seed=...)`` returns a ``Trace``. A generator is a function
``(draws, jobs, accelerators, load, **options) -> Trace`` in ``simulator.workload.generators``; a preset that is fitted
to a public trace is a YAML file in ``simulator/workload/data`` and no code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.registry import Registry
from simulator.workload.options import checked_options, option_names
from simulator.workload.sampling import Draws
from simulator.workload.trace import Trace

Generator = Callable[..., Trace]

generators: Registry[Generator] = Registry("generator", "simulator.workload.generators")
FIXED = ("draws",)
"""Parameters of a generator that the caller fills in; all others are options."""


def generate(name: str, *, jobs: int, seed: int = 0, replication: int = 0, prefix: str = "", **options: Any) -> Trace:
    """Return a workload of ``jobs`` jobs.

    ``options`` are those of the generator; all know ``accelerators`` (size of the cluster) and ``load``, which
    together set the arrival rate to load x accelerators / (mean accelerator-seconds of a job). Times are seconds or
    texts such as ``"2 d"``. ``seed`` and ``replication`` choose the random numbers and ``prefix`` sets the streams of
    one workload apart from those of another with the same seed. Raises ``InputError`` for what makes no sense.

    >>> trace = generate("poisson", jobs=3, seed=1, accelerators=2, load=0.5, mean="1 min")
    >>> trace.columns["duration"].round(1).tolist()
    [71.9, 173.7, 130.5]
    """
    if not isinstance(jobs, int | np.integer) or isinstance(jobs, bool) or jobs < 1:
        raise InputError(f"jobs: {jobs!r} is not a whole number of jobs, 1 or more")
    make = generators.get(name)
    given = checked_options(f"generator {name!r}", make, options, (*FIXED, "jobs"))
    return make(Draws(seed, replication, prefix), jobs=int(jobs), **given)


def generator_options(name: str) -> list[str]:
    """Return the names of the options that a generator takes, beside ``jobs``."""
    return option_names(generators.get(name), (*FIXED, "jobs"))


def rate_for_load(load: float | None, accelerators: float | None, mean_size: float, rate: float | None) -> float:
    """Return the arrival rate (jobs/s): ``rate``, or what gives ``load`` on ``accelerators``.

    Offered load = rate x mean_size / accelerators, ``mean_size`` being the mean of accelerators x seconds of a job.
    """
    if load is not None and rate is not None:
        raise InputError(f"load {load!r} and rate {rate!r} contradict each other: give one of them")
    if load is not None and accelerators is None:
        raise InputError(f"load: {load!r} of how many accelerators? Give accelerators too")
    chosen = rate
    if load is not None and accelerators is not None:
        _above_zero("load", load)
        _above_zero("accelerators", accelerators)
        _above_zero("mean accelerator-seconds of a job", mean_size)
        chosen = load * accelerators / mean_size
    if chosen is None:
        raise InputError("how often do jobs come? Give load and accelerators, or rate")
    return _above_zero("rate", chosen)


def load_note(rate: float, mean_size: float, accelerators: float | None) -> str:
    """Say what load a generated workload offers."""
    told = f"generated: {rate:.6g} jobs/s of {mean_size:,.6g} accelerator-seconds each on average"
    return (
        f"{told}, load {rate * mean_size / accelerators:.4g} of {accelerators:g} accelerators" if accelerators else told
    )


def _above_zero(what: str, value: float) -> float:
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InputError(f"{what}: {value!r} is not a number above 0")
    return float(value)


def weights(what: str, shares: Mapping[Any, float]) -> dict[Any, float]:
    """Return shares as a dictionary of floats; ``InputError`` unless they are 0 or more and not all 0."""
    numbers = [value for value in shares.values() if isinstance(value, int | float) and 0 <= value < math.inf]
    if len(numbers) < len(shares) or not sum(numbers):
        raise InputError(f"{what}: {dict(shares)!r} are not weights: numbers of 0 or more, not all 0")
    return {key: float(value) for key, value in shares.items()}
