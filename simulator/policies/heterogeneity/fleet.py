"""Types of accelerators of a cluster, paces of its jobs on each, and places on a type."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence

import numpy as np

from simulator.policies.api import ClusterView
from simulator.workload.jobs import Job, Placement, State
from simulator.workload.speedup import Given

_SHORTEST = 1e-3
"""Seconds that a job of no length counts as, so that paces stay finite."""


class Fleet:
    """The types of accelerators of one cluster, in alphabetical order, and what jobs can do with them.

    A job without a ``speedup`` is equally fast on all types that it accepts; with one its pace is that of a gang on as
    few servers as hold it. ``aware`` off makes it equally fast on all types on which it runs at all.
    """

    def __init__(self, view: ClusterView, aware: bool = True) -> None:
        nodes = view.nodes
        self._view, self._aware = view, aware
        has = nodes.total > 0
        self.types: tuple[str, ...] = tuple(sorted({str(kind) for kind in nodes.types[has].tolist()}))
        index = {kind: place for place, kind in enumerate(self.types)}
        self._kind = np.array(
            [index[str(kind)] if there else -1 for kind, there in zip(nodes.types.tolist(), has.tolist(), strict=True)],
            dtype=np.int64,
        )
        self._largest = [int(nodes.total[self._kind == kind].max(initial=0)) for kind in range(len(self.types))]
        self._paces: dict[Job, np.ndarray] = {}
        self._asking: dict[Job, Job] = {}

    def capacity(self) -> np.ndarray:
        """Accelerators of each type that are up; shape (types,)."""
        return self._by_type(self._view.nodes.total)

    def free(self) -> np.ndarray:
        """Whole accelerators of each type that nobody uses; shape (types,)."""
        return self._by_type(self._view.nodes.free)

    def _by_type(self, count: np.ndarray) -> np.ndarray:
        there = np.where(self._view.nodes.up & (self._kind >= 0), count, 0)
        return np.bincount(np.maximum(self._kind, 0), weights=there, minlength=len(self.types))[: len(self.types)]

    def kind(self, job: Job) -> int:
        """Index of the type that a running job is on; -1 when it waits."""
        return int(self._kind[job.placement[0][0]]) if job.state is State.RUNNING and job.placement else -1

    def paces(self, jobs: Sequence[Job]) -> np.ndarray:
        """Shares of a job that a second on each type finishes; shape (jobs, types)."""
        known = self._paces
        rows = [known[job] if job in known else self._pace(job) for job in jobs]
        return np.array(rows) if rows else np.zeros((0, len(self.types)))

    def _pace(self, job: Job) -> np.ndarray:
        nodes = self._view.nodes
        open_to = np.ones(len(nodes), dtype=bool)
        if not nodes.constraints.open_to(job):
            open_to = nodes.constraints.lasting(job)
        row = np.array([self._on(job, kind, open_to) for kind in range(len(self.types))])
        if not self._aware:
            row = np.where(row > 0, 1 / max(job.estimate, _SHORTEST), 0.0)
        self._paces[job] = row
        return row

    def _on(self, job: Job, kind: int, open_to: np.ndarray) -> float:
        if not open_to[self._kind == kind].any():
            return 0.0
        if job.speedup is None:
            return 1 / max(job.estimate, _SHORTEST)
        servers = max(1, math.ceil(job.accelerators / max(1, self._largest[kind])))
        seconds = job.speedup.seconds(Given(job.accelerators, servers, self.types[kind]))
        whole = getattr(job, "duration", 0.0)
        wrong = job.estimate / whole if whole > 0 and job.estimate > 0 else 1.0
        return 1 / max(seconds * wrong, _SHORTEST) if seconds < math.inf else 0.0

    def remaining(self, job: Job) -> float:
        """Share of the job that is expected to be left, above 0 to 1."""
        if job.speedup is not None:
            left = 1.0 - self._view.fraction(job)
        else:
            left = self._view.remaining(job) / job.estimate if job.estimate > 0 else 1.0
        return min(1.0, max(left, 1e-6))

    def place(self, job: Job, kind: int) -> Placement | None:
        """Where the placement policy would put the job now, on servers of one type."""
        if len(self.types) == 1:
            return self._view.place(job)
        asking = self._asking.get(job)
        if asking is None:
            asking = self._asking[job] = copy.copy(job)
        asking.accelerator_types = (self.types[kind],)
        return self._view.place(asking)

    def forget(self, jobs: Iterable[Job]) -> None:
        """Drop what is kept of jobs that are gone."""
        for job in jobs:
            self._paces.pop(job, None)
            self._asking.pop(job, None)
