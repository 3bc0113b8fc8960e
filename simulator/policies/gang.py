"""Building blocks of placement: room of servers for a job, the best of them, filling them in an order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.workload.jobs import Job, Placement


def room_for(job: Job, nodes: Allocator) -> np.ndarray:
    """Accelerators of the job's gang that each server could take now; int array of shape (servers,).

    Cores and memory go with the accelerators in proportion; a server that is down, or may not take the job by its type,
    partition, labels, taints or booking, has no room.
    """
    room = np.where(nodes.allowed(job), nodes.free, 0)
    if job.cores:
        room = np.minimum(room, np.floor(nodes.free_cores * (job.accelerators / job.cores) * (1 + 1e-12)))
    if job.memory:
        room = np.minimum(room, np.floor(nodes.free_memory * (job.accelerators / job.memory) * (1 + 1e-12)))
    return room.astype(np.int64)


def small(job: Job) -> bool:
    """Whether the job needs no whole accelerator: a share of one, or none at all."""
    return job.accelerators < 1


def take(job: Job, servers: np.ndarray, room: np.ndarray) -> Placement | None:
    """Fill ``servers`` (indices, best first) up to their ``room`` until the gang is placed; None if it does not fit."""
    left = int(job.accelerators)
    limit = job.max_servers or len(servers)
    placement = []
    for server in servers[:limit].tolist():
        taken = min(left, room.item(server))
        if taken > 0:
            placement.append((server, float(taken)))
            left -= taken
        if left == 0:
            return tuple(sorted(placement))
    return None


def split(job: Job, nodes: Allocator) -> Placement | None:
    """Place a gang on as few servers as possible: the emptiest, and the best fit for the rest; None without room."""
    room = room_for(job, nodes)
    return take(job, _emptiest_then_best(room, int(job.accelerators)), room)


def best(job: Job, nodes: Allocator, score: Callable[[np.ndarray], np.ndarray]) -> Placement | None:
    """Place all of the job on the server with the highest score, ties on the first; a gang too large for any is split.

    ``score`` is given the servers that can take the job (indices) and returns a number for each. None without room.
    """
    fits = np.flatnonzero(nodes.fits_for(job))
    if len(fits):
        return ((int(fits[np.argmax(score(fits))]) if len(fits) > 1 else int(fits[0]), job.accelerators),)
    return None if small(job) or job.max_servers == 1 else split(job, nodes)


def _emptiest_then_best(room: np.ndarray, wanted: int) -> np.ndarray:
    """Servers by falling room, as many as it takes; the last one exchanged for the tightest that holds the rest."""
    order = np.argsort(-room, kind="stable")
    sums = np.cumsum(room[order])
    last = int(np.searchsorted(sums, wanted))
    if last >= len(order):
        return order
    rest = wanted - (int(sums[last - 1]) if last else 0)
    candidates = order[last:]
    holding = candidates[room[candidates] >= rest]
    best_ = holding[np.argmin(room[holding])]
    return np.append(order[:last], best_)


def tightest(job: Job, nodes: Allocator) -> int | None:
    """Server for a job without a whole accelerator: the one that it fills up most; None when it fits nowhere.

    Shares go next to other shares first; jobs without accelerators go to servers with the fewest free ones, so that
    they do not stand in the way of those that need them.
    """
    fits = np.flatnonzero(nodes.fits_for(job))
    if not len(fits):
        return None
    if job.accelerators:
        beside = np.where(nodes.largest_share[fits] >= job.accelerators, nodes.largest_share[fits], 2.0)
        order = np.lexsort((fits, nodes.free[fits], beside))
    else:
        order = np.lexsort((fits, nodes.free_cores[fits], nodes.free[fits], nodes.total[fits]))
    return int(fits[order[0]])


def loosest(job: Job, nodes: Allocator) -> int | None:
    """Server for a job without a whole accelerator: the emptiest; None when it fits nowhere."""
    fits = np.flatnonzero(nodes.fits_for(job))
    if not len(fits):
        return None
    order = np.lexsort((fits, -nodes.free_cores[fits], -nodes.largest_share[fits], -nodes.free[fits]))
    return int(fits[order[0]])
