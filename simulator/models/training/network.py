"""Time of one collective call alone on a group of ranks, where no topology is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.cluster.records import Accelerator, Link
from simulator.core.errors import InputError
from simulator.models.collectives import Group, Level, estimate
from simulator.models.collectives.group import network_level, scale_up_level

Network = Callable[[str, str, float, tuple[int, int]], float]
"""(axis, collective, bytes, group) -> seconds of one call alone.

``collective`` is ``all-reduce``, ``all-gather``, ``reduce-scatter``, ``all-to-all``, ``send-recv``, or one of
``parameter-server`` and ``tree-aggregate``. ``bytes`` is the whole array (as in nccl-tests), what one rank sends in an
``all-to-all``, the message of a ``send-recv``, and what one worker pushes in the last two. ``group`` is (ranks in one
scale-up domain, domains); for the last two (workers, servers) and (workers, levels)."""
CARDS = 8
"""Network cards of a server where only the link is known: one for each of its accelerators."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Collectives over the scale-up fabric of an accelerator and network cards of one kind; each call has them alone.

    ``cards`` are the network cards of a server of ``per_server`` accelerators.
    """

    accelerator: Accelerator
    link: Link
    cards: int = CARDS
    per_server: int = CARDS
    _known: dict[tuple[str, float, tuple[int, int]], float] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("cards", "per_server"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} is not a whole number of 1 or more")

    def __call__(self, axis: str, collective: str, size: float, group: tuple[int, int]) -> float:
        """Seconds of one call."""
        key = (collective, size, group)
        if key not in self._known:
            self._known[key] = self._time(collective, size, group)
        return self._known[key]

    def _time(self, collective: str, size: float, group: tuple[int, int]) -> float:
        if collective == "parameter-server":
            return parameter_server(size, *group, self._level(1))
        if collective == "tree-aggregate":
            return tree_aggregate(size, *group, self._level(1))
        inner, outer = group
        inside = scale_up_level(self.accelerator, inner)
        shape = (inner,) * outer
        return estimate(collective, size, Group(shape, inside, self._level(inner) if outer > 1 else None)).time

    def _level(self, inner: int) -> Level:
        servers = max(1, math.ceil(inner / self.per_server))
        return network_level(self.link, self.cards * servers, self.per_server * servers, inner)


def parameter_server(size: float, workers: int, servers: int, level: Level) -> float:
    """Seconds to push ``size`` bytes of gradients to ``servers`` and pull as many weights, all workers at once.

    Each server takes in workers x size / servers and gives out as much; many senders to one receiver lose the share
    that the protocol's ``incast`` says. Source: Li et al., "Scaling distributed machine learning with the parameter
    server" (OSDI 2014), in a synchronous form.
    """
    loss = 1 + level.protocol.incast * (workers - 1)
    push = max(size, size * workers / servers * loss)
    return 2 * level.latency + (push + size * max(1.0, workers / servers)) / level.bandwidth


def tree_aggregate(size: float, workers: int, levels: int, level: Level) -> float:
    """Seconds of one Spark ``treeAggregate`` of ``size`` bytes, and of the broadcast of the result.

    Each of the ``levels`` has ``fan_in`` senders to one receiver, whose card they share (and lose to incast); the
    broadcast (TorrentBroadcast) moves the bytes once more to everybody. Source: apache/spark ``RDD.treeAggregate``.
    """
    fan = fan_in(workers, levels)
    up = levels * fan * (1 + level.protocol.incast * (fan - 1))
    return (levels + 1) * level.latency + size * (up + 1) / level.bandwidth


def fan_in(workers: int, levels: int) -> int:
    """Senders to one receiver in a tree of so many levels over the workers.

    >>> fan_in(100, 2), fan_in(8, 1)
    (10, 8)
    """
    return math.ceil(round(math.pow(workers, 1 / levels), 9))
