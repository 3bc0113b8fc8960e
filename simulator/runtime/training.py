"""What a gang does on the network: a ring over its servers, one channel for each network card in use."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from simulator.cluster.topology import Topology
from simulator.models.training import iteration_time, ring_latency, ring_volume, slowed
from simulator.runtime.fabric import Fabric, Stream
from simulator.workload.jobs import BatchJob, Job, Placement, TrainingJob

_KEPT = 4096
"""Rings that are remembered; a long run has more placements than memory should hold."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring over the accelerators of a placement.

    ``links`` are those that the ring crosses and ``usage`` how many of its (channel, hop) pairs cross each;
    ``channels`` run side by side, each at most at ``limit`` bytes/s; ``hop`` is the latency of its slowest hop (s).
    """

    ranks: int
    channels: int
    links: tuple[int, ...]
    usage: tuple[float, ...]
    limit: float
    hop: float


class Rings:
    """Makes the ring of a placement; equal placements share one."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._known: dict[Placement, Ring] = {}

    def __call__(self, placement: Placement) -> Ring:
        """Return the ring over ``placement``: servers in the order of their index, as NCCL orders ranks by node."""
        ring = self._known.get(placement)
        if ring is None:
            if len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            ring = self._known[placement] = self._make(placement)
        return ring

    def _make(self, placement: Placement) -> Ring:
        topology = self._topology
        servers = [topology.servers[index] for index, _ in sorted(placement)]
        ranks = max(1, int(sum(taken for _, taken in placement)))
        inside = min(server.scale_up for server in servers)
        step = max(server.scale_up_latency for server in servers)
        if len(servers) == 1 or not topology.has_network:
            return Ring(ranks, 1, (), (), inside, step)
        channels = max(1, int(min(taken for _, taken in placement)))
        usage: dict[int, float] = {}
        hop = step
        for channel in range(channels):
            for here, onward in zip(servers, servers[1:] + servers[:1], strict=True):
                route = topology.path(here.name, onward.name, channel)
                hop = max(hop, float(sum(topology.latency[link] for link in route)))
                for link in route:
                    usage[link] = usage.get(link, 0.0) + 1.0
        limit = min(min(server.nic for server in servers), inside / channels)
        return Ring(ranks, channels, tuple(usage), tuple(usage.values()), limit, hop)


class Exchange:
    """The collective traffic of one running job: a stream on the fabric, and what its rate means for the job."""

    __slots__ = ("alone", "job", "ring", "share", "stream")

    def __init__(self, job: Job, ring: Ring, fabric: Fabric, changed: Callable[[], None]) -> None:
        self.job, self.ring = job, ring
        self.stream = Stream(ring.links, ring.usage, 1.0, ring.limit, changed) if ring.links else None
        self.alone = fabric.alone(self.stream) if self.stream else ring.limit
        self.share = self._share()
        """Share of the job's time, alone, that is exposed communication."""

    def work(self) -> float:
        """Seconds that the job takes alone on its placement."""
        if isinstance(self.job, TrainingJob):
            return self.job.iterations * self._iteration(self.job, self.alone)
        assert isinstance(self.job, BatchJob)
        return self.job.duration

    def speed(self) -> float:
        """Work per second at the present rate of the stream."""
        if self.stream is None:
            return 1.0
        if isinstance(self.job, TrainingJob):
            alone, now = (self._iteration(self.job, rate) for rate in (self.alone, self.stream.rate))
            if now == 0:
                return 1.0
            return alone / now if max(alone, now) < math.inf else 0.0
        return slowed(self.share, self.stream.rate, self.alone)

    def _share(self) -> float:
        if isinstance(self.job, TrainingJob):
            iteration = self._iteration(self.job, self.alone)
            return 1.0 - self.job.compute / iteration if iteration > 0 else 0.0
        assert isinstance(self.job, BatchJob)
        return self.job.communication

    def _iteration(self, job: TrainingJob, rate: float) -> float:
        volume = ring_volume(job.gradient, self.ring.ranks) / self.ring.channels
        latency = ring_latency(self.ring.ranks, self.ring.hop)
        return iteration_time(job.compute, volume, rate, latency, job.overlap)
