"""Every rank sends to its peers directly."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, filling, only
from simulator.models.collectives.group import Group

_POST = 0.45e-6
"""Seconds to post the message to one peer: fitted to the all-to-all table of aliyun/SimAI, 16 to 128 ranks."""
_FAN_IN = 8
"""Peers served at a time (NVIDIA/nccl, NCCL_MAX_WORK_ELEMENTS_P2P)."""
_SEPARATE = 32
"""Domains up to which all rails of a pair are told apart."""


@algorithms.register("direct")
class Direct:
    """Point-to-point messages: to all peers (all-to-all), or to the next rank (send-recv)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        if collective == "all-to-all" and group.inside.torus and group.domains == 1:
            return "chips of a torus have no direct links to all others; there is torus"
        return only(collective, "all-to-all", "send-recv")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """The slower of the fabric and the network; all-to-all sends an n-th of its data to each peer."""
        n, width = group.ranks, group.width
        many = collective == "all-to-all"
        inside, step = group.inside.protocol, group.inside.step("ring", "Simple")
        one = min(group.inside.bandwidth, group.inside.pair) * inside.pair
        slope = (width - 1) / n / group.fabric if many else float(width > 1) / one
        latency = inside.ring_base["Simple"] + (n - 1 if many else 1) * _POST
        stages = [(group.inside, 1, step)]
        if group.domains > 1:
            hop = group.network.step("ring", "Simple")
            slope = max(slope, _scattered(group) if many else _shifted(group))
            latency += hop
            stages.append((group.network, 1, hop))
        else:
            latency += step
        yield Cost("Simple", latency, slope, filling("Simple", *stages))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Every domain to every other, or the last rank of each domain to the first of the next.

        Bytes for a rank go by the card of its own rail (NCCL's PXN), so a pair of domains is one edge a channel; many
        domains take the rails in turn, one for each pair.
        """
        n, starts = group.ranks, group.starts
        if collective == "send-recv":
            return [((start - 1) % n, start, 1.0) for start in starts]
        pairs = [(a, b) for a in range(group.domains) for b in range(group.domains) if a != b]
        wide = min(group.shape)
        together = group.domains > _SEPARATE
        return [
            (starts[a] + rail, starts[b] + rail, group.shape[a] * group.shape[b] / n / (1 if together else wide))
            for a, b in pairs
            for rail in (((a + b) % wide,) if together else range(wide))
        ]


def _shifted(group: Group) -> float:
    """Seconds per byte of the one rank that sends out of its domain."""
    return 1 / (group.network.bandwidth * group.network.protocol.pair)


def _scattered(group: Group) -> float:
    """Seconds per byte over the network: of one rank, or of all ranks of the widest domain over all of its cards."""
    network, protocol, n = group.network, group.network.protocol, group.ranks
    width, narrow = group.width, min(group.shape)
    senders = min(_FAN_IN, n - narrow)
    lost = 1 + protocol.incast * max(0, senders - 1)
    alone = (n - narrow) / n / network.bandwidth
    together = width * (n - width) / n / network.total
    return max(alone, together) * lost
