"""Which jobs to move so that a job finds room that is there but scattered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.policies.gang import room_for
from simulator.workload.jobs import Job, Placement


class Move(NamedTuple):
    """A running job, and where it should go."""

    job: Job
    placement: Placement


def restart_cost(job: Job, restart: float) -> float:
    """Accelerator-seconds that a move costs: what the job holds x its restart, ``restart`` (s) if it says nothing."""
    return job.held * (job.restart if job.restart >= 0 else restart)


def plan(job: Job, nodes: Allocator, running: Iterable[Job], most: int, restart: float) -> list[Move] | None:
    """Return the moves, at most ``most``, that make room for a gang at the least cost; None when there are none.

    One server is cleared, beside those with the most room if the job may span several. Which jobs leave it is a
    knapsack, solved exactly: the cheapest set that frees what is missing. They go, largest first, to the fullest
    servers that hold them whole. Only jobs on a single server, without cores or memory of their own, move. Costs are
    those of ``restart_cost``.
    """
    wanted = int(job.accelerators)
    if wanted < 1 or wanted != job.accelerators or nodes.free_total < wanted or job.cores or job.memory:
        return None
    here = _movable(running)
    room = room_for(job, nodes)
    allowed = nodes.allowed(job)
    spans = (job.max_servers or len(room)) - 1
    order = np.argsort(-room, kind="stable").tolist()
    best: tuple[float, int, list[Move]] | None = None
    for server in sorted(here):
        if not allowed[server]:
            continue
        kept = [other for other in order if other != server][:spans]
        missing = wanted - int(room[server]) - int(sum(room[other] for other in kept))
        if missing <= 0 or int(room[server]) + missing > nodes.total[server]:
            continue
        leaving = cheapest(here[server], missing, most, restart)
        moves = None if leaving is None else _destinations(leaving, nodes, [server, *kept])
        if moves is not None:
            cost = sum(restart_cost(move.job, restart) for move in moves)
            if best is None or (cost, len(moves)) < best[:2]:
                best = (cost, len(moves), moves)
    return None if best is None else best[2]


def cheapest(jobs: Sequence[Job], missing: int, most: int, restart: float) -> list[Job] | None:
    """Return the cheapest of ``jobs``, at most ``most``, that hold ``missing`` accelerators or more, or None."""
    best: dict[int, tuple[float, tuple[Job, ...]]] = {0: (0.0, ())}
    for job in jobs:
        cost, held = restart_cost(job, restart), int(job.held)
        for freed, (paid, chosen) in sorted(best.items(), reverse=True):
            if len(chosen) < most:
                sum_ = min(missing, freed + held)
                offer = (paid + cost, (*chosen, job))
                if sum_ not in best or (offer[0], len(offer[1])) < (best[sum_][0], len(best[sum_][1])):
                    best[sum_] = offer
    return list(best[missing][1]) if missing in best else None


def _movable(running: Iterable[Job]) -> dict[int, list[Job]]:
    """Jobs that may be moved, by the server that they are on."""
    found: dict[int, list[Job]] = {}
    for job in running:
        whole = len(job.placement) == 1 and job.held >= 1 and job.held == int(job.held)
        if whole and job.preemptible and not (job.cores or job.memory):
            found.setdefault(job.placement[0][0], []).append(job)
    return found


def _destinations(leaving: Sequence[Job], nodes: Allocator, cleared: Sequence[int]) -> list[Move] | None:
    """Best fit, largest first, on servers that are not being cleared; None when one finds no place."""
    free = nodes.free.copy()
    free[list(cleared)] = -1
    moves = []
    for job in sorted(leaving, key=lambda each: (-each.held, each.sequence)):
        fitting = np.flatnonzero(nodes.allowed(job) & (free >= job.held))
        if not len(fitting):
            return None
        server = int(fitting[np.argmin(free[fitting])])
        free[server] -= int(job.held)
        moves.append(Move(job, ((server, job.held),)))
    return moves
