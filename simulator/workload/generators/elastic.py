"""Elastic training jobs as Pollux was evaluated on: six models, Philly's mix of sizes and hours of the day."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Literal

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import PerSecond, Seconds
from simulator.workload.generate import generators
from simulator.workload.goodput import Goodput, Model, models
from simulator.workload.options import one_of
from simulator.workload.rows import as_objects
from simulator.workload.sampling import HOUR, Draws, Rhythm, choose, modulated_times
from simulator.workload.speedup import Given
from simulator.workload.trace import Trace

_BEGIN = datetime(2024, 1, 1, 2)
"""The window of the paper's workloads begins at 02:00 of the trace's clock (artifact, ``workload.py``)."""
_HOURS = (0.0549, 0.0430, 0.0477, 0.0453, 0.0301, 0.0501, 0.0694, 0.0885, 0.0470, 0.0424, 0.0394, 0.0350,
          0.0277, 0.0294, 0.0277, 0.0282, 0.0388, 0.0282, 0.0340, 0.0296, 0.0399, 0.0354, 0.0477, 0.0406)  # fmt: skip
"""Share of Philly's jobs of at least 60 s and below 1000 GPU-h by hour of the day; the same 74,428 jobs that the mix of
models is from (extract of the artifact)."""
_RATE = 160 / (8 * HOUR) / 64
"""Jobs/s and accelerator at load 1: 160 jobs in 8 h on 16 servers of 4 (``workload.py``, ``simulator.py``)."""
_MOST = 64
_PER_SERVER = 4
_BATCHES = ("adaptive", "tuned")
_ALONE = "ncf"
"""A model of seconds, which runs with its largest batch on one accelerator everywhere (artifact, ``simulator.py``)."""


@generators.register("pollux-like")
def pollux_like(
    draws: Draws,
    jobs: int,
    accelerators: float | None = 64.0,
    load: float | None = None,
    rate: PerSecond | None = None,
    batch: Literal["adaptive", "tuned"] = "adaptive",
    elastic: bool = True,
    type: str = "",
    restart: Seconds | None = 30.0,
) -> Trace:
    """Elastic training of six models that come as in Pollux's evaluation: goodput by accelerators and batch.

    Models are drawn by Philly's shares of small, medium, large and extra-large jobs, arrivals follow its hours of the
    day from 02:00 on. ``load`` 1 is 160 jobs in 8 h on 64 ``accelerators``, and proportionally more on more: the
    relative load of the paper, not a utilisation. ``rate`` is in jobs/s. Each job asks for what a user who tuned it may
    ask for: accelerators, and a batch at 50 to 80 % of perfect speedup on ``type`` (T4 unless given) in servers of 4.
    ``batch: adaptive`` lets it choose its batch anew on what it is given, as Pollux does; ``tuned`` fixes what the user
    asked for, as other schedulers have it. ``elastic``: whether it may be given other numbers than it asked for, from 1
    to what its batch can be spread over. ``restart`` (s) is that of all, or as measured for each model if null. Choices
    of batch and of elasticity change no draw.
    """
    one_of("batch", batch, _BATCHES)
    known = list(models().values())
    for model in known:
        if not model.usable(type):
            raise InputError(f"type: {type!r} has no timings of {model.name!r}; there are {', '.join(model.timing)}")
    chosen = _rate(accelerators, load, rate)
    pick = choose(draws.stream("models").random(jobs), [model.share for model in known])
    ask = draws.stream("configurations").random(jobs)
    tuned = [model.tuned(type) for model in known]
    rows = [_row(known[at], tuned[at], float(which), batch, type) for at, which in zip(pick, ask, strict=True)]
    gangs, most, seconds, paces = zip(*rows, strict=True)
    columns = {
        "submit": np.floor(modulated_times(draws, jobs, chosen, _BEGIN, Rhythm(_HOURS, step=HOUR))),
        "duration": np.array(seconds),
        "accelerators": np.array(gangs, dtype=float),
        "model": as_objects(known[at].name for at in pick),
        "speedup": as_objects(paces),
        "restart": np.array([known[at].restart if restart is None else restart for at in pick]),
    }
    if elastic:
        columns |= {"minimum": np.ones(jobs), "maximum": np.array(most, dtype=float)}
    return Trace(f"pollux-like-{draws.seed}", columns, origin=_BEGIN, notes=(_note(chosen, accelerators),))


def _rate(accelerators: float | None, load: float | None, rate: float | None) -> float:
    """Arrival rate in jobs/s."""
    if load is not None and rate is not None:
        raise InputError(f"load {load!r} and rate {rate!r} contradict each other: give one of them")
    if rate is None and accelerators is None:
        raise InputError(f"load: {load!r} of how many accelerators? Give accelerators too")
    for what, value in (("load", load), ("rate", rate), ("accelerators", accelerators)):
        if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
            raise InputError(f"{what}: {value!r} is not a number above 0")
    if rate is not None:
        return float(rate)
    return _RATE * (accelerators or 0.0) * (1.0 if load is None else load)


def _row(
    model: Model, tuned: tuple[tuple[int, int], ...], which: float, batch: str, type: str
) -> tuple[int, int, float, Goodput]:
    """Accelerators asked for, most that are of use, seconds on what was asked for, and pace of one job."""
    gang, fixed = tuned[min(int(which * len(tuned)), len(tuned) - 1)]
    alone = model.name == _ALONE
    pace = Goodput(model, 0 if batch == "adaptive" and not alone else fixed)
    most = 1 if alone else min(_MOST, model.usable(type, pace.batch))
    return gang, max(gang, most), pace.seconds(Given(gang, math.ceil(gang / _PER_SERVER), type)), pace


def _note(rate: float, accelerators: float | None) -> str:
    told = f"generated: {rate:.6g} jobs/s"
    if not accelerators:
        return told
    relative = rate / (_RATE * accelerators)
    return f"{told}, {relative:.4g} times the load of Pollux's evaluation on {accelerators:g} accelerators"
