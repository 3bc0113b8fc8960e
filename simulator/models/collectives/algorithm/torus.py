"""Rings along the dimensions of a torus."""

from __future__ import annotations

import math
from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, bus_factor, filling, only
from simulator.models.collectives.group import Group


@algorithms.register("torus")
class Torus:
    """Rings both ways along every dimension of a torus at once (TPU ICI; jax-ml/scaling-book)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        if not group.inside.torus:
            return f"{group.inside.protocol.name} is no torus here"
        if group.domains > 1:
            return "it needs one torus; over several there is hierarchical"
        return only(collective, "all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce", "all-to-all")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """All links of a chip carry their part of a ring's bytes; all-to-all is held at the longest side's bisection.

        A side of s chips has 2 links a chip (1 for s = 2) and farthest chips s / 2 hops away; wrap-around is taken
        for granted, which slices of a pod that do not span a dimension lack.
        """
        sides, level = group.inside.torus, group.inside
        pair = min(level.pair, level.bandwidth)
        rate = min(level.bandwidth, pair * sum(1 if side == 2 else 2 for side in sides))
        slope = bus_factor(collective, group.ranks) / rate
        if collective == "all-to-all":
            slope = max(slope, max(sides) / (8 if max(sides) > 2 else 4) / pair)
        rounds = 2 if collective == "all-reduce" else 1
        step = level.step("ring", "Simple")
        hops = sum(math.ceil(side / 2) for side in sides)
        latency = level.protocol.ring_base["Simple"] + rounds * hops * step
        yield Cost("Simple", latency, slope, filling("Simple", (level, hops, step)))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Return nothing: it stays inside the torus."""
        return []
