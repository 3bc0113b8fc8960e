"""Numbers of accelerators that a job may be given, and the servers that they take."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.workload.jobs import Job


def span(job: Job) -> tuple[int, int]:
    """Fewest and most accelerators of a job; equal for one of a fixed size, a share counting as one."""
    wanted = math.ceil(job.accelerators)
    if job.speedup is None or job.accelerators < 1:
        return wanted, wanted
    least = math.ceil(job.minimum) or wanted
    return least, max(least, int(job.maximum) or wanted)


class Servers:
    """Sizes of the servers that are up, largest first: how many of them a gang takes when they are empty."""

    def __init__(self, totals: Iterable[int]) -> None:
        self.totals = sorted((int(total) for total in totals if total > 0), reverse=True)
        self._sums = list(accumulate(self.totals))
        self.largest = self.totals[0] if self.totals else 0
        self.capacity = self._sums[-1] if self._sums else 0

    @classmethod
    def of(cls, nodes: Allocator, type: str | None = None) -> Servers:
        """Take the servers of a cluster, of one type of accelerator if that is given."""
        chosen = nodes.up if type is None else nodes.up & (nodes.types == type)
        return cls(nodes.total[np.flatnonzero(chosen)].tolist())

    def needed(self, accelerators: int) -> int:
        """Fewest servers that hold a gang; at least 1."""
        return max(1, min(bisect_left(self._sums, accelerators) + 1, len(self.totals)))

    def steps(self) -> list[int]:
        """Sizes of gangs that fill servers without gaps: 1, 2, 4, ... within the largest, then whole servers.

        Gangs of these sizes always find room when there is enough of it and others may be moved (Sia, SOSP 2023), and
        no two that span servers ever share one.
        """
        within = [size for size in _powers(self.largest) if size < self.largest]
        return within + self._sums


def _powers(largest: int) -> Iterable[int]:
    size = 1
    while size <= largest:
        yield size
        size *= 2


def choices(job: Job, steps: Sequence[int], servers: Servers, cap: float) -> list[int]:
    """Sizes of ``steps`` that a job may be given, at most ``cap``, its own fewest and present one among them."""
    least, most = span(job)
    most = max(least, int(min(most, servers.capacity, cap)))
    held = int(job.held) if job.held >= 1 else least
    found = sorted({size for size in (*steps, least, held) if least <= size <= max(most, held)})
    if job.max_servers:
        found = [size for size in found if servers.needed(size) <= job.max_servers]
    return [size for size in found if size <= servers.capacity]
