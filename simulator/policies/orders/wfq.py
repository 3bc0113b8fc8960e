"""Weighted fair queueing over tenants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any

from simulator.policies.fairness import checked_shares
from simulator.policies.order import Keyed
from simulator.policies.orders import orders
from simulator.workload.jobs import Job, State


@orders.register("wfq")
class Wfq(Keyed):
    """Tenants in turn, each by the accelerator-seconds that it asks for and its weight; by estimate.

    Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): a job is tagged with the end of its tenant's last one
    and that end is moved on by accelerators x estimate / weight; the lowest tag goes first. A tenant that was away
    begins at the lowest tag that waits, so it neither saves up nor pays for what it used while nobody else wanted it.
    ``weights`` of tenants are 1 where nothing is said.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        super().__init__(self._tag, "wfq")
        self.weights = checked_shares(weights or {})
        self.reset(None)

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._tags: dict[Job, float] = {}
        self._ends: dict[str, float] = {}
        self._waiting: list[tuple[float, int, Job]] = []
        self._virtual = 0.0

    def on_submit(self, job: Job) -> None:
        """Tag a job; one that comes back keeps its tag."""
        tag = self._tags.get(job)
        if tag is None:
            tag = max(self._now(), self._ends.get(job.tenant, 0.0))
            self._tags[job] = tag
            self._ends[job.tenant] = tag + job.accelerators * job.estimate / self.weights.get(job.tenant, 1.0)
        heappush(self._waiting, (tag, job.sequence, job))

    def on_finish(self, job: Job) -> None:
        """Forget the job."""
        self._tags.pop(job, None)

    def _now(self) -> float:
        """Lowest tag of the jobs that wait, or the highest that was the lowest."""
        heap = self._waiting
        while heap and heap[0][2].state is not State.QUEUED:
            self._virtual = max(self._virtual, heappop(heap)[0])
        if heap:
            self._virtual = max(self._virtual, heap[0][0])
        return self._virtual

    def _tag(self, job: Job) -> tuple[float, int]:
        return (self._tags.get(job, math.inf), job.sequence)
