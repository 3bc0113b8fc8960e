"""Mean rates of interleaved phases against every iteration on the clock, over families of random job mixes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median, quantiles
from typing import NamedTuple

import numpy as np

from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.experiment.validate import Row, areas, row
from simulator.policies.api import ClusterView, Start, placers
from simulator.runtime.simulation import Simulation
from simulator.workload.jobs import Job, TrainingJob

_SOURCE = "every iteration simulated (fidelity: flow)"
_LENGTH = 200.0
"""Seconds that a job takes alone: some hundred iterations."""
Place = tuple[tuple[int, float], ...]


class Mix(NamedTuple):
    """Jobs that start at their times on their places: (start, compute, gradient, overlap, iterations, place)."""

    topology: Topology
    jobs: tuple[tuple[float, float, float, float, int, Place], ...]


class _Placed:
    """Starts every job at once, where the mix says."""

    def __init__(self, places: dict[str, Place]) -> None:
        self._places = places

    def schedule(self, view: ClusterView) -> Iterator[Start]:
        for job in view.queue:
            yield Start(job, self._places[job.id])


@areas.register("contention")
def contention() -> Iterator[Row]:
    """Completion times at mean rates, and as if every job were always on the network, against the clock."""
    for name, make, mixes, bounds in _FAMILIES:
        draws = stream(7, f"contention:{name}")
        found = [make(draws) for _ in range(mixes)]
        exact = [_ends(mix, "flow") for mix in found]
        for fidelity, bound in bounds.items():
            errors = [
                round(value / reference - 1, 12)
                for mix, truth in zip(found, exact, strict=True)
                for value, reference in zip(_ends(mix, fidelity), truth, strict=True)
            ]
            yield from _rows(f"{name}, {fidelity}", errors, bound)


def _rows(case: str, errors: Sequence[float], bound: float) -> Iterator[Row]:
    sizes = [abs(error) for error in errors]
    count = f"of JCT ({len(errors)})"
    yield row("contention", case, f"median |error| {count}", "", 0.0, _SOURCE, median(sizes), bound)
    yield row("contention", case, f"p90 |error| {count}", "", 0.0, _SOURCE, quantiles(sizes, n=10)[-1], 3 * bound)
    yield row("contention", case, f"mean error {count}", "", 0.0, _SOURCE, float(np.mean(errors)), bound)


def _ends(mix: Mix, fidelity: str) -> list[float]:
    """Completion times of the jobs of a mix (s)."""
    jobs: list[Job] = []
    places: dict[str, Place] = {}
    for number, (start, compute, gradient, overlap, iterations, place) in enumerate(sorted(mix.jobs)):
        job = TrainingJob(
            id=f"{number}",
            submit=start,
            accelerators=sum(part for _, part in place),
            iterations=iterations,
            compute=compute,
            gradient=gradient,
            overlap=overlap,
        )
        jobs.append(job)
        places[f"{number}"] = place
    simulation = Simulation(
        topology=mix.topology,
        jobs=jobs,
        scheduler=_Placed(places),
        placer=placers.get("pack")(),
        fidelity=fidelity,
        collectives="ring",
    )
    simulation.run()
    return [job.end - job.submit for job in jobs]


def _uplink(servers: int, capacity: float) -> Topology:
    """Single-accelerator servers with cards of 12.5 GB/s, even ones and odd ones on either side of an uplink."""
    cables = [(f"s{index}", ("left", "right")[index % 2], 12.5e9) for index in range(servers)]
    cables.append(("left", "right", capacity))
    links = [{"src": a, "dst": b, "capacity": c} for x, y, c in cables for a, b in ((x, y), (y, x))]
    return Topology.from_links(links, {f"s{index}": {"accelerators": 1} for index in range(servers)})


def _across(capacity: float) -> Callable[[np.random.Generator], Mix]:
    """Two to six different jobs that all cross one uplink."""

    def make(draws: np.random.Generator) -> Mix:
        count = int(draws.integers(2, 7))
        jobs = []
        for number in range(count):
            compute, gradient = draws.uniform(0.1, 0.8), draws.uniform(0.5e9, 10e9)
            overlap = float(draws.choice([0.0, 0.3, 0.6]))
            place = ((2 * number, 1.0), (2 * number + 1, 1.0))
            alone = compute + max(0.0, gradient / 12.5e9 - overlap * compute)
            jobs.append((draws.uniform(0, 5), compute, gradient, overlap, math.ceil(_LENGTH / alone), place))
        return Mix(_uplink(2 * count, capacity), tuple(jobs))

    return make


def _alike(spread: float) -> Callable[[np.random.Generator], Mix]:
    """Two to four equal jobs on an uplink, started within ``spread`` seconds: their phases never drift apart."""

    def make(draws: np.random.Generator) -> Mix:
        count, compute, gradient = int(draws.integers(2, 5)), draws.uniform(0.2, 0.8), draws.uniform(2e9, 8e9)
        rounds = math.ceil(_LENGTH / (compute + gradient / 12.5e9))
        jobs = [
            (draws.uniform(0, spread), compute, gradient, 0.0, rounds, ((2 * number, 1.0), (2 * number + 1, 1.0)))
            for number in range(count)
        ]
        return Mix(_uplink(2 * count, 12.5e9), tuple(jobs))

    return make


def _leaves(draws: np.random.Generator) -> Mix:
    """Eight jobs of 2 to 4 servers, scattered over 4 leaves of 8 DGX H100 with 8:1 oversubscription."""
    built = builders.get("leaf-spine")(nodes=32, nodes_per_leaf=8, spines=4, oversubscription=8)
    free, jobs = [int(server) for server in draws.permutation(32)], []
    for _ in range(8):
        width = int(draws.integers(2, 5))
        place = tuple((free.pop(), 8.0) for _ in range(width))
        compute, gradient = draws.uniform(0.1, 0.8), draws.uniform(2e9, 40e9)
        alone = compute + gradient / 100e9
        jobs.append((draws.uniform(0, 5), compute, gradient, 0.0, math.ceil(_LENGTH / alone), place))
    return Mix(built, tuple(jobs))


_FAMILIES: tuple[tuple[str, Callable[[np.random.Generator], Mix], int, dict[str, float]], ...] = (
    ("different jobs on one uplink", _across(12.5e9), 12, {"fluid": 0.03, "steady": 0.30}),
    ("different jobs on an uplink for two", _across(25e9), 12, {"fluid": 0.03, "steady": 0.30}),
    ("different jobs on a leaf-spine 8:1", _leaves, 6, {"fluid": 0.05, "steady": 0.30}),
    ("equal jobs, started at random", _alike(1.0), 12, {"fluid": 0.15, "steady": 0.30}),
    ("equal jobs, started together", _alike(0.0), 12, {"fluid": 0.25, "steady": 1e-9}),
)
