"""Groups, nodes and jobs in one line each, for tests of controllers of nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simulator.policies.supply import GroupView, Nodes, NodeState, Resident, SupplyObservation, Unplaced

BOOTING, STARTING, READY, DRAINING, FAILED = NodeState


@dataclass
class Node:
    """One node; what is free on it follows from its residents."""

    server: int
    group: int = 0
    state: NodeState = READY
    residents: tuple[Resident, ...] = ()
    created: float = -1e6
    idle: float = -1e6


def runs(name: str = "r", accelerators: float = 0.0, **more: Any) -> Resident:
    more.setdefault("groups", tuple(range(32)))
    return Resident(name, accelerators=accelerators, **more)


def waits(name: str = "j", accelerators: float = 0.0, since: float = 0.0, **more: Any) -> Unplaced:
    more.setdefault("groups", tuple(range(32)))
    return Unplaced(name, since, accelerators=accelerators, **more)


def many(count: int, accelerators: float = 0.0, **more: Any) -> list[Unplaced]:
    return [waits(f"j{number}", accelerators, **more) for number in range(count)]


@dataclass
class World:
    """A cluster that is looked at; sizes of groups are counted."""

    groups: Sequence[GroupView] = (GroupView("gpu", accelerators=8.0, maximum=100),)
    nodes: list[Node] = field(default_factory=list)
    pending: Sequence[Unplaced] = ()
    asked: list[int] = field(default_factory=list)
    """Rows whose residents were looked at."""

    def seen(self) -> SupplyObservation:
        groups = [self._counted(number, group) for number, group in enumerate(self.groups)]
        up = sum(node.state == READY for node in self.nodes)
        coming = sum(node.state in (BOOTING, STARTING) for node in self.nodes)
        busy = sum(bool(node.residents) for node in self.nodes)
        return SupplyObservation(
            up=up, booting=coming, busy=busy, allocated=0.0, queued=0.0, accelerators_per_node=8.0,
            waiting=len(self.pending), groups=groups, pending=self._waiting(), nodes=self._arrays(),
        )  # fmt: skip

    def _waiting(self) -> list[Unplaced]:
        there = range(len(self.groups))
        return [replace(job, groups=tuple(group for group in job.groups if group in there)) for job in self.pending]

    def _counted(self, number: int, group: GroupView) -> GroupView:
        mine = [node for node in self.nodes if node.group == number and node.state != DRAINING]
        return replace(
            group,
            size=len(mine),
            ready=sum(node.state == READY for node in mine),
            booting=sum(node.state in (BOOTING, STARTING) for node in mine),
        )

    def _arrays(self) -> Nodes:
        def total(side: str) -> np.ndarray:
            return np.array([getattr(self.groups[node.group], side) for node in self.nodes], dtype=float)

        def free(side: str) -> np.ndarray:
            used = [sum(getattr(one, side) for one in node.residents) for node in self.nodes]
            return total(side) - np.array(used, dtype=float)

        def column(name: str, kind: type) -> np.ndarray:
            return np.array([getattr(node, name) for node in self.nodes], dtype=kind)

        def residents(row: int) -> Sequence[Resident]:
            self.asked.append(row)
            return self.nodes[row].residents

        idle = [math.nan if node.residents else node.idle for node in self.nodes]
        return Nodes(
            column("server", int), column("group", int), column("state", int),
            total("accelerators"), total("cores"), total("memory"),
            free("accelerators"), free("cores"), free("memory"),
            column("created", float), column("created", float), np.array(idle, dtype=float), residents,
        )  # fmt: skip
