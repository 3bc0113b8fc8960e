"""Collectives: what they take on a group of ranks, by which algorithm, and what they send over the network.

>>> group = Group.of("h100-sxm", "infiniband-ndr", ranks=16, ranks_per_node=8)
>>> found = estimate("all-reduce", 2**30, group)
>>> found.algorithm, round(found.busbw / 1e9)
('nvls-tree', 468)
"""

from __future__ import annotations

from simulator.models.collectives.api import COLLECTIVES, Cost, algorithms, bus_factor
from simulator.models.collectives.estimate import Estimate, alternatives, estimate, traffic
from simulator.models.collectives.group import Group, Level

__all__ = [
    "COLLECTIVES",
    "Cost",
    "Estimate",
    "Group",
    "Level",
    "algorithms",
    "alternatives",
    "bus_factor",
    "estimate",
    "traffic",
]
