"""Packing without time: jobs come one after the other, never leave, and those that do not fit are passed over.

The protocol of Weng et al., "Beware of Fragmentation" (USENIX ATC 2023), as ``pkg/simulator`` of
hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641, runs it: pods are shuffled; copies of pods drawn at random,
with replacement, follow until the next would ask for more than 130 % of the accelerators; servers are looked at in a
random order, in which ties are broken. The figures that it publishes are means over ten seeds, on the servers that have
accelerators. Random numbers are of numpy here and of Go there, so single seeds differ.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Server, Topology
from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.policies.api import Placer, placers
from simulator.workload.jobs import Job

PUBLISHED = ("random", "dot-product", "gpu-clustering", "gpu-packing", "best-fit", "fgd")
"""The six policies whose results are published, from the worst to the best."""


@dataclass(frozen=True, eq=False)
class Packing:
    """What came of packing: after each job, accelerators asked for so far and held, in shares of all accelerators."""

    asked: np.ndarray
    held: np.ndarray
    passed_over: int
    """Jobs that did not fit."""

    @property
    def final(self) -> float:
        """Share of the accelerators that is held at the end, as published: the mean over the last percent asked for."""
        return self.at(round(100 * float(self.asked[-1])))

    def at(self, percent: int) -> float:
        """Share of the accelerators that is held when ``percent`` of them, rounded, were asked for; NaN if never."""
        there = np.round(100 * self.asked) == percent
        return float(self.held[there].mean()) if there.any() else float("nan")

    def curve(self, step: int = 5) -> dict[int, float]:
        """Share that is held at each ``step`` percent asked for."""
        last = int(np.round(100 * float(self.asked[-1])))
        return {percent: self.at(percent) for percent in range(0, last + 1, step)}


def inflate(jobs: Iterable[Job], accelerators: float, ratio: float = 1.3, seed: int = 42) -> list[Job]:
    """Shuffle jobs and add copies of random ones until they ask for ``ratio`` times ``accelerators``.

    Where they ask for more already, random ones are taken out. Jobs that are added are called ``NAME-tuned-NUMBER``.
    Raises ``InputError`` where no job asks for any.
    """
    rng = stream(seed, "inflate")
    given = list(jobs)
    if given and not any(map(_milli, given)):
        raise InputError("no job asks for an accelerator, so there is nothing to fill the servers with")
    order = [given[index] for index in rng.permutation(len(given))]
    asked, target = sum(map(_milli, order)), ratio * accelerators * 1000
    while asked > target:
        asked -= _milli(order.pop(int(rng.integers(len(order)))))
    added = 0
    while asked < target and given:
        job = copy.copy(given[int(rng.integers(len(given)))])
        if asked + min(_milli(job), 1000) > target:  # of a gang only its first counts here, as in the source
            break
        job.id = f"{job.id}-tuned-{added}"
        asked, added = asked + _milli(job), added + 1
        order.append(job)
    return order


def _milli(job: Job) -> int:
    return round(job.accelerators * 1000)


def pack(
    jobs: Sequence[Job],
    servers: Sequence[Server],
    placer: str | Placer,
    seed: int = 42,
    usual: Sequence[Job] | None = None,
) -> Packing:
    """Let jobs come in the order given to ``servers`` in a random order, and return how the accelerators fill up.

    ``placer`` is a name or an object; one with a method ``learn(jobs)`` is told before which jobs ``usual``ly come:
    all of them, if not said otherwise. Takes the ``placement`` of each job down, and changes nothing else of it.
    """
    made: Any = placers.get(placer)() if isinstance(placer, str) else placer
    shuffled = [servers[index] for index in stream(seed, "servers").permutation(len(servers))]
    topology = Topology.from_links([], {each.name: _fields(each) for each in shuffled}, "packing")
    nodes = Allocator(topology.servers)
    for hook, given in (("reset", stream(seed, "placement")), ("learn", jobs if usual is None else usual)):
        if callable(getattr(made, hook, None)):
            getattr(made, hook)(given)
    held, failed = np.zeros(len(jobs)), 0
    for index, job in enumerate(jobs):
        failed += not _place(job, nodes, topology, made)
        held[index] = nodes.used
    capacity = float(nodes.total.sum())
    return Packing(np.cumsum([_milli(job) for job in jobs]) / 1000 / capacity, held / capacity, failed)


@dataclass(frozen=True, eq=False)
class Repeated:
    """Several runs of one placement, each with jobs and servers in another order."""

    runs: tuple[Packing, ...]

    @property
    def mean(self) -> float:
        """Mean share of the accelerators that is held at the end."""
        return statistics.fmean(run.final for run in self.runs)

    @property
    def deviation(self) -> float:
        """Standard deviation of that share over the runs; NaN of a single one."""
        return statistics.stdev(run.final for run in self.runs) if len(self.runs) > 1 else float("nan")

    @property
    def passed_over(self) -> float:
        """Mean number of jobs that did not fit."""
        return statistics.fmean(run.passed_over for run in self.runs)

    def curve(self, step: int = 5) -> dict[int, float]:
        """Mean share that is held at each ``step`` percent asked for, without those that no run came by."""
        found: dict[int, list[float]] = {}
        for run in self.runs:
            for percent, held in run.curve(step).items():
                if held == held:
                    found.setdefault(percent, []).append(held)
        return {percent: statistics.fmean(found[percent]) for percent in sorted(found)}


Comparison = dict[str, Repeated]


def compare(
    jobs: Sequence[Job],
    servers: Sequence[Server],
    names: Sequence[str] = PUBLISHED,
    ratio: float = 1.3,
    seeds: Sequence[int] = range(42, 45),
    progress: Callable[[int, int, str], None] | None = None,
) -> Comparison:
    """Pack ``jobs``, inflated to ``ratio``, by each placement of ``names``, once for each of ``seeds``.

    The runs of one seed have the same jobs in the same order. ``progress`` is told (done, of how many, name). Raises
    ``InputError`` for an unknown placement, and where no job asks for an accelerator.
    """
    for name in names:
        placers.get(name)
    capacity = sum(server.accelerators for server in servers)
    runs: dict[str, list[Packing]] = {name: [] for name in names}
    done, total = 0, len(names) * len(seeds)
    for seed in seeds:
        load = inflate(jobs, capacity, ratio, seed)
        for name in names:
            runs[name].append(pack(load, servers, name, seed, jobs))
            done += 1
            if progress is not None:
                progress(done, total, name)
    return {name: Repeated(tuple(several)) for name, several in runs.items()}


def _place(job: Job, nodes: Allocator, topology: Topology, placer: Any) -> bool:
    if callable(getattr(placer, "on_submit", None)):
        placer.on_submit(job)
    placement = placer.place(job, nodes, topology)
    if placement is None:
        return False
    job.placement = placement
    for server, taken in placement:
        part = taken / job.accelerators if job.accelerators else 1.0
        choose = getattr(placer, "device", None)
        device = choose(job, server, nodes) if choose is not None and 0 < taken < 1 else -1
        nodes.take(server, taken, job.cores * part, job.memory * part, device)
    started = getattr(placer, "on_start", None)
    if started is not None:
        started(job)
    return True


def _fields(server: Server) -> dict[str, Any]:
    return {
        name: getattr(server, name)
        for name in ("accelerators", "accelerator", "cores", "memory", "labels", "taints", "partition")
    }
