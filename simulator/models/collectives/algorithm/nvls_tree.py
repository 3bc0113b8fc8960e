"""Reduction in the switches of domains, a tree between them."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.algorithm.double_tree import too_wide, tree_edges
from simulator.models.collectives.algorithm.nvls import no_reduction, nvls_latency, nvls_slope, nvls_stage
from simulator.models.collectives.api import Cost, Edge, algorithms, filling, only
from simulator.models.collectives.group import Group
from simulator.models.collectives.trees import busiest, depth


@algorithms.register("nvls-tree")
class NvlsTree:
    """NVLink SHARP inside each domain, a double tree between domains (NCCL's NVLSTree)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        if group.domains == 1:
            return "it needs several domains; inside one there is nvls"
        if min(group.shape) == 1:
            return "every domain needs 2 ranks or more"
        if group.network.protocol.switch_step is None:
            return f"no time of its steps is known over {group.network.protocol.name}"
        return only(collective, "all-reduce") or no_reduction(group) or too_wide(group)

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """The switches at both ends, the tree between; the slower of the two sets the pace."""
        network, far = group.network, 2 * depth(group.domains)
        step = (network.protocol.switch_step or 0.0) + network.protocol.latency + network.latency
        slope = max(nvls_slope(group), busiest(group.domains) / group.exit)
        fill = filling("Simple", nvls_stage(group), (network, far, network.step("tree", "Simple")))
        yield Cost("Simple", nvls_latency(group) + far * step, slope, fill)

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Half of the data up and down each tree, spread over the channels."""
        return tree_edges(group)
