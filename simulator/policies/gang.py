"""Building blocks of placement: how much of a job each server can take, and filling servers in an order."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.workload.jobs import Job, Placement


def room_for(job: Job, nodes: Allocator) -> np.ndarray:
    """Accelerators of the job's gang that each server could take now; int array of shape (servers,).

    Cores and memory go with the accelerators in proportion; a server that is down or of a wrong type has no room.
    """
    room = np.where(nodes.eligible(types=job.accelerator_types), nodes.free, 0)
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


def tightest(job: Job, nodes: Allocator) -> int | None:
    """Server for a job without a whole accelerator: the one that it fills up most; None when it fits nowhere.

    Shares go next to other shares first; jobs without accelerators go to servers with the fewest free ones, so that
    they do not stand in the way of those that need them.
    """
    fits = np.flatnonzero(nodes.fits(job.accelerators, job.cores, job.memory, job.accelerator_types))
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
    fits = np.flatnonzero(nodes.fits(job.accelerators, job.cores, job.memory, job.accelerator_types))
    if not len(fits):
        return None
    order = np.lexsort((fits, -nodes.free_cores[fits], -nodes.largest_share[fits], -nodes.free[fits]))
    return int(fits[order[0]])
