"""The cluster as policies see it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.errors import PolicyError, SimulatorError
from simulator.policies.api import Placer
from simulator.runtime.jobset import JobSet
from simulator.runtime.progress import fraction_of, progress
from simulator.workload.jobs import Job, Placement, State

_RUNNING = State.RUNNING


class View:
    """Read-only, cheap, live: see ``policies.api.ClusterView`` for what each name means."""

    __slots__ = ("_clock", "_placer", "_pool", "failed", "gangs_only", "nodes", "queue", "running", "topology")

    def __init__(self, clock: Clock, topology: Topology, nodes: Allocator, placer: Placer) -> None:
        self._clock, self._placer = clock, placer
        self.topology, self.nodes = topology, nodes
        self.queue, self.running = JobSet(), JobSet()
        self.gangs_only = True
        self._pool = len(nodes) == 1 and nodes.plain and not nodes.servers[0].taints
        self.failed: Callable[[float], None] = _nobody
        """Told of the size of each job that found no place though enough accelerators are free."""

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
        if job.speedup is not None:
            return self._remaining_of_fraction(job)
        if job.state is not _RUNNING:
            return max(0.0, job.estimate - job.done)
        now = self._clock.now
        if job.restarting:
            return max(0.0, job.estimate - progress(job, now)) + max(0.0, job.since + job.restarting - now)
        return max(0.0, job.estimate - job.done - (now - job.since) * job.speed)

    def attained(self, job: Job) -> float:
        """Seconds that the job has run so far."""
        return job.ran + (self._clock.now - job.since if job.state is _RUNNING else 0.0)

    def fraction(self, job: Job) -> float:
        """Share of the job's work that is done."""
        return fraction_of(job, progress(job, self._clock.now))

    def close(self) -> None:
        """The run is over: a policy that has kept the view and looks at it is told so."""
        over: Any = _Over()
        self.queue = self.running = self.nodes = self.topology = self._clock = over

    def _remaining_of_fraction(self, job: Job) -> float:
        """Seconds of a job that is counted in fractions: at its present pace, or as estimated while it waits.

        An estimate that misses is taken to miss by the same factor on any allocation.
        """
        left = 1.0 - self.fraction(job)
        if job.state is not State.RUNNING:
            return max(0.0, job.estimate * left)
        now = self._clock.now
        whole = getattr(job, "duration", 0.0)
        factor = job.estimate / whole if whole > 0 else 1.0
        seconds = (job.work - progress(job, now)) / job.speed if job.speed > 0 else math.inf
        return max(0.0, seconds * factor) + max(0.0, job.since + job.restarting - now)

    def place(self, job: Job, accelerators: float | None = None) -> Placement | None:
        """Where the placement policy would put the job now."""
        nodes = self.nodes
        wanted = job.accelerators if accelerators is None else accelerators
        if wanted > nodes.free_total and wanted >= 1:
            return None
        if (
            self._pool
            and 1 <= wanted == int(wanted)
            and not (job.partition or job.selector or nodes.constraints.booked)
        ):
            return ((0, wanted),)
        if accelerators is not None and accelerators != job.accelerators:
            job = resized(job, accelerators)
        try:
            found = self._placer.place(job, nodes, self.topology)
        except SimulatorError:
            raise
        except (Exception, SystemExit) as error:
            name = type(self._placer).__name__
            raise PolicyError(f"placement {name} of job {job.id!r}: {type(error).__name__}: {error}") from error
        if found is None:
            self.failed(wanted)
        return found


class _Over:
    """Stands for what a view showed while its run lasted."""

    __slots__ = ()

    def _tell(self, *arguments: object) -> Any:
        raise PolicyError("this view is of a run that is over; take the one that schedule is given, and keep none")

    __getattr__ = __iter__ = __len__ = __contains__ = _tell


def resized(job: Job, accelerators: float) -> Job:
    """Return a copy of a job that asks for another number of accelerators, its cores and memory in proportion."""
    other = copy.copy(job)
    scale = accelerators / job.accelerators if job.accelerators else 1.0
    other.accelerators, other.cores, other.memory = accelerators, job.cores * scale, job.memory * scale
    return other


def _nobody(size: float) -> None:
    """Nobody wants to know yet."""
