"""How often a provider that takes nodes back costs a job the work since its last checkpoint."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from simulator.runtime.supply.groups import Group
from simulator.workload.jobs import Job


def rate(group: Group) -> float:
    """Return the interruptions per second of one node: ``1 / mean``; 0 where none come, or a file says when."""
    mean = group.interruptions
    return 1.0 / mean if isinstance(mean, float | int) else 0.0


def told_by_file(group: Group) -> bool:
    """Whether nodes are taken back at times of a file, or as a capacity changes: by no declared rate."""
    changes = group.capacity is not None and len(group.capacity.values) > 1
    return changes or not isinstance(group.interruptions, float | int)


class Losses:
    """Interruptions of each server as its group declares them, and those that have cost each job work.

    A checkpoint that takes no longer than the notice is written within it, so that the interruption costs no work.
    Interruptions that a file brings are not in the declared rate; ``seen`` learns from them.
    """

    def __init__(self, groups: Sequence[Group], servers: int) -> None:
        self._rates, self._notice = np.zeros(servers), np.full(servers, math.inf)
        for group in groups:
            self._rates[list(group.servers)] = rate(group)
            self._notice[list(group.servers)] = group.notice
        self._stopped: tuple[Counter[Job], Counter[Job]] = (Counter(), Counter())
        """Losses of each job to groups without a declared rate, and to those with one."""
        self.by_file = tuple(group.name for group in groups if told_by_file(group))
        """Groups whose interruptions follow no declared rate."""

    def of(self, servers: Iterable[int], needs: float) -> float:
        """Return the losses per second of a job on these servers whose checkpoint takes ``needs`` seconds."""
        chosen = list(dict.fromkeys(servers))
        return float(self._rates[chosen][self._notice[chosen] < needs].sum()) if chosen else 0.0

    def stopped(self, job: Job, server: int) -> None:
        """The interruption of a server has stopped a job that had not saved its work in time."""
        self._stopped[bool(self._rates[server] > 0)][job] += 1

    def seen(self, job: Job, needs: float) -> float:
        """Return ``of`` for where a job runs, corrected by the losses of that job (``learned``)."""
        declared = self.of((server for server, _ in job.placement), needs)
        others, own = (losses[job] for losses in self._stopped)
        return learned(declared, own, job.ran) + learned(0.0, others, job.ran)


def learned(declared: float, losses: int, ran: float) -> float:
    """Return a rate of losses (per second) that was declared, corrected by ``losses`` in ``ran`` seconds of running.

    The declared rate counts as much as one loss (the mean of a gamma distribution of shape 1, updated; ours). Without
    one, what was seen is all that is known.

    >>> learned(2.0, 0, 0.0), learned(2.0, 199, 49.5), learned(0.0, 3, 60.0)
    (2.0, 4.0, 0.05)
    """
    if declared > 0:
        return declared * (1.0 + losses) / (1.0 + declared * ran)
    return losses / ran if ran > 0 else 0.0
