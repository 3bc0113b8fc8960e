"""The cluster as policies see it."""

from __future__ import annotations

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.errors import PolicyError, SimulatorError
from simulator.policies.api import Placer
from simulator.runtime.jobset import JobSet
from simulator.runtime.progress import progress
from simulator.workload.jobs import Job, Placement, State


class View:
    """Read-only, cheap, live: see ``policies.api.ClusterView`` for what each name means."""

    __slots__ = ("_clock", "_placer", "_pool", "gangs_only", "nodes", "queue", "running", "topology")

    def __init__(self, clock: Clock, topology: Topology, nodes: Allocator, placer: Placer) -> None:
        self._clock, self._placer = clock, placer
        self.topology, self.nodes = topology, nodes
        self.queue, self.running = JobSet(), JobSet()
        self.gangs_only = True
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
        if job.state is not State.RUNNING:
            return max(0.0, job.estimate - job.done)
        now = self._clock.now
        if job.restarting:
            return max(0.0, job.estimate - progress(job, now)) + max(0.0, job.since + job.restarting - now)
        return max(0.0, job.estimate - job.done - (now - job.since) * job.speed)

    def attained(self, job: Job) -> float:
        """Seconds that the job has run so far."""
        return job.ran + (self._clock.now - job.since if job.state is State.RUNNING else 0.0)

    def place(self, job: Job) -> Placement | None:
        """Where the placement policy would put the job now."""
        wanted = job.accelerators
        if wanted > self.nodes.free_total and wanted >= 1:
            return None
        if self._pool and 1 <= wanted == int(wanted):
            return ((0, wanted),)
        try:
            return self._placer.place(job, self.nodes, self.topology)
        except SimulatorError:
            raise
        except (Exception, SystemExit) as error:
            name = type(self._placer).__name__
            raise PolicyError(f"placement {name} of job {job.id!r}: {type(error).__name__}: {error}") from error
