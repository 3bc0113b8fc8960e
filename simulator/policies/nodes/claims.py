"""Karpenter's packing: jobs onto as few machines as hold them, each machine of the cheapest group that still does.

Source: kubernetes-sigs/karpenter 1.x, pkg/controllers/provisioning/scheduling/{scheduler,queue,nodeclaim}.go.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from simulator.policies.nodes.demand import Kind
from simulator.policies.nodes.room import Room
from simulator.policies.nodes.templates import kin
from simulator.policies.supply import GroupView

_SLACK = 1e-9
Sides = tuple[float, float, float]
"""Accelerators, cores and bytes."""


@dataclass(slots=True)
class Claim:
    """A machine to be asked for: the groups that would hold its jobs, cheapest first, and what these ask for in all."""

    options: tuple[int, ...]
    jobs: int = 0
    used: Sides = (0.0, 0.0, 0.0)
    group: int = -1
    """The group that it is asked of, once that is settled."""
    kinds: dict[int, int] = field(default_factory=dict)
    """Jobs on it, by the place of their kind in the round."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Machines to be asked for, and jobs for which nothing can be asked for."""

    claims: tuple[Claim, ...]
    left: tuple[Kind, ...]


class Packer:
    """Packs jobs onto machines of groups of which ``spare`` more nodes each may be asked for.

    Largest jobs first: by accelerators, then cores, then memory (upstream: cores, then memory). A job goes to the
    machine with the fewest jobs that can still hold it, else a machine is added. Ours: a job that fits on no one node
    is put onto whole nodes of one group, the cheapest for all of it, or not at all. Without ``by_price`` groups come in
    their order, as if each were dearer than the one before.
    """

    def __init__(self, groups: Sequence[GroupView], spare: Sequence[int], by_price: bool = True) -> None:
        self._groups, self._spare = groups, list(spare)
        self._sides: list[Sides] = [(group.accelerators, group.cores, group.memory) for group in groups]
        self._prices = [group.price if by_price else float(number) for number, group in enumerate(groups)]
        self._order = sorted(range(len(groups)), key=lambda number: (self._prices[number], number))
        self._kin = {number: family for family in kin(groups) for number in family}

    def pack(self, wishes: Sequence[Kind], room: Room | None = None) -> Packing:
        """Return the machines that jobs call for; jobs that are split use free ``room`` too, which is not changed."""
        ordered = sorted(wishes, key=lambda kind: (-kind.accelerators, -kind.cores, -kind.memory))
        tried = room.copy() if room is not None and len(room) else None
        done: list[Claim] = []
        left: list[Kind] = []
        whole: list[Kind] = []
        for kind in ordered:
            if not kind.gang or any(kind.portion(*self._sides[number]) >= 1 for number in self._holders(kind)):
                whole.append(replace(kind, servers=1))
                continue
            placed = 0
            while placed < len(kind.jobs) and self._split(kind, tried, done):
                placed += 1
            left += [replace(kind, jobs=kind.jobs[placed:])] if placed < len(kind.jobs) else []
        while whole:
            rest, whole = self._round(whole, done)
            left += rest
        return Packing(tuple(done), tuple(left))

    def _holders(self, kind: Kind) -> tuple[int, ...]:
        """Groups that may be asked for nodes that would do, cheapest first."""
        return tuple(number for number in self._order if number in kind.groups and self._spare[number] > 0)

    def _round(self, wishes: Sequence[Kind], done: list[Claim]) -> tuple[list[Kind], list[Kind]]:
        """Pack jobs that are not split; return those that go nowhere, and those whose machine may not be asked for."""
        left: list[Kind] = []
        claims = list(done)
        for claim in claims:
            claim.kinds = {}
        for place, kind in enumerate(wishes):
            rest = self._place(place, kind, claims)
            if rest:
                left.append(replace(kind, jobs=kind.jobs[len(kind.jobs) - rest :]))
        refused: dict[int, int] = {}
        for claim in claims[len(done) :]:
            claim.group = next((number for number in claim.options if self._spare[number] > 0), -1)
            if claim.group >= 0:
                self._spare[claim.group] -= 1
                done.append(claim)
                continue
            for place, count in claim.kinds.items():
                refused[place] = refused.get(place, 0) + count
        return left, [replace(wishes[at], jobs=wishes[at].jobs[:count]) for at, count in sorted(refused.items())]

    def _place(self, place: int, kind: Kind, claims: list[Claim]) -> int:
        """Put the jobs of a kind; return how many go nowhere."""
        rest = len(kind.jobs)
        queue = [(claim.jobs, at, room) for at, claim in enumerate(claims) if (room := self._copies(kind, claim)) > 0]
        heapq.heapify(queue)
        options = self._holders(kind)
        most = self._copies(kind, Claim(options))
        counts: dict[int, int] = {}
        while rest > 0 and (queue or most > 0):
            if not queue:
                claims.append(Claim(options))
                queue.append((0, len(claims) - 1, most))
            jobs, at, room = heapq.heappop(queue)
            step = int(min(room, rest, max(queue[0][0] - jobs, 1) if queue else rest))
            counts[at] = counts.get(at, 0) + step
            rest -= step
            if room > step:
                heapq.heappush(queue, (jobs + step, at, room - step))
        for at, count in counts.items():
            self._add(claims[at], place, kind, count)
        return rest

    def _copies(self, kind: Kind, claim: Claim) -> float:
        """Return how many more jobs of a kind a machine can hold."""
        options = claim.options if claim.group < 0 else (claim.group,)
        return max((self._fit(kind, number, claim.used) for number in options if number in kind.groups), default=0)

    def _fit(self, kind: Kind, number: int, used: Sides) -> float:
        most = math.inf
        wish = (kind.accelerators, kind.cores, kind.memory)
        for have, taken, want in zip(self._sides[number], used, wish, strict=True):
            if want > 0:
                most = min(most, (have - taken) / want)
        return most if most == math.inf else max(float(math.floor(most + _SLACK)), 0.0)

    def _add(self, claim: Claim, place: int, kind: Kind, count: int) -> None:
        claim.options = tuple(
            number for number in claim.options if number in kind.groups and self._fit(kind, number, claim.used) >= count
        )
        claim.jobs += count
        claim.kinds[place] = claim.kinds.get(place, 0) + count
        claim.used = _sum(claim.used, (kind.accelerators, kind.cores, kind.memory), count)

    def _split(self, kind: Kind, room: Room | None, done: list[Claim]) -> bool:
        """Put one job larger than a node onto free room and new nodes of the group that costs least for it."""
        best: tuple[float, int, int] | None = None
        for number in self._holders(kind):
            new = self._new(kind, number, room)
            cost = new * self._prices[number]
            if 0 < new <= self._spare[number] and (best is None or cost < best[0]):
                best = (cost, number, new)
        if best is None:
            return False
        _, number, new = best
        left, each = 1.0, kind.portion(*self._sides[number])
        if room is not None:
            among = self._among(kind, number)
            found = room.gather(kind, among, each)
            left = room.put(kind, found[0], among) if found is not None and len(found[0]) else 1.0
        for _ in range(new):
            part, left = min(each, left), left - min(each, left)
            used = _sum((0.0, 0.0, 0.0), (kind.accelerators, kind.cores, kind.memory), part)
            done.append(Claim((number,), 1, used, number))
        self._spare[number] -= new
        return True

    def _new(self, kind: Kind, number: int, room: Room | None) -> int:
        """New nodes of a group that one job needs besides free room; 0 if they would not do."""
        each = kind.portion(*self._sides[number])
        if each <= 0:
            return 0
        if room is None:
            return kind.nodes(self._groups[number])
        found = room.gather(kind, self._among(kind, number), each)
        return 0 if found is None else found[1]

    def _among(self, kind: Kind, number: int) -> tuple[int, ...]:
        return tuple(group for group in self._kin[number] if group in kind.groups)


def _sum(used: Sides, wish: Sides, count: float) -> Sides:
    return (used[0] + wish[0] * count, used[1] + wish[1] * count, used[2] + wish[2] * count)
