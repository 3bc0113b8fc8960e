"""Why jobs run where they do: each placement and preemption as a row of decisions."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.runtime.decisions import Decisions
from simulator.workload.jobs import Job, Placement


class Placements:
    """Writes down placements and preemptions with their reasons.

    The placement policy is not asked again, as that could change what it does; the runner-up is the tightest of the
    other servers that would have held all of the job.
    """

    def __init__(self, decisions: Decisions, nodes: Allocator, placer: object, scheduler: str) -> None:
        self._decisions, self._nodes, self._scheduler = decisions, nodes, scheduler
        self._placer = str(getattr(placer, "kind", "") or type(placer).__name__)

    def placing(self, job: Job, placement: Placement) -> None:
        """A job is about to start at ``placement``, as the scheduler said, or the placement policy for it."""
        nodes = self._nodes
        fitting = np.flatnonzero(nodes.fits_for(job))
        chosen = [server for server, _ in placement]
        others = fitting[~np.isin(fitting, chosen)]
        tightest = int(others[np.argmin(nodes.free[others])]) if len(others) else None
        self._decisions.add(
            self._scheduler,
            job.id,
            "place",
            f"{self._placer}: {_names(nodes, chosen)}",
            before=0.0,
            wanted=job.accelerators,
            applied=float(sum(taken for _, taken in placement)),
            runner_up=None if tightest is None else nodes.servers[tightest].name,
            inputs={
                "servers": len(chosen),
                "servers that would hold all of it": len(fitting),
                "accelerators free": float(nodes.free_total),
            },
        )

    def preempting(self, job: Job) -> None:
        """The scheduler stops a job."""
        self._decisions.add(
            self._scheduler,
            job.id,
            "preempt",
            "preempted",
            before=job.held,
            wanted=0.0,
            applied=0.0,
            inputs={"priority": float(job.priority), "since": job.since, "preemptions": job.preemptions},
        )


def _names(nodes: Allocator, servers: list[int]) -> str:
    names = [nodes.servers[server].name for server in servers[:4]]
    return "on " + ", ".join(names) + (f" and {len(servers) - 4} more" if len(servers) > 4 else "")
