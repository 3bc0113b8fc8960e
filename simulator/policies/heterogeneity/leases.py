"""Rounds with leases on a cluster: who runs on which type until the round is over, and the moves that bring it about.

Source: Gavel (OSDI 2020), section 5: a job that is chosen again for its type keeps its accelerators and pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simulator.policies.api import Action, ClusterView, Start
from simulator.policies.heterogeneity.fleet import Fleet
from simulator.policies.heterogeneity.moves import Moves
from simulator.policies.heterogeneity.rounds import choose
from simulator.workload.jobs import Job, State


class Leases:
    """Carries out allocations in rounds of ``length`` s; what jobs received is counted anew every ``memory`` s."""

    def __init__(self, length: float, memory: float) -> None:
        self.length, self.memory = length, memory
        self.ends = 0.0
        """When the present round ends (s)."""
        self._counted = -np.inf
        self._ledger: dict[Job, np.ndarray] = {}
        self._seen: dict[Job, float] = {}
        self.moves = Moves()

    def over(self, now: float) -> bool:
        """Whether it is time for the next round."""
        return now >= self.ends - 1e-9 * max(1.0, now)

    def begin(
        self, view: ClusterView, fleet: Fleet, jobs: Sequence[Job], shares: np.ndarray, order: Sequence[int], all_: bool
    ) -> Iterator[Action]:
        """Begin a round: choose, stop, move, start.

        ``shares`` is the allocation, ``order`` in which types are filled, ``all_`` whether nothing is left idle.
        """
        self.ends = view.now + self.length
        pace, gang = fleet.paces(jobs), np.array([job.accelerators for job in jobs])
        room = fleet.capacity()
        fixed = [row for row, job in enumerate(jobs) if job.state is State.RUNNING and not job.preemptible]
        if fixed:
            pace = pace.copy()
            pace[fixed] = 0.0
            np.subtract.at(room, [fleet.kind(jobs[row]) for row in fixed], gang[fixed])
        book = self._book(jobs, len(fleet.types))
        kinds = choose(shares, book[:, 0], book[:, 1], pace, gang, room, order, all_)
        kinds[fixed] = [fleet.kind(jobs[row]) for row in fixed]
        yield from self.moves.carry_out(fleet, jobs, kinds.tolist())

    def fill(
        self, fleet: Fleet, jobs: Sequence[Job], shares: np.ndarray, order: Sequence[int], all_: bool
    ) -> Iterator[Action]:
        """Give free accelerators to ``jobs`` that wait until the round is over, those first that should have them."""
        free = fleet.free()
        rows = [row for row, job in enumerate(jobs) if self.moves.waits(job) and job.accelerators >= 1]
        if not rows or not free.any():
            return
        book = self._book(jobs, len(fleet.types))[rows]
        waiting = [jobs[row] for row in rows]
        gang = np.array([job.accelerators for job in waiting])
        kinds = choose(shares[rows], book[:, 0], book[:, 1], fleet.paces(waiting), gang, free, order, all_)
        for job, kind in zip(waiting, kinds.tolist(), strict=True):
            if kind >= 0:
                place = fleet.place(job, kind)
                if place is not None:
                    yield Start(job, place)

    def account(self, view: ClusterView, fleet: Fleet) -> None:
        """Write down what running jobs have received since the last time."""
        for job in view.running:
            ran = view.attained(job)
            got = ran - self._seen.get(job, 0.0)
            self._seen[job] = ran
            entry = self._ledger.get(job)
            if entry is not None and job.placement:
                entry[0, fleet.kind(job)] += got

    def count_anew(self, now: float, jobs: Sequence[Job], shares: np.ndarray) -> None:
        """Let deficits stand for what jobs should have had under ``shares``, and begin to count again."""
        if now - self._counted < self.memory:
            return
        since = now - self._counted if np.isfinite(self._counted) else 0.0
        for job, share in zip(jobs, shares, strict=True):
            entry = self._ledger.get(job)
            if entry is not None:
                entry[1] += share * since - (entry[0] - self.length / 2)
                entry[0] = self.length / 2
        self._counted = now

    def _book(self, jobs: Sequence[Job], types: int) -> np.ndarray:
        """Seconds received and deficits; shape (jobs, 2, types). Everybody begins with half a round received."""
        ledger = self._ledger
        for job in jobs:
            if job not in ledger:
                ledger[job] = np.vstack([np.full(types, self.length / 2), np.zeros(types)])
        return np.array([ledger[job] for job in jobs]) if jobs else np.zeros((0, 2, types))

    def forget(self, job: Job) -> None:
        """Drop what is kept of a job that is gone."""
        self._ledger.pop(job, None)
        self._seen.pop(job, None)
        self.moves.forget(job)
