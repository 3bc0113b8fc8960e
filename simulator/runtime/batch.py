"""The life of a gang: start, slow down with the network, stop for others, end."""

from __future__ import annotations

import math
from collections.abc import Callable

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.clock import Clock
from simulator.core.timer import Deadlines
from simulator.runtime.fabric import Fabric
from simulator.runtime.training import Exchange, Rings
from simulator.workload.jobs import BatchJob, Job, Placement, State


class Gangs:
    """Runs jobs on the accelerators they were given, and calls ``ended(job)`` when one is through.

    ``restart`` is what a job loses, in seconds, each time it comes back after a preemption. Without a ``fabric`` a
    job's traffic takes its time but shares nothing. What a job takes alone is told by links of their full capacity.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        nodes: Allocator,
        fabric: Fabric | None,
        restart: float,
    ) -> None:
        self._clock, self._nodes, self._restart = clock, nodes, restart
        self._alone = Fabric(clock, topology.capacity)
        self._fabric = fabric
        self._ring = Rings(topology)
        self._exchanges: dict[Job, Exchange] = {}
        self._ends: Deadlines[Job] = Deadlines(clock, self._finish)
        self.ended: Callable[[Job], None] = _nobody

    def start(self, job: Job, placement: Placement) -> None:
        """Start or resume a queued job; raises ``ValueError`` naming the server when it does not fit there."""
        now = self._clock.now
        self._take(job, placement)
        job.waited += now - job.since
        job.since = now
        job.state = State.RUNNING
        if job.start != job.start:
            job.start = now
        else:
            job.restarting = self._restart
        if type(job) is BatchJob and not job.communication:
            job.work = job.duration
            job.speed = 1.0
        else:
            self._connect(job)
        self._retime(job)

    def stop(self, job: Job) -> None:
        """Stop a running job and take its accelerators back; its finished work is kept."""
        self._ends.clear(job)
        self._leave(job)
        job.state = State.QUEUED
        job.preemptions += 1

    def settle(self, job: Job) -> None:
        """Bring the counters of a running job up to now."""
        now = self._clock.now
        elapsed = now - job.since
        job.since = now
        job.ran += elapsed
        if job.restarting > 0:
            lost = min(elapsed, job.restarting)
            job.restarting -= lost
            job.overhead += lost
            elapsed -= lost
        job.done += elapsed * job.speed

    def forget(self, job: Job) -> float | None:
        """Drop what is kept about a job; return the share of its work that was exposed communication, if it has any."""
        exchange = self._exchanges.pop(job, None)
        return exchange.share if exchange else None

    def _take(self, job: Job, placement: Placement) -> None:
        if len(placement) == 1:
            server, taken = placement[0]
            job.devices = (self._nodes.take(server, taken, job.cores, job.memory),)
            job.placement = placement
            return
        devices: list[int] = []
        try:
            for server, taken in placement:
                devices.append(self._nodes.take(server, taken, *_part(job, taken)))
        except ValueError:
            for (server, taken), device in zip(placement, devices, strict=False):
                self._nodes.give(server, taken, *_part(job, taken), device)
            raise
        job.placement, job.devices = placement, tuple(devices)

    def _release(self, job: Job) -> None:
        if len(job.placement) == 1:
            server, taken = job.placement[0]
            self._nodes.give(server, taken, job.cores, job.memory, job.devices[0])
            return
        for (server, taken), device in zip(job.placement, job.devices, strict=True):
            self._nodes.give(server, taken, *_part(job, taken), device)

    def _connect(self, job: Job) -> None:
        exchange = Exchange(job, self._ring(job.placement), self._alone, lambda: self._changed(job))
        self._exchanges[job] = exchange
        before, job.work = job.work, exchange.work()
        if 0 < before < math.inf:
            job.done *= job.work / before
        job.speed = 1.0
        if exchange.stream is not None and self._fabric is not None:
            job.speed = 0.0  # until the fabric gives a rate, at the end of this instant
            self._fabric.join(exchange.stream)

    def _leave(self, job: Job) -> None:
        self.settle(job)
        exchange = self._exchanges.get(job)
        if exchange is not None and exchange.stream is not None and self._fabric is not None:
            self._fabric.leave(exchange.stream)
        self._release(job)

    def _changed(self, job: Job) -> None:
        speed = self._exchanges[job].speed()
        if speed != job.speed:
            self.settle(job)
            job.speed = speed
            self._retime(job)

    def _retime(self, job: Job) -> None:
        left = job.work - job.done
        end = job.since + job.restarting + left / job.speed if job.speed > 0 else math.inf
        self._ends.set(job, max(end, job.since))

    def _finish(self, job: Job) -> None:
        self._leave(job)
        job.done = job.work
        job.end = self._clock.now
        job.state = State.COMPLETED
        self.ended(job)


def _part(job: Job, taken: float) -> tuple[float, float]:
    """Cores and memory (bytes) that go with ``taken`` of the job's accelerators."""
    return job.cores * taken / job.accelerators, job.memory * taken / job.accelerators


def _nobody(job: Job) -> None:
    """Nobody wants to know yet."""
