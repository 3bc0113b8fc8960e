"""Karpenter's consolidation: whether nodes can go, or give way to one cheaper node.

Source: kubernetes-sigs/karpenter 1.x, pkg/controllers/disruption/{consolidation,multinodeconsolidation,helpers}.go and
pkg/utils/disruption/disruption.go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulator.policies.nodes.claims import Packer
from simulator.policies.nodes.demand import Kind, kind_of
from simulator.policies.nodes.room import Room
from simulator.policies.supply import GroupView, Resident

SPOT_CHOICES = 15
"""Cheaper spot groups without which one spot node is not replaced by another (``MinInstanceTypes...``)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that may go: its row, number, time of creation, group, residents, and what disrupting it costs."""

    row: int
    server: int
    created: float
    group: int
    residents: tuple[Resident, ...]
    cost: float


@dataclass(frozen=True, slots=True)
class Command:
    """Nodes to take away, and the group of the one node that takes their place; -1 for none."""

    candidates: tuple[Candidate, ...]
    method: str
    group: int = -1
    options: tuple[int, ...] = ()
    saved: float = 0.0
    """$/s."""
    runner_up: str = ""

    @property
    def servers(self) -> tuple[int, ...]:
        """Numbers of the nodes that go."""
        return tuple(candidate.server for candidate in self.candidates)


@dataclass(frozen=True, slots=True)
class _No:
    """Why nodes cannot go, and the job of which that is said, if it is said of one."""

    text: str
    job: str = ""


def disruption_cost(residents: Sequence[Resident]) -> float:
    """Return what disrupting a node costs: 1 for the node and 1 for each job, more for its priority.

    A job's priority counts 2^-25, and a job 0 to 10. Source: ``computeRescheduleDisruptionCost`` of
    pkg/controllers/disruption/types.go, and ``EvictionCost``.
    """
    return 1.0 + math.fsum(min(max(1.0 + one.priority / 2**25, 0.0), 10.0) for one in residents)


class Simulation:
    """What would become of the residents of nodes that are taken away.

    ``ready`` is the room of nodes that take work and are not on their way out, ``rows`` their rows; ``recent`` that of
    such nodes where something changed of late, which only jobs may go to that move anyway; ``coming`` that of nodes
    that are not up yet, by which no decision is justified. ``spare`` nodes of each group may still be asked for;
    ``moving`` jobs are on nodes that are on their way out.
    """

    def __init__(
        self,
        groups: Sequence[GroupView],
        spare: Sequence[int],
        ready: Room,
        rows: Sequence[int],
        recent: Room,
        coming: Room,
        moving: Sequence[Kind],
        spot_to_spot: bool,
    ) -> None:
        self._groups, self._spare, self._ready, self._others = groups, spare, ready, (recent, coming)
        self._coming = coming
        self._place = {row: place for place, row in enumerate(rows)}
        self._moving, self._spot_to_spot = moving, spot_to_spot
        self._fits: dict[tuple[float, ...], tuple[int, int]] = {}
        self._no: dict[tuple[int, tuple[float, ...]], _No] = {}

    def command(self, candidates: Sequence[Candidate], method: str) -> Command | str:
        """Return how to do without nodes, or why that cannot be."""
        alone = self._hopeless(candidates)
        key = (candidates[0].group, alone)
        found = self._no[key] if alone and key in self._no else self._tried(candidates, method)
        if isinstance(found, Command):
            return found
        if alone:
            name = candidates[0].residents[0].id
            self._no[key] = replace(found, job=name if found.job else "")
            found = self._no[key]
        return f"{found.job} {found.text}" if found.job else found.text

    def _hopeless(self, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        """Return what the one job of one node asks for if it fits nowhere else: all such nodes share one answer."""
        if len(candidates) > 1 or len(candidates[0].residents) != 1 or self._moving:
            return ()
        kind = kind_of(candidates[0].residents[0])
        return () if self._may_fit(kind, [self._place[candidates[0].row]]) else _key(kind)

    def _tried(self, candidates: Sequence[Candidate], method: str) -> Command | _No:
        left = self._without(candidates)
        if not left:
            saved = math.fsum(self._groups[one.group].price for one in candidates)
            return Command(tuple(candidates), method, saved=saved)
        for kind in left:
            if self._coming.first(kind) >= 0:
                return _No("would go to a node that is not up yet", kind.jobs[0])
        packing = Packer(self._groups, self._spare).pack(left)
        if packing.left:
            return _No("fits nowhere else", packing.left[0].jobs[0])
        if len(packing.claims) > 1:
            return _No(f"it would take {len(packing.claims)} new nodes")
        return self._replace(candidates, packing.claims[0].options, method)

    def _without(self, candidates: Sequence[Candidate]) -> list[Kind]:
        """Return the jobs that fit onto no other node that is up, largest first.

        Jobs of nodes that are on their way out already move too, and may also go to nodes that are coming, and to those
        where something changed of late.
        """
        closed = [self._place[one.row] for one in candidates]
        wishes = [(kind_of(resident), False) for one in candidates for resident in one.residents]
        wishes += [(kind, True) for kind in self._moving]
        wishes.sort(key=lambda wish: (-wish[0].accelerators, -wish[0].cores, -wish[0].memory))
        hopes = [self._may_fit(kind, closed) for kind, _ in wishes]
        left: list[Kind] = []
        mark, others = self._ready.begin(), [room.begin() for room in self._others]
        self._ready.open[closed] = False
        for (kind, moving), hope in zip(wishes, hopes, strict=True):
            at = self._ready.first(kind) if hope else -1
            if at >= 0:
                self._ready.take(at, kind)
            elif not (moving and self._take_other(kind)):
                left.append(kind)
        self._ready.undo(mark)
        for room, other in zip(self._others, others, strict=True):
            room.undo(other)
        self._ready.open[closed] = True
        return left

    def _take_other(self, kind: Kind) -> bool:
        for room in self._others:
            if (at := room.first(kind)) >= 0:
                room.take(at, kind)
                return True
        return False

    def _may_fit(self, kind: Kind, closed: Sequence[int]) -> bool:
        """Whether a job fits onto any node that stays, as things are; no more than a quick way to say no."""
        key = _key(kind)
        if key not in self._fits:
            rows = np.flatnonzero(_now(self._ready, kind))
            self._fits[key] = (len(rows), int(rows[0]) if len(rows) else -1)
        count, first = self._fits[key]
        return count > 1 or (count == 1 and first not in closed)

    def _replace(self, candidates: Sequence[Candidate], options: Sequence[int], method: str) -> Command | _No:
        """Return the exchange for one cheaper node, or why there is none."""
        groups = self._groups
        paid = math.fsum(groups[one.group].price for one in candidates)
        open_ones = [number for number in options if self._spare[number] > 0]
        spot = all(groups[one.group].spot for one in candidates) and any(groups[n].spot for n in open_ones)
        if spot and not self._spot_to_spot:
            return _No("spot nodes are not exchanged for spot nodes (spot_to_spot is off)")
        if spot:
            open_ones = [number for number in open_ones if groups[number].spot]
        cheaper = [number for number in open_ones if groups[number].price < paid]
        if len(candidates) > 1:
            same = [groups[one.group].price for one in candidates if one.group in cheaper]
            cheaper = [number for number in cheaper if groups[number].price < min(same, default=math.inf)]
        if not cheaper:
            return _No("there is no cheaper node")
        if spot and len(candidates) == 1 and len(cheaper) < SPOT_CHOICES:
            return _No(f"{len(cheaper)} spot groups are cheaper, fewer than {SPOT_CHOICES}")
        best = cheaper[0]
        other = f"{groups[cheaper[1]].name} ({groups[cheaper[1]].price * 3600:.4g} $/h)" if len(cheaper) > 1 else ""
        saved = paid - groups[best].price
        return Command(tuple(candidates), method, best, tuple(cheaper), saved, other or "keep")


def _key(kind: Kind) -> tuple[float, ...]:
    return (kind.accelerators, kind.cores, kind.memory, *kind.groups)


def _now(room: Room, kind: Kind) -> np.ndarray:
    fits: np.ndarray = room.open & room.allowed(kind.groups)
    for have, want in room.sides(kind):
        if want > 0:
            fits = fits & (have >= want * (1 - 1e-12) - 1e-9)
    return fits


def largest(simulation: Simulation, candidates: Sequence[Candidate], method: str, most: int = 100) -> Command | None:
    """Return the command for as many of the first ``candidates`` as a binary search finds, two or more; None for none.

    At most ``most`` + 1 of them are taken together, as ``firstNConsolidationOption`` does.
    """
    found: Command | None = None
    low, high = 1, min(most, len(candidates) - 1)
    while low <= high:
        middle = (low + high) // 2
        tried = simulation.command(candidates[: middle + 1], method)
        if isinstance(tried, Command):
            found, low = tried, middle + 1
        else:
            high = middle - 1
    return found
