"""One binary tree."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.models.collectives.api import Cost, Edge, algorithms, filling, modes, only
from simulator.models.collectives.group import Group
from simulator.models.collectives.trees import binary_tree, depth


@algorithms.register("tree")
class Tree:
    """One pipelined binary tree between domains, a chain inside each (Thakur, Rabenseifner and Gropp 2005)."""

    auto = False

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""
        return only(collective, "all-reduce", "broadcast", "reduce")

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """Up or down or both; an inner domain of the tree sends 3 S for all-reduce, 2 S for broadcast."""
        rounds = 2 if collective == "all-reduce" else 1
        near, far = rounds * (group.width - 1), rounds * depth(group.domains)
        inside = group.inside.protocol
        for mode in modes(group):
            step = group.inside.step("tree", mode)
            latency = inside.tree_base[mode] + near * step
            slope = rounds / (group.fabric * inside.share[mode]) if group.width > 1 else 0.0
            stages = [(group.inside, near, step)]
            if group.domains > 1:
                hop = group.network.step("tree", mode)
                latency += far * hop
                slope = max(slope, _busiest(collective, group) / (group.exit * group.network.protocol.share[mode]))
                stages.append((group.network, far, hop))
            yield Cost(mode, latency, slope, filling(mode, *stages))

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """All data up or down the tree, or both, spread over the channels."""
        starts, share = group.starts, 1 / group.channels
        return [
            (starts[src] + channel, starts[dst] + channel, share)
            for src, dst in _hops(collective, group)
            for channel in range(group.channels)
        ]


def _hops(collective: str, group: Group) -> list[tuple[int, int]]:
    up = binary_tree(group.domains)
    down = [(parent, child) for child, parent in up]
    return {"reduce": list(up), "broadcast": down}.get(collective, [*up, *down])


def _busiest(collective: str, group: Group) -> float:
    """Copies of the data that cross the cards of one domain, one way."""
    hops = _hops(collective, group)
    sent, got = [0] * group.domains, [0] * group.domains
    for src, dst in hops:
        sent[src] += 1
        got[dst] += 1
    return float(max(*sent, *got))
