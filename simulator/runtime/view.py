"""The cluster as policies see it."""

from __future__ import annotations

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.policies.api import Placer
from simulator.runtime.jobset import JobSet
from simulator.workload.jobs import Job, Placement, State


class View:
    """Read-only, cheap, live: see ``policies.api.ClusterView`` for what each name means."""

    __slots__ = ("_clock", "_pool", "_placer", "nodes", "queue", "running", "topology")

    def __init__(self, clock: Clock, topology: Topology, nodes: Allocator, placer: Placer) -> None:
        self._clock, self._placer = clock, placer
        self.topology, self.nodes = topology, nodes
        self.queue, self.running = JobSet(), JobSet()
        self._pool = len(nodes) == 1 and nodes.plain

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return self._clock.now

    @property
    def free(self) -> float:
        """Accelerators that are free."""
        return self.nodes.free_total

    def estimate(self, job: Job) -> float:
        """Seconds of running that the job is expected to need in all."""
        return job.estimate

    def remaining(self, job: Job) -> float:
        """Seconds of running that the job is expected to need from now on."""
        done = job.done + (self._clock.now - job.since) * job.speed if job.state == State.RUNNING else job.done
        return max(0.0, job.estimate - done)

    def attained(self, job: Job) -> float:
        """Seconds that the job has run so far."""
        return job.ran + (self._clock.now - job.since if job.state == State.RUNNING else 0.0)

    def place(self, job: Job) -> Placement | None:
        """Where the placement policy would put the job now."""
        wanted = job.accelerators
        if wanted > self.nodes.free_total and wanted >= 1:
            return None
        if self._pool and wanted == int(wanted):
            return ((0, wanted),)
        return self._placer.place(job, self.nodes, self.topology)
