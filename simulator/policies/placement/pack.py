"""Pack: as few servers as possible."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import room_for, small, take, tightest
from simulator.workload.jobs import Job, Placement


@placers.register("pack")
class Pack:
    """As few servers as possible, the fullest that still fit (best fit); keeps large holes whole."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the fullest server that holds the whole job, else the emptiest ones and the best fit for the rest."""
        if small(job):
            server = tightest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        room = room_for(job, nodes)
        wanted = int(job.accelerators)
        whole = np.flatnonzero(room >= wanted)
        if len(whole):
            return ((int(whole[np.argmin(nodes.free[whole])]), job.accelerators),)
        return take(job, _emptiest_then_best(room, wanted), room)


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
    best = holding[np.argmin(room[holding])]
    return np.append(order[:last], best)
