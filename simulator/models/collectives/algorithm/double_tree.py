"""Two binary trees at once, each for half of the data."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, filling, modes, only
from simulator.models.collectives.group import Group
from simulator.models.collectives.trees import busiest, depth, double_tree

SHARE = 0.92
"""Of a ring's bandwidth that a tree reaches (NVIDIA/nccl tuning.cc)."""
WIDEST = 32
"""Ranks of a domain (NCCL_MAX_NVLS_ARITY); twenty racks of 72, the only public series above, have a ring's latency."""


@algorithms.register("double-tree")
class DoubleTree:
    """Double binary tree between domains, a chain inside each (NCCL's Tree; Sanders, Speck and Traeff 2009)."""

    auto = True

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        return only(collective, "all-reduce") or too_wide(group)

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """Up and down the chain and the tree; a rank of a chain sends 2 S, a domain S, 1.5 S or 2 S (2, 3, more)."""
        near, far = 2 * (group.width - 1), 2 * depth(group.domains)
        inside = group.inside.protocol
        for mode in modes(group):
            step = group.inside.step("tree", mode)
            latency = inside.tree_base[mode] + near * step
            slope = 2 / (group.fabric * inside.share[mode] * SHARE) if group.width > 1 else 0.0
            stages = [(group.inside, near, step)]
            if group.domains > 1:
                hop = group.network.step("tree", mode)
                latency += far * hop
                slope = max(slope, busiest(group.domains) / (group.exit * group.network.protocol.share[mode]))
                stages.append((group.network, far, hop))
            yield Cost(mode, latency, slope, filling(mode, *stages))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Half of the data up and down each tree, spread over the channels."""
        return tree_edges(group)


def too_wide(group: Group) -> str | None:
    """Say that the domains of a group are too wide for trees between them, or None."""
    return f"domains may have {WIDEST} ranks at most" if group.domains > 1 and group.width > WIDEST else None


def tree_edges(group: Group) -> list[Edge]:
    """Return what the double tree over the domains of a group sends, channel by channel."""
    starts, share = group.starts, 0.5 / group.channels
    return [
        (starts[a] + channel, starts[b] + channel, share)
        for tree in double_tree(group.domains)
        for child, parent in tree
        for a, b in ((child, parent), (parent, child))
        for channel in range(group.channels)
    ]
