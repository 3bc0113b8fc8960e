"""What waiting and running jobs ask of nodes, jobs with equal wishes taken together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.policies.supply import GroupView, Resident, Unplaced

_SLACK = 1e-9
"""Share of a node by which sums of floats may miss their mark; ours."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs that ask for the same. Accelerators, cores and memory (bytes) are those of one whole job.

    ``servers`` and ``groups`` are as in ``Unplaced``; ``jobs`` holds the names, in the order of the queue.
    """

    accelerators: float
    cores: float
    memory: float
    servers: int
    groups: tuple[int, ...]
    jobs: tuple[str, ...]

    @property
    def gang(self) -> bool:
        """Whether a job may be split over nodes; it still starts as a whole or not at all."""
        return self.servers != 1

    def portion(self, accelerators: float, cores: float, memory: float) -> float:
        """Return the share of one job that fits into so much room, at most 1: in whole accelerators, if it wants any.

        A job that may not be split fits or does not: 1 or 0.
        """
        share = math.inf
        for room, want in ((accelerators, self.accelerators), (cores, self.cores), (memory, self.memory)):
            if want > 0:
                share = min(share, room / want)
        if share >= 1 - _SLACK:
            return 1.0
        if not self.gang or share <= 0:
            return 0.0
        if self.accelerators > 0:
            return math.floor(share * self.accelerators + _SLACK) / self.accelerators
        return share

    def nodes(self, group: GroupView) -> int:
        """Return how many empty nodes of a group hold one job; 0 if none do."""
        share = self.portion(group.accelerators, group.cores, group.memory)
        if share <= 0:
            return 0
        needed = math.ceil(1 / share - _SLACK)
        return needed if self.servers == 0 or needed <= self.servers else 0


def kinds(pending: Iterable[Unplaced]) -> list[Kind]:
    """Take jobs with equal wishes together, in the order in which their first stands in the queue."""
    found: dict[tuple[float, float, float, int, tuple[int, ...]], list[str]] = {}
    for job in pending:
        key = (job.accelerators, job.cores, job.memory, job.servers, job.groups)
        found.setdefault(key, []).append(job.id)
    return [Kind(*key, jobs=tuple(names)) for key, names in found.items()]


def kind_of(resident: Resident) -> Kind:
    """Return what a resident asks of the node that it would move to; a part of a larger job moves as it is."""
    wish = (resident.accelerators, resident.cores, resident.memory)
    return Kind(*wish, servers=1, groups=resident.groups, jobs=(resident.id,))
