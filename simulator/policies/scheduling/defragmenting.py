"""Moving jobs so that others find room."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import Seconds
from simulator.policies.api import Action, ClusterView, Migrate, Start, schedulers
from simulator.policies.defragmentation import plan, restart_cost
from simulator.policies.wrapping import Shown, Wrapper, made_inner
from simulator.workload.jobs import Job, Placement


@schedulers.register("defragment")
class Defragmenting(Wrapper):
    """Moves running jobs together where a job waits although enough is free, around any scheduler.

    ``scheduler`` decides what runs: a name, or a mapping with ``kind`` and parameters. When it wants to start a job
    that finds no place though as many accelerators are free, up to ``max_moves`` small jobs are moved off one server,
    the cheapest in accelerator-seconds of restart. It is done if the job that gets room is expected to do at least
    ``min_gain`` accelerator-seconds of work for each that the moves cost. ``restart`` is what a move costs jobs that do
    not say it themselves; write the run's. A job is not moved again within ``rest``.

    Source: the migration of Gandiva (Xiao et al., OSDI 2018, section 3.2), here with the cheapest set found exactly.
    """

    name = "defragment"

    def __init__(
        self,
        scheduler: Any = "fifo",
        max_moves: int = 4,
        min_gain: float = 1.0,
        restart: Seconds = 60.0,
        rest: Seconds = 600.0,
    ) -> None:
        if isinstance(max_moves, bool) or max_moves < 1:
            raise InputError(f"max_moves is {max_moves!r}; it must be 1 or more")
        if not 0 <= min_gain < math.inf:
            raise InputError(f"min_gain is {min_gain!r}; it must be a finite number, 0 or more")
        super().__init__(made_inner(scheduler))
        self.max_moves, self.min_gain, self.restart, self.rest = max_moves, min_gain, restart, rest
        self._moved: dict[Job, float] = {}

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the run before."""
        self._moved.clear()
        super().reset(rng)

    def on_finish(self, job: Job) -> None:
        """Forget a job that has ended."""
        self._moved.pop(job, None)
        super().on_finish(job)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Let the inner scheduler act, make room for what it could not place, and let it act again."""
        watched = _Watched(view)
        yield from self._inner(watched)
        while watched.stuck is not None:
            moves = self._moves(view, watched.stuck)
            if not moves:
                return
            for move in moves:
                self._moved[move.job] = view.now
                yield move
            watched.stuck = None
            yield from self._inner(watched)

    def _inner(self, watched: _Watched) -> Iterator[Action]:
        for action in self.inner.schedule(watched) or ():
            if isinstance(action, Start) and action.placement is None:
                watched.place(action.job)
            yield action

    def _moves(self, view: ClusterView, job: Job) -> list[Migrate]:
        rested = (other for other in view.running if view.now - self._moved.get(other, -math.inf) >= self.rest)
        moves = plan(job, view.nodes, rested, self.max_moves, self.restart)
        if moves is None:
            return []
        cost = sum(restart_cost(move.job, self.restart) for move in moves)
        if job.accelerators * view.remaining(job) < self.min_gain * cost:
            return []
        return [Migrate(move.job, move.placement) for move in moves]


class _Watched(Shown):
    """A view that remembers the first job that found no place though enough accelerators are free."""

    def __init__(self, view: ClusterView) -> None:
        super().__init__(view)
        self.stuck: Job | None = None

    def place(self, job: Job, accelerators: float | None = None) -> Placement | None:
        """Where the placement policy would put the job."""
        found = self.view.place(job, accelerators)
        if found is None and self.stuck is None and accelerators is None and 1 <= job.accelerators <= self.view.free:
            self.stuck = job
        return found
