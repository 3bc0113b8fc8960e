"""Fragmentation gradient descent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.units import Ratio
from simulator.policies.api import placers
from simulator.policies.fragmentation import Shape, Typical
from simulator.policies.gang import best
from simulator.policies.vectors import MILLI
from simulator.workload.jobs import Job, Placement

_MOST_SHAPES = 1024
"""Shapes of jobs whose scores are kept."""


@placers.register("fgd")
class FragmentationGradientDescent:
    """The server, and the accelerator, on which the job makes the fewest new fragments for the jobs that usually come.

    Score: the integer part of 100 / (1 + exp(-d)), d being the fall of the expected fragments in accelerators; ties to
    the first accelerator and the first server. Source: Weng et al., "Beware of Fragmentation" (USENIX ATC 2023), as
    ``fgd_score.go`` of hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641, has it. The usual jobs are the most
    frequent shapes that make up ``popularity`` of all jobs (0.95 in its experiments): of those given to ``learn``, as
    there, else of those that came so far, counted anew whenever their number has doubled.
    """

    def __init__(self, popularity: Ratio = 0.95) -> None:
        if not 0 < popularity <= 1:
            raise ValueError(f"popularity is {popularity:g}; it must be above 0 and at most 1")
        self.popularity = popularity
        self._learned: Typical | None = None
        self.reset()

    def learn(self, jobs: Iterable[Job]) -> None:
        """Take the usual jobs from ``jobs``; what comes is not counted any more."""
        self._learned = Typical.of(jobs, self.popularity)
        self.reset()

    def reset(self, rng: object = None) -> None:
        """Forget what came: a new run begins. What was learned stays."""
        self._seen: Counter[Shape] = Counter()
        self._came, self._count_at = 0, 1
        self._typical = self._learned
        self._table: _Table | None = None

    def on_submit(self, job: Job) -> None:
        """Count a job among the usual ones."""
        if self._learned is None:
            self._seen[Shape.of(job)] += 1
            self._came += 1
            if self._came >= self._count_at:
                self._count_at = 2 * self._came
                self._typical, self._table = Typical.counted(self._seen, self.popularity), None

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the server with the highest score; a gang too large for any goes to as few as possible."""
        return best(job, nodes, lambda fits: self._scores(job, nodes)[0][fits])

    def device(self, job: Job, server: int, nodes: Allocator) -> int:
        """Accelerator of ``server`` on which the share makes the fewest new fragments."""
        return int(self._scores(job, nodes)[1][server])

    def _scores(self, job: Job, nodes: Allocator) -> tuple[np.ndarray, np.ndarray]:
        shape = Shape.of(job)
        if self._typical is None:  # nothing is known of other jobs: as if all were like this one
            return _Table(nodes, Typical((shape,), (1,))).scores(shape)
        if self._table is None or self._table.nodes is not nodes:
            self._table = _Table(nodes, self._typical)
        return self._table.scores(shape)


class _Table:
    """Scores of all servers for each shape of job; only of servers that changed they are computed anew."""

    def __init__(self, nodes: Allocator, typical: Typical) -> None:
        self.nodes, self._typical = nodes, typical
        self._welcome = typical.welcome(nodes.types.tolist())
        self._cores = np.full(len(nodes), -1, dtype=np.int64)
        self._devices = np.full_like(nodes.device_free, -1)
        self._fragments = np.zeros(len(nodes), dtype=np.int64)
        self._changed = np.zeros(len(nodes), dtype=np.int64)
        self._now = 0
        self._kept: dict[Shape, tuple[np.ndarray, np.ndarray]] = {}
        self._as_of: dict[Shape, int] = {}

    def scores(self, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Score of each server, -1 where the job has no room, and the accelerator for a share; shapes (servers,)."""
        self._look()
        if shape not in self._kept:
            while len(self._kept) >= _MOST_SHAPES:
                del self._kept[next(iter(self._kept))]
            self._kept[shape] = (np.full(len(self.nodes), -1), np.full(len(self.nodes), -1))
            self._as_of[shape] = -1
        score, device = self._kept[shape]
        stale = np.flatnonzero(self._changed > self._as_of[shape])
        if len(stale):
            self._as_of[shape] = self._now
            score[stale], device[stale] = -1, -1
            (self._share if 0 < shape.share < MILLI else self._whole)(shape, stale, score, device)
        return score, device

    def _look(self) -> None:
        """Find the servers on which something was taken or given back."""
        nodes = self.nodes
        cores = np.round(np.minimum(nodes.free_cores, 1e12) * MILLI).astype(np.int64)
        changed = np.flatnonzero((cores != self._cores) | (nodes.device_free != self._devices).any(axis=1))
        if len(changed):
            self._now += 1
            self._cores[changed], self._devices[changed] = cores[changed], nodes.device_free[changed]
            self._changed[changed] = self._now
            self._fragments[changed] = self._fragments_of(changed, cores[changed], self._devices[changed])

    def _fragments_of(self, servers: np.ndarray, cores: np.ndarray, devices: np.ndarray) -> np.ndarray:
        return self._typical.fragments(cores, devices, self._welcome[servers])

    def _whole(self, shape: Shape, servers: np.ndarray, score: np.ndarray, device: np.ndarray) -> None:
        full = self._devices[servers] == MILLI
        fits = (self._cores[servers] >= shape.cores) & (full.sum(axis=1) >= shape.number)
        servers, full = servers[fits], full[fits]
        after = self._devices[servers] - MILLI * (full & (full.cumsum(axis=1) <= shape.number))
        score[servers] = self._fall(servers, self._cores[servers] - shape.cores, after)

    def _share(self, shape: Shape, servers: np.ndarray, score: np.ndarray, device: np.ndarray) -> None:
        servers = servers[self._cores[servers] >= shape.cores]
        devices = self._devices[servers]
        row, column = np.nonzero((devices >= shape.share) & ~_seen_before(devices))
        after = devices[row]
        after[np.arange(len(row)), column] -= shape.share
        fall = self._fall(servers[row], self._cores[servers[row]] - shape.cores, after)
        # the best of each server, the first accelerator of equals: later writes win, so worse ones are written first
        order = np.lexsort((-column, fall))
        score[servers[row[order]]] = fall[order]
        device[servers[row[order]]] = column[order]

    def _fall(self, servers: np.ndarray, cores: np.ndarray, devices: np.ndarray) -> np.ndarray:
        fall = self._fragments[servers] - self._fragments_of(servers, cores, devices)
        steepness = fall / (self._typical.weight * MILLI)
        score: np.ndarray = (100.0 / (1.0 + np.exp(-steepness))).astype(np.int64)
        return score


def _seen_before(devices: np.ndarray) -> np.ndarray:
    """Whether an accelerator has as much free as one of a lower number on the same server; booleans, same shape."""
    same = devices[:, :, None] == devices[:, None, :]
    seen: np.ndarray = np.tril(same, -1).any(axis=2)
    return seen
