"""What accelerators of one replica say to each other, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Accelerator, Link
from simulator.models.serving.constants import FITTED, Constants

NETWORK = 50e9
"""Bytes/s of one accelerator's network card where no link is given: 400 Gb/s, as in servers of 2022 to 2025."""
BUSES = ("pcie", "upi", "xgmi")
"""Fabrics that lead through hosts; all others have links and switches of their own."""


@dataclass(frozen=True, slots=True)
class Interconnect:
    """Rates (bytes/s that messages get, one direction) and latencies (s) in a scale-up domain and between domains."""

    inside: float
    inside_latency: float
    inside_step: float
    outside: float
    outside_latency: float
    domain: int

    @classmethod
    def of(
        cls,
        accelerator: Accelerator,
        link: Link | None = None,
        domain: int | None = None,
        constants: Constants = FITTED,
    ) -> Interconnect:
        """Build from catalog rows: ``link`` joins servers, a port an accelerator; ``domain`` accelerators share one."""
        name = accelerator.scale_up.lower()
        bus = not name or any(word in name for word in BUSES)
        scale_up = accelerator.scale_up_bandwidth or accelerator.host_bandwidth or NETWORK
        network = NETWORK * constants.network_share if link is None else link.bandwidth * link.efficiency
        hop = 0.0 if link is None else link.end_latency
        size = accelerator.scale_up_domain
        step = constants.reduce_step * constants.slowness(accelerator)
        return cls(
            inside=scale_up * (constants.bus_share if bus else constants.reduce_share),
            inside_latency=constants.bus_latency if bus else 0.0,
            inside_step=constants.bus_step if bus else step,
            outside=network,
            outside_latency=constants.network_latency + hop,
            domain=max(1, size if domain is None else min(domain, max(size, 1))),
        )

    def all_reduce(self, size: float, ranks: int) -> float:
        """Seconds to add up ``size`` bytes over ``ranks``: a ring in the domain, and one of each shard between them."""
        if ranks <= 1:
            return 0.0
        near = min(ranks, self.domain)
        far = -(-ranks // near)
        time = 0.0
        if near > 1:
            time += self.inside_latency + near * self.inside_step
            time += 2 * (near - 1) / near * size / self.inside
        if far > 1:
            time += self.outside_latency * 2 + 2 * (far - 1) / far * size / near / self.outside
        return time

    def scatter(self, size: float, copies: int, ranks: int) -> float:
        """Seconds in which each of ``ranks`` sends ``size`` bytes of rows, each row to ``copies`` ranks at random.

        A row crosses the network once for each domain it goes to, and is copied on inside (deepseek-ai/DeepEP README):
        of D domains, that many copies reach ``D (1 - (1 - 1/D)^copies)``.
        """
        if ranks <= 1:
            return 0.0
        near, inside, outside = min(ranks, self.domain), 0.0, 0.0
        if near > 1:
            inside = self.inside_latency + near * self.inside_step + size * copies * (near - 1) / near / self.inside
        if ranks > near:
            domains = ranks / near
            away = float((domains - 1) * (1 - (1 - 1 / domains) ** copies))
            outside = self.outside_latency + size * away / self.outside
        return max(inside, outside)

    def hop(self, size: float, ranks: int) -> float:
        """Seconds to hand ``size`` bytes on to the next stage of a pipeline whose stages have ``ranks``."""
        if ranks < self.domain:
            return self.inside_latency + 2 * self.inside_step + size / self.inside
        return self.outside_latency + size / self.outside
