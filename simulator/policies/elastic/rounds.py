"""Rounds: every minute or so sizes are chosen anew for all jobs, and then carried out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from simulator.core.units import Seconds
from simulator.policies.api import Action, ClusterView, Migrate, Preempt, Resize, Start
from simulator.policies.elastic.places import clear, place, shrunk, spread_over
from simulator.policies.elastic.sizes import Servers, span
from simulator.workload.jobs import Job, Placement, State


class Wish(NamedTuple):
    """What a job is to have: a number of accelerators, 0 for none, and their type; None: as it comes."""

    size: int
    type: str | None = None


class Rounds(ABC):
    """A scheduler of elastic jobs that thinks every ``interval`` seconds; subclasses say what each job is to have.

    Between rounds nothing that runs is touched: who comes is started on the fewest accelerators that will do, in the
    order of submission, and the first that finds no place makes the others wait for the round.
    """

    name = "rounds"
    always = True
    avoid_interference = False
    """Whether no two gangs that span servers may share one."""

    def __init__(self, interval: Seconds = 60.0) -> None:
        if not 0 < interval < math.inf:
            raise ValueError(f"interval is {interval:g} s; it must be a finite number above 0")
        self.interval = interval
        self._due = True
        self.moves: dict[Job, int] = {}
        """How often each job has been stopped, moved or resized."""
        self.largest: dict[Job, int] = {}
        """Most accelerators that each job has had."""

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the jobs of an earlier run."""
        self._due = True
        self.moves, self.largest = {}, {}

    def on_tick(self, now: float) -> None:
        """A round begins."""
        self._due = True

    def on_finish(self, job: Job) -> None:
        """Forget a job."""
        self.moves.pop(job, None)
        self.largest.pop(job, None)

    @abstractmethod
    def wishes(self, view: ClusterView, jobs: list[Job]) -> Mapping[Job, Wish]:
        """Say what each of ``jobs``, all that run and wait in the order of submission, is to have from now on."""

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Carry out a round when it is due, or the cluster stands idle; start newcomers where there is room."""
        if self._due or not len(view.running):
            self._due = False
            jobs = sorted((*view.running, *view.queue), key=_sequence)
            if jobs:
                yield from self._carry_out(view, self.wishes(view, jobs))
        yield from self._newcomers(view)
        for job in view.running:
            self.largest[job] = max(self.largest.get(job, 0), int(job.held))

    def kept(self, view: ClusterView, job: Job, restart: float) -> float:
        """What a job's speedup counts for if it moves: the part of its life that restarts leave, as Pollux has it.

        (age - moves x delay) / (age + delay), 0 or more; the delay (s) is the job's own, or ``restart``.
        """
        age, delay = view.now - job.submit, job.restart if job.restart >= 0 else restart
        return max(age - self.moves.get(job, 0) * delay, 0.0) / (age + delay) if age + delay > 0 else 1.0

    def _newcomers(self, view: ClusterView) -> Iterator[Action]:
        for job in view.queue:
            placement = view.place(job, span(job)[0] if job.accelerators >= 1 else None)
            if placement is None:
                return
            yield Start(job, placement)

    def _carry_out(self, view: ClusterView, wishes: Mapping[Job, Wish]) -> Iterator[Action]:
        """Stop and shrink first, then let the largest grow or start first, so that every step finds what it needs."""
        grow: list[tuple[Job, Wish]] = []
        for job, wish in wishes.items():
            if job.state is State.QUEUED:
                if wish.size:
                    grow.append((job, wish))
            elif not job.preemptible:
                continue
            elif wish.size == 0:
                yield self._moved(job, Preempt(job))
            elif job.accelerators < 1:
                continue
            elif not _there(job, wish, view):
                grow.append((job, wish))
            elif wish.size < job.held:
                yield self._moved(job, Resize(job, wish.size, shrunk(job, wish.size)))
            elif wish.size > job.held:
                grow.append((job, wish))
        grow.sort(key=lambda pair: (-pair[1].size, pair[0].sequence))
        for job, wish in grow:
            yield from self._give(view, job, wish)

    def _give(self, view: ClusterView, job: Job, wish: Wish) -> Iterator[Action]:
        """Let a job have its wish, making room if need be, or else the next smaller size that has a place."""
        if job.accelerators < 1:
            found = view.place(job)
            if found is not None:
                yield Start(job, found)
            return
        servers = Servers.of(view.nodes, wish.type)
        placement = self._place(view, job, wish.size, servers, wish.type)
        if placement is None:
            for move in self._room(view, job, wish, servers):
                yield self._moved(move.job, move)
            placement = self._place(view, job, wish.size, servers, wish.type)
        if placement is None:
            placement = self._smaller(view, job, wish, servers)
        if placement is None:
            return
        if job.state is State.QUEUED:
            yield Start(job, placement)
        elif not _same(placement, job.placement):
            yield self._moved(job, Resize(job, sum(part for _, part in placement), placement))

    def _place(self, view: ClusterView, job: Job, size: int, servers: Servers, type: str | None) -> Placement | None:
        taken = spread_over(view.running) if self.avoid_interference else None
        return place(job, size, view.nodes, servers.needed(size), type, taken)

    def _smaller(self, view: ClusterView, job: Job, wish: Wish, servers: Servers) -> Placement | None:
        least = span(job)[0]
        floor = int(job.held) if job.state is State.RUNNING and _there(job, wish, view) else least - 1
        for size in reversed(servers.steps()):
            if max(floor, least - 1) < size < wish.size:
                found = self._place(view, job, size, servers, wish.type)
                if found is not None:
                    return found
        if job.state is State.RUNNING:
            return None
        return view.place(job, least) if least == span(job)[1] and wish.type is None else None

    def _room(self, view: ClusterView, job: Job, wish: Wish, servers: Servers) -> Iterator[Migrate]:
        """Move small gangs away, at most as many accelerators as the job is to have."""
        moved, each = 0, min(wish.size, servers.largest)
        for _ in range(servers.needed(wish.size)):
            if self._place(view, job, wish.size, servers, wish.type) is not None:
                return
            clearing = clear(job, each, view.nodes, view.running, wish.type)
            if clearing is None or not clearing.moves or moved + clearing.moved > wish.size:
                return
            moved += clearing.moved
            for other, placement in clearing.moves:
                yield Migrate(other, placement)

    def _moved(self, job: Job, action: Action) -> Action:
        self.moves[job] = self.moves.get(job, 0) + 1
        return action


def _there(job: Job, wish: Wish, view: ClusterView) -> bool:
    """Whether a running job is on accelerators of the type that it is to have."""
    return wish.type is None or all(view.nodes.types[server] == wish.type for server, _ in job.placement)


def _same(one: Placement, other: Placement) -> bool:
    return sorted(one) == sorted(other)


def _sequence(job: Job) -> int:
    return job.sequence
