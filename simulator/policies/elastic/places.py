"""Servers for gangs of a size that the scheduler chose, and moves of small ones that make room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.policies.gang import room_for
from simulator.workload.jobs import Job, Placement, State


def spread_over(jobs: Iterable[Job]) -> dict[int, Job]:
    """For each server that a gang over several servers runs on, that gang."""
    return {server: job for job in jobs if len(job.placement) > 1 for server, _ in job.placement}


def present(job: Job) -> Placement:
    """Where a job is, empty while it waits: its ``placement`` is then that of its last stay."""
    return job.placement if job.state is State.RUNNING else ()


def room(job: Job, nodes: Allocator, type: str | None) -> np.ndarray:
    """Accelerators that each server could give the job, those that it has there among them; shape (servers,)."""
    free = room_for(job, nodes)
    for server, count in present(job):
        free[server] += int(count)
    return free if type is None else np.where(nodes.types == type, free, 0)


def place(
    job: Job, size: int, nodes: Allocator, servers: int, type: str | None = None, taken: dict[int, Job] | None = None
) -> Placement | None:
    """Find ``size`` accelerators on at most ``servers`` servers; None where there is no such place.

    On one server: where the job is, else where least stays free. On several: those that it is on, then the emptiest,
    and for the rest the tightest; none of those in ``taken``, where another gang over several servers runs.
    """
    free = room(job, nodes, type)
    own = np.zeros(len(free), dtype=bool)
    own[[server for server, _ in present(job)]] = True
    fits = np.flatnonzero(free >= size)
    if len(fits):
        best = np.lexsort((fits, free[fits], ~own[fits]))[0]
        return ((int(fits[best]), float(size)),)
    for server in taken or ():
        if taken is not None and taken[server] is not job:
            free[server] = 0
    return _over_several(size, free, own, min(servers, job.max_servers or servers))


def _over_several(size: int, free: np.ndarray, own: np.ndarray, servers: int) -> Placement | None:
    order = np.lexsort((np.arange(len(free)), ~own, -free))[:servers]
    placement: list[tuple[int, float]] = []
    rest = size
    for server in order.tolist():
        count = int(free[server])
        if count >= rest:
            others = dict(placement)
            fits = [at for at in np.flatnonzero(free >= rest).tolist() if at not in others]
            tightest = min(fits, key=lambda at: (not own[at], free[at], at))
            return tuple(sorted([*placement, (tightest, float(rest))]))
        if count == 0:
            return None
        placement.append((server, float(count)))
        rest -= count
    return None


def shrunk(job: Job, size: int) -> Placement:
    """The part of its own place that a smaller job keeps: the servers on which it has most."""
    placement, rest = [], float(size)
    for server, count in sorted(job.placement, key=lambda part: (-part[1], part[0])):
        kept = min(count, rest)
        if kept > 0:
            placement.append((server, kept))
            rest -= kept
    return tuple(sorted(placement))


@dataclass(frozen=True, slots=True)
class Clearing:
    """A server on which there is room when ``moves`` are made; ``moved`` accelerators change place."""

    server: int
    moves: tuple[tuple[Job, Placement], ...]
    moved: int


def clear(job: Job, size: int, nodes: Allocator, running: Iterable[Job], type: str | None = None) -> Clearing | None:
    """Find the server that is cleared for ``size`` accelerators of ``job`` at the least; None where none can be.

    Gangs that are on that server alone, and smaller than ``size``, move to servers where they fit.
    """
    free = room(job, nodes, type)
    whole = nodes.total >= size
    residents: dict[int, list[Job]] = {}
    for other in running:
        if len(other.placement) == 1 and other is not job and other.preemptible and 1 <= other.held < size:
            residents.setdefault(other.placement[0][0], []).append(other)
    best: Clearing | None = None
    for server, others in sorted(residents.items()):
        if whole[server]:
            found = _cleared(server, size - int(free[server]), others, nodes)
            if found is not None and (best is None or found.moved < best.moved):
                best = found
    return best


def _cleared(server: int, needed: int, others: list[Job], nodes: Allocator) -> Clearing | None:
    used: dict[int, int] = {}
    moves: list[tuple[Job, Placement]] = []
    moved = 0
    for other in sorted(others, key=lambda each: (each.held, each.sequence)):
        if moved >= needed:
            break
        target = _target(other, server, used, nodes)
        if target is not None:
            used[target] = used.get(target, 0) + int(other.held)
            moves.append((other, ((target, other.held),)))
            moved += int(other.held)
    return Clearing(server, tuple(moves), moved) if moved >= needed else None


def _target(job: Job, server: int, used: dict[int, int], nodes: Allocator) -> int | None:
    """Tightest other server with room, what earlier moves take counted; of the same type as where the job is."""
    free = np.where(nodes.types == nodes.types[server], room_for(job, nodes), 0)
    for taken, count in used.items():
        free[taken] -= count
    free[server] = 0
    fits = np.flatnonzero(free >= job.held)
    return int(fits[np.argmin(free[fits])]) if len(fits) else None
