"""Time slicing, packing and migration of training jobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.core.units import Seconds
from simulator.policies.api import (
    Action,
    ClusterView,
    Interference,
    Migrate,
    Preempt,
    Resize,
    Start,
    interferences,
    schedulers,
)
from simulator.policies.defragmentation import plan
from simulator.policies.parts import make_part
from simulator.policies.room import room_without
from simulator.policies.wrapping import named
from simulator.workload.jobs import Job, Placement

HALF = 0.5


@schedulers.register("gandiva")
class Gandiva:
    """Time slicing by suspend and resume, packing of jobs that bear it, migration against fragmentation (Gandiva).

    Jobs take turns: who has waited longest goes first, for those that have run ``quantum`` or more since they started
    or came back, longest first. Suspending costs the job's restart. With ``pack``, two jobs on one accelerator each
    that may run on a half (their ``minimum``) share one if the sum of their paces, by ``interference`` (a name, or a
    mapping with ``kind`` and parameters), is above ``min_pace``. With ``migrate``, up to ``max_moves`` jobs are moved
    together for one that finds no room though enough is free; ``restart`` is what that costs jobs that do not say it.

    Source: Xiao et al., Gandiva (OSDI 2018), section 3. There each server slices its own time in 60 s rounds, and a
    pair is packed on trial and measured; here slicing is of the whole cluster, and the measured table is known.
    Growing and shrinking are left out.
    """

    name = "gandiva"

    def __init__(
        self,
        quantum: Seconds = 60.0,
        pack: bool = True,
        migrate: bool = True,
        interference: Any = "table",
        min_pace: float = 1.0,
        max_moves: int = 4,
        restart: Seconds = 5.0,
    ) -> None:
        if not 0 < quantum < math.inf:
            raise InputError(f"quantum is {quantum:g} s; it must be a finite number above 0")
        if not 0 < min_pace <= 2:
            raise InputError(f"min_pace is {min_pace!r}; it must be above 0, at most 2: the sum of two paces")
        if isinstance(max_moves, bool) or max_moves < 1:
            raise InputError(f"max_moves is {max_moves!r}; it must be 1 or more")
        self.quantum = self.interval = quantum
        self.pack, self.migrate = bool(pack), bool(migrate)
        self.min_pace, self.max_moves, self.restart = min_pace, max_moves, restart
        self.interference: Interference = named(
            "interference",
            lambda: make_part(interferences, interference, "pace", _Paced, "(job, share, neighbours) -> pace"),
        )
        self._turns: dict[Job, float] = {}
        """Jobs that run, and when their turn began (s), the earliest first."""

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the run before."""
        self._turns.clear()

    def on_submit(self, job: Job) -> None:
        """A job waits; if it ran, its turn is over."""
        self._turns.pop(job, None)

    def on_finish(self, job: Job) -> None:
        """A job has ended."""
        self._turns.pop(job, None)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Start what fits, pack what bears it, and let those that wait longest take the place of others."""
        for job in view.queue.by(_waiting_since):
            placement = view.place(job)
            if placement is None and self.migrate and 1 <= job.accelerators <= view.free:
                for move in plan(job, view.nodes, view.running, self.max_moves, self.restart) or ():
                    yield Migrate(move.job, move.placement)
                placement = view.place(job)
            if placement is not None:
                yield from self._start(view, job, placement)
            elif self.pack and (partner := self._partner(view, job)) is not None:
                place = ((partner.placement[0][0], HALF),)
                if partner.held != HALF:
                    yield Resize(partner, HALF, place)
                yield from self._start(view, job, place)
            elif not (victims := self._victims(view, job)):
                return  # all that run had less than their turn; until then nobody passes the one that waits longest
            else:
                for victim in victims:
                    del self._turns[victim]
                    yield Preempt(victim)
                placement = view.place(job)
                if placement is None:
                    return
                yield from self._start(view, job, placement)

    def _start(self, view: ClusterView, job: Job, placement: Placement) -> Iterator[Action]:
        self._turns[job] = view.now
        yield Start(job, placement)

    def _victims(self, view: ClusterView, job: Job) -> list[Job]:
        """Jobs whose turn is over, those longest at it first, only as many as make room; none if they do not."""
        over = view.now - self.quantum * (1 - 1e-9)
        going: list[Job] = []
        held = view.free
        for other, since in self._turns.items():
            if since > over:
                return []
            if other.preemptible and other.held > 0:
                going.append(other)
                held += other.held if other.held >= 1 else 1.0
                if held >= job.accelerators and room_without(job, view.nodes, going):
                    return _needed(view, job, going)
        return []

    def _partner(self, view: ClusterView, job: Job) -> Job | None:
        """The running job that shares an accelerator with this one best; None when no pair is worth it."""
        if not _shareable(job):
            return None
        best, found = self.min_pace, None
        for other in view.running:
            if _shareable(other) and other.preemptible and other.held in (1.0, HALF) and _alone(view, other):
                ours = self.interference.pace(job, HALF, [(other, HALF)])
                theirs = self.interference.pace(other, HALF, [(job, HALF)])
                if ours > 0 and theirs > 0 and ours + theirs > best:
                    best, found = ours + theirs, other
        return found


class _Paced:
    """A rule of interference that is a plain function."""

    def __init__(self, function: Callable[..., float]) -> None:
        self._function = function

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
        """Pace of a job beside its neighbours."""
        return self._function(job, share, neighbours)


def _shareable(job: Job) -> bool:
    return job.accelerators == 1 and 0 < job.minimum <= HALF and not (job.cores or job.memory)


def _alone(view: ClusterView, job: Job) -> bool:
    """Whether a half that is given away on the job's server is sure to land beside it."""
    server, device = job.placement[0][0], job.devices[0]
    if job.held == 1:
        return bool(view.nodes.largest_share[server] < HALF)
    halves = (view.nodes.device_free[server] == 1000 * HALF).nonzero()[0]
    return len(halves) > 0 and int(halves[0]) == device


def _needed(view: ClusterView, job: Job, going: list[Job]) -> list[Job]:
    """Spare those that need not go, the last found first."""
    kept = list(going)
    for other in reversed(going[:-1]):
        fewer = [each for each in kept if each is not other]
        if room_without(job, view.nodes, fewer):
            kept = fewer
    return kept


def _waiting_since(job: Job) -> tuple[float, int]:
    return (job.since, job.sequence)
