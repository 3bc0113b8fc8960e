"""Rings: every rank sends to the next one."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, bus_factor, filling, modes, only
from simulator.models.collectives.group import Group

_PLATEAU = 1.4
"""Simple rings over several servers take this much longer a step (NVIDIA/nccl tuning.cc, its plateau effect)."""


@algorithms.register("ring")
class Ring:
    """Rings over all ranks, one for each channel (NCCL's Ring; Patarasuk and Yuan 2009)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        return only(collective, "all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """2 (n - 1) steps and 2 (n - 1) / n x S bytes a rank for all-reduce, half of both for its halves."""
        rounds = 2 if collective == "all-reduce" else 1
        far = rounds * (group.domains - 1)
        near = rounds * (group.ranks - 1) - far
        volume = bus_factor(collective, group.ranks)
        inside = group.inside.protocol
        for mode in modes(group):
            step = group.inside.step("ring", mode)
            latency = near * step
            slope = 1 / (group.fabric * inside.share[mode]) if group.width > 1 else 0.0
            if group.domains > 1:
                latency += far * group.network.step("ring", mode)
                latency *= _PLATEAU if mode == "Simple" and collective == "all-reduce" else 1.0
                slope = max(slope, 1 / (group.exit * group.network.protocol.share[mode]))
            fill = filling(mode, (group.inside, group.width, step))
            yield Cost(mode, inside.ring_base[mode] + latency, volume * slope, fill)

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Each domain sends to the next, one channel from each of its first ranks."""
        share = bus_factor(collective, group.ranks) / group.channels
        closed = collective in ("all-reduce", "all-gather", "reduce-scatter")
        starts = group.starts
        return [
            (starts[domain] + channel, starts[(domain + 1) % group.domains] + channel, share)
            for domain in range(group.domains if closed else group.domains - 1)
            for channel in range(group.channels)
        ]
