"""Two binary trees at once, each for half of the data."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, modes, only
from simulator.models.collectives.group import Group
from simulator.models.collectives.trees import busiest, depth, double_tree

_SHARE = 0.92
"""Of a ring's bandwidth that a tree reaches (NVIDIA/nccl tuning.cc)."""


@algorithms.register("double-tree")
class DoubleTree:
    """Double binary tree between domains, a chain inside each (NCCL's Tree; Sanders, Speck and Traeff 2009)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        return only(collective, "all-reduce")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """Up and down the chain and the tree; a rank of a chain sends 2 S, a domain S, 1.5 S or 2 S (2, 3, more)."""
        near, far = 2 * (group.width - 1), 2 * depth(group.domains)
        for mode in modes(group):
            inside = group.inside.protocol
            latency = inside.tree_base[mode] + near * group.inside.step("tree", mode)
            slope = 2 / (group.fabric * inside.share[mode] * _SHARE) if group.width > 1 else 0.0
            ramp = near * inside.ramp
            if group.outside is not None and group.domains > 1:
                latency += far * group.outside.step("tree", mode)
                slope = max(slope, busiest(group.domains) / (group.exit * group.outside.protocol.share[mode]))
                ramp += far * group.channels * group.outside.protocol.ramp
            yield Cost(mode, latency, slope, 0.0 if mode == "LL" else ramp)

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Half of the data up and down each tree, spread over the channels."""
        return tree_edges(group)


def tree_edges(group: Group) -> list[Edge]:
    """Return what the double tree over the domains of a group sends, channel by channel."""
    starts = [sum(group.shape[:domain]) for domain in range(group.domains)]
    share = 0.5 / group.channels
    return [
        (starts[a] + channel, starts[b] + channel, share)
        for tree in double_tree(group.domains)
        for child, parent in tree
        for a, b in ((child, parent), (parent, child))
        for channel in range(group.channels)
    ]
