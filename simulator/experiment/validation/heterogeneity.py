"""Policies for accelerators of several types against Gavel's published completion times, and DRF's example.

``data/gavel.csv`` has mean completion times in hours as the notebook ``continuous_jobs.ipynb`` of
stanford-futuredata/gavel (commit c4fa400) prints them: single-GPU jobs by Poisson arrivals at so many an hour, 36 V100,
36 P100 and 36 K80, jobs 4000 to 4999 of seed 0, rounds of 360 s.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from simulator.cluster.topology import Topology
from simulator.experiment.validate import Row, areas, row
from simulator.policies.api import placers, schedulers
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import BatchJob
from simulator.workload.throughputs import table

PUBLISHED = Path(__file__).parent / "data" / "gavel.csv"
OURS: dict[str, dict[str, Any]] = {
    "max_min_fairness": {"kind": "gavel", "aware": False},
    "max_min_fairness_perf": {"kind": "gavel"},
    "finish_time_fairness_perf": {"kind": "gavel", "objective": "finish-time-fairness"},
    "fifo_perf": {"kind": "gavel", "objective": "fifo"},
    "allox": {"kind": "gavel", "objective": "mean-completion-time"},
}
"""Our names for the policies of the file. Gavel runs AlloX's matching in its rounds, in which jobs change types."""
_MODELS = (
    *(f"ResNet-18 (batch size {size})" for size in (16, 32, 64, 128, 256)),
    *(f"ResNet-50 (batch size {size})" for size in (16, 32, 64, 128)),
    *(f"Transformer (batch size {size})" for size in (16, 32, 64, 128, 256)),
    *(f"LM (batch size {size})" for size in (5, 10, 20, 40, 80)),
    *(f"Recommendation (batch size {size})" for size in (512, 1024, 2048, 4096, 8192)),
    "A3C",
    "CycleGAN",
)
"""Models in the order in which the artifact draws them (``scheduler/job_table.py``)."""
_BOUND = 0.15
"""Relative, of a ratio of mean completion times."""
_RATE, _WINDOW, _MORE = 2.8, (200, 600), 100
"""What ``simulator validate`` takes the time for: jobs an hour, the jobs that count, and those that come after."""


@areas.register("heterogeneity")
def heterogeneity() -> Iterator[Row]:
    """Ratios of mean completion times that Gavel published, and the example of dominant resource fairness."""
    known = published()
    found = {
        policy: mean_completion(_RATE, policy, window=_WINDOW, more=_MORE)
        for policy in ("max_min_fairness", "max_min_fairness_perf", "allox")
    }
    source = "Narayanan et al., Gavel (OSDI 2020), fig. 8; continuous_jobs.ipynb of its artifact"
    for policy, what in (("max_min_fairness_perf", "max-min fairness, aware"), ("allox", "AlloX in rounds")):
        case = f"{_RATE:g} single-GPU jobs an hour on 36 V100, 36 P100, 36 K80"
        wanted = known[_RATE, "max_min_fairness"] / known[_RATE, policy]
        ours = found["max_min_fairness"] / found[policy]
        measure = f"mean JCT, agnostic max-min fairness over {what}"
        yield row("heterogeneity", case, measure, "ratio", wanted, source, ours, _BOUND)
    yield from _dominant_shares()


@cache
def published() -> dict[tuple[float, str], float]:
    """Mean completion times in hours, by (jobs an hour, policy)."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return {(float(line["rate"]), line["policy"]): float(line["jct"]) for line in csv.DictReader(file)}


def drawn(seed: int, count: int, gap: float) -> list[tuple[float, str, float]]:
    """Jobs of the artifact's continuous trace: (submit s, model, seconds on a V100), ``gap`` s apart in the mean.

    Durations are 10^1.5 to 10^3 min in 80 % of the cases, else 10^3 to 10^4. The order of draws is that of
    ``utils.generate_job`` and ``scheduler.py``, so that a seed gives the very jobs of the published runs.
    """
    kinds, gaps = random.Random(seed + 2), random.Random(seed + 3)
    found, at = [], 0.0
    for _ in range(count):
        kinds.uniform(0, 1)  # the size of a gang, which single-GPU jobs do not use
        exponent = (3, 4) if kinds.random() >= 0.8 else (1.5, 3)
        seconds = 60 * 10 ** kinds.uniform(*exponent)
        found.append((at, kinds.choice(_MODELS), seconds))
        at -= math.log(1.0 - gaps.random()) * gap
    return found


def mean_completion(
    rate: float,
    policy: str,
    *,
    window: tuple[int, int] = (4000, 5000),
    more: int = 1500,
    seed: int = 0,
    each: int = 36,
    **options: Any,
) -> float:
    """Mean completion time (h) of the jobs of ``window`` at ``rate`` jobs an hour on ``each`` GPUs of the three types.

    ``policy`` is a key of ``OURS``, ``options`` go to the scheduler; ``more`` jobs come after the window.
    """
    paces = table("gavel")
    jobs = [
        BatchJob(id=str(index), submit=submit, duration=seconds, accelerators=1.0, model=model,
                 speedup=paces.speedup(model, 1, paces.steps(model, 1, seconds)))
        for index, (submit, model, seconds) in enumerate(drawn(seed, window[1] + more, 3600 / rate))
    ]  # fmt: skip
    chosen = {**OURS[policy], **options}
    kind = chosen.pop("kind")
    types = {name: {"accelerators": each, "accelerator": name} for name in ("v100", "p100", "k80")}
    Simulation(
        topology=Topology.from_links([], types, f"{each} of three types"),
        jobs=jobs,
        scheduler=schedulers.get(kind)(**chosen),
        placer=placers.get("pack")(),
    ).run()
    return float(np.mean([job.end - job.submit for job in jobs[slice(*window)]])) / 3600


def _dominant_shares() -> Iterator[Row]:
    """9 CPUs and 18 GB; tasks of A want 1 CPU and 4 GB, those of B 3 CPUs and 1 GB."""
    source = "Ghodsi et al., Dominant Resource Fairness (NSDI 2011), sec. 4.1"
    wants = {"A": (1.0, 4e9), "B": (3.0, 1e9)}
    jobs = [
        BatchJob(id=f"{tenant}{index}", submit=0.0, duration=60.0, accelerators=0.0, cores=cores, memory=memory,
                 tenant=tenant)
        for tenant, (cores, memory) in wants.items()
        for index in range(9)
    ]  # fmt: skip
    server = {"server": {"accelerators": 0, "cores": 9.0, "memory": 18e9}}
    Simulation(
        topology=Topology.from_links([], server, "one server"),
        jobs=jobs,
        scheduler=schedulers.get("drf")(),
        placer=placers.get("pack")(),
    ).run()
    for tenant, expected in (("A", 3.0), ("B", 2.0)):
        count = float(sum(job.start == 0 for job in jobs if job.tenant == tenant))
        yield row("heterogeneity", "DRF, 9 CPUs and 18 GB", f"tasks of {tenant}", "", expected, source, count, 0.0)
