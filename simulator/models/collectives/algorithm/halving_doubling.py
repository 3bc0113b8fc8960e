"""Recursive halving and doubling."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, filling, modes, only
from simulator.models.collectives.group import Group


@algorithms.register("halving-doubling")
class HalvingDoubling:
    """Recursive halving and doubling over 2^k ranks (Rabenseifner 2004; Thakur, Rabenseifner and Gropp 2005)."""

    auto = False

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        if group.ranks & (group.ranks - 1) or len(set(group.shape)) > 1:
            return "it needs equal domains and 2, 4, 8, ... ranks"
        return only(collective, "all-reduce", "all-gather", "reduce-scatter")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """Nearest partners first: (1 - 1 / g) S inside a domain of g, (1 / g - 1 / n) S a rank between; one by one."""
        rounds = 2 if collective == "all-reduce" else 1
        near, far = group.width.bit_length() - 1, group.domains.bit_length() - 1
        inside = group.inside.protocol
        for mode in modes(group):
            step = group.inside.step("ring", mode)
            latency = inside.ring_base[mode] + rounds * near * step
            slope = (1 - 1 / group.width) / (group.fabric * inside.share[mode])
            stages = [(group.inside, near, step)]
            if group.domains > 1:
                hop = group.network.step("ring", mode)
                latency += rounds * far * hop
                slope += (1 - 1 / group.domains) / (group.exit * group.network.protocol.share[mode])
                stages.append((group.network, far, hop))
            yield Cost(mode, latency, rounds * slope, filling(mode, *stages))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Pairs of ranks whose numbers differ in one bit, half as much for each bit further."""
        rounds = 2 if collective == "all-reduce" else 1
        first, last = group.width.bit_length() - 1, group.ranks.bit_length() - 1
        return [
            (rank, rank ^ 1 << bit, rounds / 2 ** (bit + 1))
            for bit in range(first, last)
            for rank in range(group.ranks)
        ]
