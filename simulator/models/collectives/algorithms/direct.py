"""Every rank sends to its peers directly."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, only
from simulator.models.collectives.group import Group

_POST = 0.45e-6
"""Seconds to post the message to one peer: fitted to the all-to-all table of aliyun/SimAI, 16 to 128 ranks."""
_FAN_IN = 8
"""Peers served at a time (NVIDIA/nccl, NCCL_MAX_WORK_ELEMENTS_P2P)."""


@algorithms.register("direct")
class Direct:
    """Point-to-point messages: to all peers (all-to-all), or to the next rank (send-recv)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        return only(collective, "all-to-all", "send-recv")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """The slower of the fabric and the network; all-to-all sends an n-th of its data to each peer."""
        n, width = group.ranks, group.width
        peers = n - 1 if collective == "all-to-all" else 1
        inside = group.inside.protocol
        near = (width - 1) / n if collective == "all-to-all" else float(width > 1)
        rate = group.fabric if collective == "all-to-all" else min(group.inside.bandwidth, group.inside.pair)
        slope = near / (rate * inside.pair)
        latency = inside.ring_base["Simple"] + group.inside.step("ring", "Simple") + peers * _POST
        ramp = inside.ramp
        if group.outside is not None and group.domains > 1:
            slope = max(slope, self._far(collective, group))
            latency += group.outside.step("ring", "Simple") - group.inside.step("ring", "Simple")
            ramp += group.outside.protocol.ramp
        yield Cost("Simple", latency, slope, ramp)

    def _far(self, collective: str, group: Group) -> float:
        """Seconds per byte over the network: of the busiest domain, or of the one rank that sends out of it."""
        network, protocol = group.network, group.network.protocol
        if collective == "send-recv":
            return 1 / (network.bandwidth * protocol.pair)
        narrow, wide = min(group.shape), max(group.shape)
        fan_in = min(_FAN_IN, group.ranks - wide)
        rate = network.bandwidth * protocol.pair / (1 + protocol.incast * max(0, fan_in - 1))
        share = (group.ranks - narrow) / group.ranks
        together = wide * (group.ranks - wide) / group.ranks
        return max(share / rate, together / min(wide * rate, network.total))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """All pairs of ranks in different domains, or the last rank of each domain to the first of the next."""
        home = [domain for domain, ranks in enumerate(group.shape) for _ in range(ranks)]
        n = group.ranks
        if collective == "send-recv":
            return [(a, (a + 1) % n, 1.0) for a in range(n) if home[a] != home[(a + 1) % n]]
        return [(a, b, 1 / n) for a in range(n) for b in range(n) if home[a] != home[b]]
