"""Dominant resource fairness between tenants."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping

import numpy as np

from simulator.policies.api import Action, ClusterView, Start, schedulers
from simulator.workload.jobs import Job, State

_Heap = list[tuple[int, int, Job]]


@schedulers.register("drf")
class Drf:
    """The tenant with the least dominant share starts its next job (DRF); tenants serve their jobs in order.

    Source: Ghodsi et al., "Dominant Resource Fairness" (NSDI 2011), algorithm 1. A tenant's dominant share is the
    largest of its shares of all accelerators, cores and memory that are up, over its weight. If its next job does not
    fit, everybody waits, as in the paper; with ``skip: true`` the tenant is passed over until something changes, which
    keeps the cluster fuller and may starve large jobs. Nothing is stopped. ``weights`` maps tenants to weights (1).
    """

    name = "drf"

    def __init__(self, weights: Mapping[str, float] | None = None, skip: bool = False) -> None:
        self.weights = dict(weights or {})
        for tenant, weight in self.weights.items():
            if not isinstance(weight, int | float) or not 0 < weight < math.inf:
                raise ValueError(f"weights, {tenant}: the weight is {weight!r}; it must be a finite number above 0")
        self.skip = skip
        self.reset(None)

    def reset(self, rng: np.random.Generator | None) -> None:
        """Forget the last run."""
        self._waiting: dict[str, _Heap] = {}
        self._used: dict[str, list[float]] = {}
        self._running: dict[Job, None] = {}
        self._pushed = 0

    def on_submit(self, job: Job) -> None:
        """Queue a job behind those of its tenant; one that was stopped gives back what it used."""
        self._back(job)
        self._pushed += 1
        heapq.heappush(self._waiting.setdefault(job.tenant, []), (job.sequence, self._pushed, job))

    def on_finish(self, job: Job) -> None:
        """Take what a job used from what its tenant uses."""
        self._back(job)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Fill progressively: the neediest tenant first, until its next job does not fit."""
        total = _there(view)
        turns = [(self._share(tenant, total), job.sequence, tenant) for tenant, job in self._heads()]
        heapq.heapify(turns)
        while turns:
            _, _, tenant = heapq.heappop(turns)
            job = self._head(tenant)
            if job is None:
                continue
            placement = view.place(job)
            if placement is None:
                if self.skip:
                    continue
                return
            heapq.heappop(self._waiting[tenant])
            self._take(job)
            yield Start(job, placement)
            following = self._head(tenant)
            if following is not None:
                heapq.heappush(turns, (self._share(tenant, total), following.sequence, tenant))

    def dominant_share(self, view: ClusterView, tenant: str) -> float:
        """Largest share of a resource that a tenant holds, over its weight."""
        return self._share(tenant, _there(view))

    def _share(self, tenant: str, total: list[float]) -> float:
        used = self._used.get(tenant)
        if used is None:
            return 0.0
        parts = [part / whole for part, whole in zip(used, total, strict=True) if whole > 0]
        return max(parts, default=0.0) / self.weights.get(tenant, 1.0)

    def _heads(self) -> list[tuple[str, Job]]:
        found = [(tenant, self._head(tenant)) for tenant in self._waiting]
        return [(tenant, job) for tenant, job in found if job is not None]

    def _head(self, tenant: str) -> Job | None:
        """Next job of a tenant, after dropping those that wait no longer."""
        heap = self._waiting[tenant]
        while heap and (heap[0][2].state is not State.QUEUED or heap[0][2] in self._running):
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def _take(self, job: Job) -> None:
        self._running[job] = None
        used = self._used.setdefault(job.tenant, [0.0, 0.0, 0.0])
        for place, amount in enumerate(_wants(job)):
            used[place] += amount

    def _back(self, job: Job) -> None:
        if job in self._running:
            del self._running[job]
            used = self._used[job.tenant]
            for place, amount in enumerate(_wants(job)):
                used[place] = max(0.0, used[place] - amount)


def _wants(job: Job) -> tuple[float, float, float]:
    return (job.accelerators, job.cores, job.memory)


def _there(view: ClusterView) -> list[float]:
    """Accelerators, cores and bytes of the servers that are up; what has no limit is infinite."""
    nodes = view.nodes
    up = nodes.up
    return [float(nodes.capacity), float(nodes.total_cores[up].sum()), float(nodes.total_memory[up].sum())]
