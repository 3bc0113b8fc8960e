"""How often a job loses work, for ``simulator check``: to failures, and to providers that take nodes back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.cluster.topology import Topology
    from simulator.runtime.failures.rates import Rates
    from simulator.runtime.supply.groups import Group
    from simulator.workload.jobs import Job


@dataclass(frozen=True, slots=True)
class Losses:
    """Events per second that stop a job: ``failures``, ``taken`` nodes, and ``saved``, taken but saved in time."""

    servers: int
    failures: float
    taken: float
    saved: float

    @property
    def mtbf(self) -> float:
        """Seconds between two that cost the work since the last checkpoint, which intervals go by."""
        return _inverse(self.failures + self.taken)

    @property
    def between(self) -> float:
        """Seconds between two of any kind."""
        return _inverse(self.failures + self.taken + self.saved)


def losses(
    job: Job | None, accelerators: float, needs: float, topology: Topology, rates: Rates | None, groups: list[Group]
) -> Losses:
    """Return how often a job is stopped on the fewest servers that hold it, ``needs`` being seconds of a checkpoint.

    Nobody knows yet where it will run: each of its nodes is taken to be of the group that interrupts most often of
    those that the job may run on, as its ``selector`` and ``tolerations`` say. A run goes by where it is.
    """
    from simulator.runtime.supply.losses import rate

    order = sorted(range(len(topology.servers)), key=lambda server: -topology.servers[server].accelerators)
    chosen: list[int] = []
    room = 0
    for server in order:
        if room >= accelerators and chosen:
            break
        chosen.append(server)
        room += topology.servers[server].accelerators
    open_ = [group for group in groups if group.most and rate(group) > 0 and _bears(job, group, topology)]
    worst = max(open_, key=rate, default=None)
    all_ = 0.0 if worst is None else rate(worst) * len(chosen)
    late = worst is not None and worst.notice < needs
    return Losses(len(chosen), 0.0 if rates is None else rates.of(chosen), all_ if late else 0.0, 0.0 if late else all_)


def beware(job: Job, found: Losses, restart: float, write: float) -> str:
    """Say that a job may never end, where it is stopped sooner than it can save anything; empty otherwise."""
    from simulator.core.units import format_quantity as text

    load = 0.0 if job.saving is None else job.saving.load
    needs = (restart if job.restart < 0 else job.restart) + load + write
    if not found.between < needs:
        return ""
    return (
        f"stopped every {text(found.between, 'time', 3)}, and {text(needs, 'time', 3)} until it has started and "
        "written a checkpoint: it may never end; give run: {until: ...}"
    )


def _bears(job: Job | None, group: Group, topology: Topology) -> bool:
    """Whether a job may run on some server of a group."""
    if job is None:
        return True
    return any(
        server.accelerators
        and all(label in server.labels for label in job.selector)
        and all(taint in job.tolerations for taint in server.taints)
        for server in (topology.servers[index] for index in group.servers)
    )


def _inverse(rate: float) -> float:
    return 1.0 / rate if rate > 0 else math.inf
