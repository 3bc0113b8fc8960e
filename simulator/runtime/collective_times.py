"""Times of a layout's collectives on the links of a topology, where all groups of an axis talk at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from simulator.cluster.topology import Topology
from simulator.models.training.layout import Layout, groups
from simulator.models.training.network import parameter_server, tree_aggregate
from simulator.runtime.communicator import Communicator, Member

MOST_GROUPS = 256
"""Groups of an axis whose traffic is put on the links; of more, evenly spaced ones stand for the others."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """The sample group of an axis, and all of them, whose bytes meet on the links."""

    sample: Communicator
    others: tuple[Communicator, ...]
    weight: float


class OnTopology:
    """A ``Network`` (see ``simulator.models.training``): each call is timed on the links that it crosses.

    ``members`` are the places of the ranks, in the order of ranks. All groups of an axis run their collective at the
    same time, as they do in training, so those that meet on a link share it.
    """

    def __init__(self, topology: Topology, members: Sequence[Member], layout: Layout) -> None:
        self._topology, self._members, self._layout = topology, members, layout
        self._axes: dict[str, _Axis] = {}

    def __call__(self, axis: str, collective: str, size: float, group: tuple[int, int]) -> float:
        """Seconds of one call."""
        if axis not in self._axes:
            self._axes[axis] = self._meet(axis)
        there = self._axes[axis]
        if collective in ("parameter-server", "tree-aggregate"):
            timed = parameter_server if collective == "parameter-server" else tree_aggregate
            level = there.sample.group.outside or there.sample.group.inside
            return timed(size, *group, level)
        return self._shared(collective, size, there)

    def _shared(self, collective: str, size: float, there: _Axis) -> float:
        plan = there.sample.plan(collective, size)
        used: dict[int, float] = {}
        for other in there.others:
            found = other.plan(collective, size)
            for link, share in zip(found.links, found.usage, strict=True):
                used[link] = used.get(link, 0.0) + share * there.weight
        limits = [self._topology.capacity[link] / share for link, share in used.items()]
        rate = min([plan.limit, *limits])
        return float(plan.latency + size / rate)

    def _meet(self, axis: str) -> _Axis:
        ranks = groups(self._layout, axis)
        if axis in ("pp", "cp"):
            ranks = [pair for chain in ranks for pair in pairwise(chain)]
        step = max(1, len(ranks) // MOST_GROUPS)
        places = [tuple(self._members[rank] for rank in group) for group in ranks[::step]]
        made = tuple(Communicator(self._topology, place) for place in places)
        slowest = max(made, key=lambda each: each.group.domains)
        return _Axis(slowest, made, len(ranks) / len(made))
