"""Spread: as many servers as possible."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import loosest, room_for, small, take
from simulator.workload.jobs import Job, Placement


@placers.register("spread")
class Spread:
    """As evenly as possible over as many servers as possible, the emptiest first (anti-affinity)."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Deal the gang out like cards, one accelerator at a time, to the servers with the most room."""
        if small(job):
            server = loosest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        room = room_for(job, nodes)
        order = np.argsort(-room, kind="stable")
        if job.max_servers:
            return take(job, order, room)
        wanted = int(job.accelerators)
        if int(room.sum()) < wanted:
            return None
        hand = _deal(room[order], wanted)
        return tuple(sorted((int(order[i]), float(hand[i])) for i in np.flatnonzero(hand)))


def _deal(room: np.ndarray, wanted: int) -> np.ndarray:
    """Deal ``wanted`` accelerators to servers of falling ``room``, one each a round."""
    hand = np.zeros_like(room)
    while wanted > 0:
        takers = np.flatnonzero(hand < room)[:wanted]
        rounds = max(1, min(wanted // len(takers), int((room - hand)[takers].min())))
        hand[takers] += rounds
        wanted -= rounds * len(takers)
    return hand
