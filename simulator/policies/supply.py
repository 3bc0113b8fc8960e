"""What a controller of nodes sees and decides: groups of nodes that come and go.

A controller is a clock-free state machine: a class with ``interval`` and ``step(now, observation)``, and if it likes
``reset()``, which is called before each run. It answers with a number, or with actions:

* a number of nodes that shall be up or coming over all groups, best as a ``Decision``; groups are filled in their
  order, and idle nodes are taken from the last group first;
* any of ``Grow``, ``Remove`` and ``Replace``, each with its reasons.

Nodes are known by their number as servers of the topology, groups by their place in ``groups``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import numpy as np

from simulator.core.registry import Registry


class NodeState(IntEnum):
    """Where a node that has been asked for is in its life."""

    BOOTING = 0
    """Asked for; nobody has seen it yet."""
    STARTING = 1
    """Registered and ready, but its accelerators cannot be allocated yet: its device plugin has not reported."""
    READY = 2
    """Takes work."""
    DRAINING = 3
    """Takes no more work, and goes when what is there has left."""
    FAILED = 4
    """Broken, and not yet repaired."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group of alike nodes. Times in seconds, memory in bytes, money in US dollars."""

    name: str
    minimum: int = 0
    maximum: int = 1_000_000
    """Most nodes that it may have, quotas included."""
    size: int = 0
    """Nodes that it has, in whatever state, without those that are draining."""
    ready: int = 0
    booting: int = 0
    """Nodes that are booting or starting."""
    accelerators: float = 0.0
    """Of one node, as are cores and memory."""
    cores: float = math.inf
    memory: float = math.inf
    accelerator: str = ""
    price: float = 0.0
    """$/s of one node, now."""
    spot: bool = False
    region: str = ""
    carbon: float = math.nan
    """kgCO2e per joule of its region, now."""
    boot: float = 0.0
    """Seconds that a node needs in the mean until it takes work."""
    failed: float = -math.inf
    """When a node that was asked for last could not be had."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A job that waits because no node has room for it now."""

    id: str
    since: float
    accelerators: float = 0.0
    """Of the whole job, as are cores and memory."""
    cores: float = 0.0
    memory: float = 0.0
    servers: int = 1
    """Most nodes that it may be split over; 0 for any number, of whole accelerators."""
    groups: tuple[int, ...] = ()
    """Groups whose nodes would do."""
    priority: float = 0.0


@dataclass(frozen=True, slots=True)
class Resident:
    """What a job holds on one node."""

    id: str
    accelerators: float = 0.0
    """On this node, as are cores and memory."""
    cores: float = 0.0
    memory: float = 0.0
    groups: tuple[int, ...] = ()
    """Groups whose nodes would do."""
    whole: bool = True
    """Whether all of the job is on this node."""
    movable: bool = True
    """Whether it may be evicted: it is preemptible, and no disruption budget forbids it now."""
    why: str = ""
    """Why it may not."""
    priority: float = 0.0


@dataclass(frozen=True, slots=True)
class Nodes:
    """All nodes that have been asked for and are not gone, one row each: arrays of one shape.

    ``server`` is the number of the node, ``group`` that of its group, ``state`` a ``NodeState``. Totals and what is
    free are accelerators, cores and bytes; infinite where a node has no limit. ``created`` is when it was asked for,
    ``ready`` when it first took work (NaN before), ``idle`` since when nothing runs on it (NaN while something does).
    ``residents(row)`` tells what runs on the node of a row.
    """

    server: np.ndarray
    group: np.ndarray
    state: np.ndarray
    accelerators: np.ndarray
    cores: np.ndarray
    memory: np.ndarray
    free_accelerators: np.ndarray
    free_cores: np.ndarray
    free_memory: np.ndarray
    created: np.ndarray
    ready: np.ndarray
    idle: np.ndarray
    residents: Callable[[int], Sequence[Resident]] = lambda row: ()

    def __len__(self) -> int:
        return len(self.server)


@dataclass(frozen=True, slots=True)
class SupplyObservation:
    """What a controller of nodes is told at each step. Counts are nodes unless said otherwise."""

    up: int
    """Nodes that take work."""
    booting: int
    busy: int
    """Nodes with at least one job on them."""
    allocated: float
    """Accelerators held by jobs."""
    queued: float
    """Accelerators asked for by waiting jobs."""
    accelerators_per_node: float
    waiting: int = 0
    """Jobs that wait."""
    groups: Sequence[GroupView] = ()
    pending: Sequence[Unplaced] = ()
    """Jobs that wait and fit nowhere now, in the order of the queue."""
    nodes: Nodes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action:
    rule: str = ""
    """The rule that fired, in the product's own terms."""
    inputs: Mapping[str, float] = field(default_factory=dict)
    """The numbers behind it, by name."""
    runner_up: str = ""
    """What would have been done otherwise."""


@dataclass(frozen=True, slots=True)
class Grow(_Action):
    """Ask for ``count`` more nodes of a group."""

    group: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Remove(_Action):
    """Drain nodes and take them away: what runs there is evicted by the rules of disruption."""

    servers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Replace(_Action):
    """Ask for ``count`` nodes of a group and, when they take work, drain ``servers`` and take them away."""

    servers: tuple[int, ...]
    group: int
    count: int = 1


SupplyAction = Grow | Remove | Replace


class Autoscaler(Protocol):
    """A clock-free state machine that sizes groups of nodes.

    One that keeps something has a method ``reset()`` too, which is called before each run. Built-in ones say in
    ``version`` which product and version they follow. With ``prompt = True`` it is also asked after every scheduling
    pass, so it can act on each arrival and each end. With ``detailed = True`` it is told of ``groups``, ``pending`` and
    ``nodes``; else only the sums, which cost nothing to make. With ``alike = True`` it takes all nodes of a group to be
    of one kind, and a scenario whose groups mix kinds of servers is refused.

    Steps that would do nothing may be left out for one that is detailed and has a method ``quiet(now)``. Asked after a
    step that returned no action, it returns the time (s) before which another step would return none either, and would
    not change what is kept, as long as it is told the same of groups, jobs and nodes; ``now`` or less where it cannot
    say. If it keeps something that goes by the times of steps, it has a method ``left_out(times)`` too, which is told
    the times of those that were left out, before the next step. Both only save time: they never change a result.
    """

    interval: float
    """Seconds between two steps."""

    def step(self, now: float, observation: SupplyObservation) -> int | Iterable[SupplyAction]:
        """Return the number of nodes wanted (up and booting together), or what to do."""
        ...


autoscalers: Registry[Callable[..., Autoscaler]] = Registry("autoscaler", "simulator.policies.scaling")
