"""A group of alike nodes as it is configured, and what its numbers must keep to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.core.errors import InputError
from simulator.runtime.supply.boots import DEFAULT, Boot, Warm, mean
from simulator.runtime.supply.steps import Steps

NOTICE = 120.0
"""Seconds between the notice of an interruption and the end of the node (EC2 Spot, user guide,
spot-instance-termination-notices)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Servers of the topology (by index) that one provider rents out, of which ``minimum`` to ``maximum`` are had.

    ``quota`` bounds all that is paid for, draining and warm nodes included. ``price`` is $/s of one node, ``carbon``
    kgCO2e per joule of its region, ``capacity`` the nodes of the group that the provider has. ``interruptions`` are
    seconds in the mean until a node is interrupted (exponential), or the nodes that are interrupted at each of some
    times. An interrupted node has ``notice`` seconds left, an evicted job at most ``grace``.
    """

    name: str
    servers: tuple[int, ...]
    minimum: int = 0
    maximum: int | None = None
    initial: int | None = None
    quota: int | None = None
    price: Steps | None = None
    spot: bool = False
    boot: Boot = DEFAULT
    warm: Warm | None = None
    region: str = ""
    carbon: Steps | None = None
    capacity: Steps | None = None
    interruptions: float | Sequence[tuple[float, int]] = math.inf
    notice: float = NOTICE
    grace: float = 600.0

    @property
    def most(self) -> int:
        """Most nodes that it may have at once, draining and warm ones left out."""
        limits = [len(self.servers), self.maximum, self.quota]
        if self.capacity is not None:
            limits.append(int(max(self.capacity.values)))
        return min(limit for limit in limits if limit is not None)

    @property
    def first(self) -> int:
        """Nodes at the beginning."""
        return self.minimum if self.initial is None else self.initial

    @property
    def boot_mean(self) -> float:
        """Seconds until a node takes work, in the mean."""
        return mean(self.boot)


def check(groups: Sequence[Group], servers: int) -> None:
    """Raise ``InputError`` for groups that share servers, or name some that are not there."""
    owner: dict[int, str] = {}
    for group in groups:
        for server in group.servers:
            if not 0 <= server < servers:
                raise InputError(f"node group {group.name}: there is no server {server}; there are {servers}")
            if server in owner:
                both = f"{owner[server]} and {group.name}" if owner[server] != group.name else f"{group.name}, twice"
                raise InputError(f"server {server} is in node groups {both}; groups must be disjoint")
            owner[server] = group.name


def numbers(group: Group) -> str:
    """Say what is wrong with the numbers of a group; empty when nothing is."""
    count, maximum = len(group.servers), len(group.servers) if group.maximum is None else group.maximum
    if not 0 <= group.minimum <= group.first <= maximum <= count:
        return (
            f"0 <= min ({group.minimum}) <= initial ({group.first}) <= max ({maximum}) <= servers of the group "
            f"({count}) does not hold"
        )
    if group.quota is not None and group.quota < group.first:
        return f"quota is {group.quota} nodes, below {'min' if group.quota < group.minimum else 'initial'}"
    if not 0 <= group.notice < math.inf or not 0 <= group.grace < math.inf:
        return f"notice ({group.notice:g} s) and grace ({group.grace:g} s) must be finite numbers, 0 or more"
    if group.price is not None and min(group.price.values) < 0:
        return f"the price is {min(group.price.values):g} $/s; it must be 0 or more"
    if group.warm is not None and not group.boot_mean > 0:
        return "a warm pool saves nothing where a boot takes no time"
    if group.warm is not None and group.warm.nodes > count - group.minimum:
        return f"{group.warm.nodes} warm nodes and min ({group.minimum}) are more than its {count} servers"
    return ""


def largest(groups: Sequence[Group], total: np.ndarray) -> int:
    """Return the accelerators that may ever be up at once; ``total`` are those of each server."""
    grouped = [server for group in groups for server in group.servers]
    always = int(total.sum()) - int(total[grouped].sum()) if grouped else int(total.sum())
    return always + sum(int(np.sort(total[list(each.servers)])[::-1][: each.most].sum()) for each in groups)
