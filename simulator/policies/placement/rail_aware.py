"""Rail-aware: members of a gang on the same rails."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.neighbourhoods import Known, Neighbourhoods, OneServerFirst
from simulator.workload.jobs import Job, Placement

Numbers = tuple[int, ...]


@placers.register("rail-aware")
class RailAware(OneServerFirst):
    """Gangs in equal parts on the same accelerator numbers of each server, so that every ring stays on its own rail.

    On rails accelerator number r of each server meets those of the others on a leaf of its own (NVIDIA DGX SuperPOD
    reference architecture; Wang et al., "Rail-only", 2023): members of unlike numbers must cross the spine. The engine
    hands out the lowest free numbers; which these are is followed by ``on_start`` and ``on_end``. Of the ways to cut a
    gang into equal parts that is taken which needs the fewest servers and has them in one unit (the fullest), else in
    units near to each other. Where no equal parts are free, and where accelerators have no links of their own, it
    places as ``topology`` does.
    """

    def __init__(self) -> None:
        self._known = Known()
        self.reset()

    def reset(self, rng: object = None) -> None:
        """Forget what ran: a new run begins."""
        self._held: dict[Job, tuple[tuple[int, Numbers], ...]] = {}
        self._taken: dict[int, set[int]] = {}

    def on_start(self, job: Job) -> None:
        """Note the numbers that a job got: the lowest that were free."""
        held = []
        for server, count in sorted(job.placement):
            numbers = self._lowest(server, int(count))
            self._taken.setdefault(server, set()).update(numbers)
            held.append((server, numbers))
        self._held[job] = tuple(held)

    def on_end(self, job: Job) -> None:
        """Take back the numbers of a job."""
        for server, numbers in self._held.pop(job, ()):
            self._taken[server].difference_update(numbers)

    def _lowest(self, server: int, count: int) -> Numbers:
        taken, number = self._taken.get(server, ()), 0
        numbers: list[int] = []
        while len(numbers) < count:
            if number not in taken:
                numbers.append(number)
            number += 1
        return tuple(numbers)

    def over_several(self, job: Job, nodes: Allocator, room: np.ndarray, topology: Topology) -> Placement | None:
        """Take servers on whose accelerators all rings stay on their rails, else those nearest."""
        hoods = self._known.of(topology)
        return (self._aligned(job, room, hoods) if topology.wired else None) or hoods.gather(job, room)

    def _aligned(self, job: Job, room: np.ndarray, hoods: Neighbourhoods) -> Placement | None:
        wanted = int(job.accelerators)
        for part in range(min(wanted, int(room.max())), 0, -1):
            count = wanted // part
            if wanted % part or (job.max_servers and count > job.max_servers):
                continue
            chosen = self._alike(part, count, np.flatnonzero(room >= part), room, hoods)
            if chosen is not None:
                return tuple((server, float(part)) for server in sorted(chosen))
        return None

    def _alike(
        self, part: int, count: int, fitting: np.ndarray, room: np.ndarray, hoods: Neighbourhoods
    ) -> list[int] | None:
        """``count`` servers whose ``part`` lowest free numbers are the same, as near to each other as may be."""
        groups: dict[Numbers, list[int]] = {}
        for server in fitting.tolist():
            groups.setdefault(self._lowest(server, part), []).append(server)
        best: tuple[tuple[int, int], list[int]] | None = None
        for servers in groups.values():
            if len(servers) < count:
                continue
            counted = np.bincount(hoods.of[servers], minlength=len(hoods))
            holding = np.flatnonzero(counted >= count)
            units = holding[[np.argmin(counted[holding])]] if len(holding) else hoods.closest(counted, count)
            order = [server for unit in units.tolist() for server in servers if hoods.of[server] == unit]
            order = (
                sorted(order[:count]) if len(units) > 1 else sorted(order, key=lambda each: (room[each], each))[:count]
            )
            score = (len(units), int(room[order].sum()))
            if best is None or score < best[0]:
                best = (score, order)
        return best[1] if best else None
