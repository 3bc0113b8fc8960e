"""Whether a job can ever run here, and on what."""

from __future__ import annotations

import math
from collections.abc import Callable

from simulator.cluster.allocation import Allocator
from simulator.workload.jobs import Job
from simulator.workload.speedup import Given

TOO_LARGE = "larger than the cluster"
NO_PROGRESS = "it makes no progress on any type of accelerators that it may have here"
NO_SERVER = (
    "no server could ever hold it (accelerator type, partition, labels, taints, cores, memory, or servers it may span)"
)


class Eligibility:
    """Judges jobs as they come; ``largest`` is the number of accelerators that may ever be up at once."""

    def __init__(self, nodes: Allocator, largest: float) -> None:
        self._nodes, self.largest = nodes, largest
        self._tainted = any(server.taints for server in nodes.servers)
        self._types = list(dict.fromkeys(nodes.types.tolist()))
        self._shrunk = 0
        self.unfit: Callable[[Job], str] | None = None
        """Says why a job fits no group of nodes, where there are some; empty when it fits one."""

    def __call__(self, job: Job) -> str:
        """Say why a job can never run; empty when it can.

        One whose pace depends on types is kept to those on which it makes progress. An elastic one that asks for more
        than fits is made to ask for the most that does, as a scheduler that knows nothing of elasticity would wait for
        it for ever.
        """
        least = job.minimum or job.accelerators
        if least > self.largest:
            return TOO_LARGE
        if job.speedup is not None and not self._suited(job, least):
            return NO_PROGRESS
        if self.unfit is not None and least == job.accelerators:
            why = self.unfit(job)
            if why:
                return why
        if not (self._tainted or job.cores or job.memory or job.max_servers or job.accelerator_types) and not (
            job.partition or job.selector or least < job.accelerators
        ):
            return ""  # most jobs of most traces, judged at once
        if not self._nodes.could_hold_for(job, least):
            return NO_SERVER
        if least < job.accelerators:
            self._shrink(job, least)
        return ""

    def notes(self) -> list[str]:
        """What a reader of the results must know."""
        if not self._shrunk:
            return []
        return [f"{self._shrunk:,} elastic jobs asked for more than could ever be placed here, and were given less."]

    def _suited(self, job: Job, least: float) -> bool:
        """Limit a job to the types on which it makes progress; False when there are none."""
        assert job.speedup is not None
        wanted = [kind for kind in self._types if kind in job.accelerator_types or not job.accelerator_types]
        suited = tuple(kind for kind in wanted if job.speedup.seconds(Given(least, 1, kind)) < math.inf)
        if len(suited) < len(self._types):
            job.accelerator_types = suited
        return bool(suited)

    def _shrink(self, job: Job, least: float) -> None:
        """Let an elastic job ask for the most that could ever be placed, its cores and memory in proportion."""
        wanted = job.accelerators
        while wanted > least and (wanted > self.largest or not self._nodes.could_hold_for(job, wanted)):
            wanted = max(least, min(math.ceil(wanted) - 1.0, self.largest))
        if wanted < job.accelerators:
            scale = wanted / job.accelerators
            job.accelerators, job.cores, job.memory = wanted, job.cores * scale, job.memory * scale
            self._shrunk += 1
