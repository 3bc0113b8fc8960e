"""Whether there would be a place for a job if others had gone: what a scheduler asks before it stops them."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.policies.api import ClusterView
from simulator.workload.jobs import Job, Placement


def room_without(job: Job, nodes: Allocator, leaving: Iterable[Job]) -> bool:
    """Whether the job fits once the jobs that leave have given back what they hold.

    Exact for gangs as far as accelerators, cores, memory, ``max_servers`` and admission go; a job without a whole
    accelerator fits if it does now, or where one that leaves holds as much.
    """
    leaving = tuple(leaving)
    whole = all(other.held == int(other.held) for other in leaving)
    if whole and job.accelerators >= 1:
        if sum(other.held for other in leaving) + nodes.free_total < job.accelerators:
            return False
        if len(nodes) == 1 and nodes.plain and nodes.open_to(job):
            return True
    allowed = nodes.allowed(job)
    if job.accelerators < 1:
        if bool(nodes.fits_for(job).any()):
            return True
        given_back = (part for other in leaving for part in other.placement)
        return any(bool(allowed[server]) and amount >= job.accelerators for server, amount in given_back)
    room = np.where(allowed, nodes.free, 0).astype(float)
    cores, memory = nodes.free_cores.copy(), nodes.free_memory.copy()
    shares: dict[tuple[int, int], float] = {}
    for other in leaving:
        held = sum(amount for _, amount in other.placement) or 1.0
        for (server, amount), device in zip(other.placement, other.devices, strict=True):
            if allowed[server]:
                if device < 0:
                    room[server] += amount
                else:
                    shares[server, device] = shares.get((server, device), 0.0) + amount
                cores[server] += other.cores * amount / held
                memory[server] += other.memory * amount / held
    for (server, device), amount in shares.items():
        room[server] += nodes.device_free[server, device] / 1000 + amount >= 1 - 1e-9  # it is whole again
    for wanted, there in ((job.cores, cores), (job.memory, memory)):
        if wanted:
            room = np.minimum(room, np.floor(there * (job.accelerators / wanted) * (1 + 1e-12)))
    room = np.floor(room + 1e-9)
    if job.max_servers and job.max_servers < len(room):
        room = np.sort(room)[-job.max_servers :]
    return bool(room.sum() >= job.accelerators)


def place_on(view: ClusterView, job: Job, type: str) -> Placement | None:
    """Where the placement policy would put the job on accelerators of one type; of any that will do if it is empty."""
    if not type or job.accelerator_types == (type,):
        return view.place(job)
    other = copy.copy(job)
    other.accelerator_types = (type,)
    return view.place(other)
