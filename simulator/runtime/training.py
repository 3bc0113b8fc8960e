"""What a gang does on the network: a ring over its servers, one channel for each network card in use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.cluster.topology import Topology
from simulator.models.training import ring_latency, ring_volume
from simulator.runtime.pattern import Burst, Pattern
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


class RingPatterns:
    """What jobs do on the network: a ring all-reduce of the gradients, or the traffic that a replayed job had."""

    def __init__(self, topology: Topology) -> None:
        self._ring = Rings(topology)
        self._capacity = topology.capacity.tolist()

    def __call__(self, job: Job) -> Pattern:
        """Return the iteration of a job at its placement."""
        ring = self._ring(job.placement)
        if isinstance(job, TrainingJob):
            volume = ring_volume(job.gradient, ring.ranks) / ring.channels
            latency = ring_latency(ring.ranks, ring.hop) if volume else 0.0
            return self._pattern(ring, job.compute, volume, latency, job.overlap * job.compute, job.iterations)
        assert isinstance(job, BatchJob)
        rounds = max(1, math.ceil(job.duration / _PERIOD))
        period = job.duration / rounds
        network = job.communication * period
        if not ring.links:
            return Pattern(period - network, inside=network, iterations=rounds)
        alone = self._alone(ring, 1.0)
        volume = network / alone if alone > 0 else 0.0
        return self._pattern(ring, period - network, volume, 0.0, 0.0, rounds)

    def _pattern(
        self, ring: Ring, compute: float, volume: float, latency: float, hidden: float, iterations: float
    ) -> Pattern:
        own = volume / ring.limit
        if not ring.links or not volume:
            return Pattern(compute, max(0.0, latency + own - hidden), iterations=iterations)
        usage = tuple(count * volume for count in ring.usage)
        burst = Burst("dp", ring.links, usage, volume, latency, own, self._alone(ring, volume), hidden)
        return Pattern(compute, bursts=(burst,), iterations=iterations)

    def _alone(self, ring: Ring, volume: float) -> float:
        """Seconds that ``volume`` bytes on each channel take on the links alone."""
        narrowest = min((self._capacity[link] / n for link, n in zip(ring.links, ring.usage, strict=True)))
        rate = min(ring.limit, narrowest)
        return volume / rate if rate > 0 else math.inf


_PERIOD = 1.0
"""Seconds of one iteration of a job of which only the run time is known, as near as makes a whole number of them."""
