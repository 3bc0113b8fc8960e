"""Reduction in the switches of the network."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.algorithm.nvls import no_reduction, nvls_latency, nvls_slope, nvls_stage
from simulator.models.collectives.api import Cost, Edge, algorithms, filling, only
from simulator.models.collectives.group import Group


@algorithms.register("collnet")
class CollNet:
    """SHARP in InfiniBand switches: each domain sends S up and gets the sums back (NCCL's CollNet and NVLS + SHARP)."""

    auto = False

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        if group.domains == 1:
            return "it needs several domains; inside one there is nvls"
        if group.network.reduction <= 0 or group.network.protocol.switch_step is None:
            return f"the switches of {group.network.protocol.name} do not reduce here"
        return only(collective, "all-reduce")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """One step up and down whatever the number of domains; reduce-scatter and all-gather inside where needed."""
        network = group.network
        hop = (network.protocol.switch_step or 0.0) + network.protocol.latency + network.latency
        far = (network, 2, network.step("tree", "Simple"))
        up = 1 / min(group.channels * network.reduction, network.total)
        if no_reduction(group) is None and group.width > 1:
            latency, near = nvls_latency(group), nvls_slope(group)
        else:
            step = group.inside.step("ring", "Simple")
            latency = group.inside.protocol.ring_base["Simple"] + 2 * (group.width - 1) * step
            near = 2 * (group.width - 1) / group.width / group.fabric if group.width > 1 else 0.0
        yield Cost("Simple", latency + 2 * hop, max(near, up), filling("Simple", nvls_stage(group), far))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """S out of and into each domain: as from its ranks to those of the next, since sums are made on the way."""
        starts, share = group.starts, 1 / group.channels
        return [
            (starts[domain] + channel, starts[(domain + 1) % group.domains] + channel, share)
            for domain in range(group.domains)
            for channel in range(group.channels)
        ]
