"""How many new nodes of a group waiting jobs call for: first fit decreasing onto copies of an empty node.

Source: kubernetes/autoscaler 1.33, cluster-autoscaler/estimator/{binpacking_estimator,decreasing_pod_orderer}.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.policies.nodes.demand import Kind
from simulator.policies.nodes.room import Room
from simulator.policies.supply import GroupView

_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Option:
    """New nodes of one group, and what they would help: sums over the jobs, memory in bytes."""

    group: int
    count: int
    jobs: int
    accelerators: float
    cores: float
    memory: float


def kin(groups: Sequence[GroupView]) -> list[tuple[int, ...]]:
    """Return the sets of groups over which one job may be split: same accelerator, same region."""
    families: dict[tuple[str, str], list[int]] = {}
    for number, group in enumerate(groups):
        families.setdefault((group.accelerator, group.region), []).append(number)
    return [tuple(family) for family in families.values()]


class Bins:
    """New nodes of one group, of which there may be ``most``, filled as they are asked for."""

    def __init__(self, number: int, group: GroupView, most: int) -> None:
        self._number, self._group, self._most = number, group, most
        self._room = _empty(number, group, 0)

    def __len__(self) -> int:
        return len(self._room)

    def fill(self, kind: Kind, count: int) -> int:
        """Put up to ``count`` whole jobs of a kind; return how many fit."""
        placed = int(self._room.fill(kind, count).sum())
        rest = count - placed
        per = float(_empty(self._number, self._group, 1).copies(kind)[0])
        new = 0 if rest <= 0 or per < 1 else min(math.ceil(rest / per), self._most - len(self))
        if new <= 0:
            return placed
        self._add(new)
        return placed + int(self._room.fill(kind, rest).sum())

    def split(self, kind: Kind, count: int, room: Room, family: tuple[int, ...]) -> int:
        """Put up to ``count`` jobs that may be split, each as a whole or not at all; return how many fit.

        A job takes whole nodes, and the rest of it a part of one. Room that is free on nodes of the same ``family`` of
        groups is used first; alone it was not enough.
        """
        among = tuple(group for group in family if group in kind.groups)
        more = kind.portion(self._group.accelerators, self._group.cores, self._group.memory)
        if more >= 1:
            return self.fill(kind, count)
        if more <= 0 or (kind.servers and math.ceil(1 / more - _SLACK) > kind.servers):
            return 0
        placed = 0
        while placed < count and len(room) and room.portions(kind, among).any():
            found = room.gather(kind, among, more)
            if found is None or found[1] > self._most - len(self):
                break
            left = room.put(kind, found[0], among) if len(found[0]) else 1.0
            if found[1]:
                self._take(kind, left, more, 1)
            placed += 1
        fit = self._fit(kind, more, count - placed)
        if fit:
            self._take(kind, 1.0, more, fit)
        return placed + fit

    def _fit(self, kind: Kind, more: float, count: int) -> int:
        """Return how many of ``count`` jobs, of each of which a node holds the share ``more``, new nodes can hold."""
        full, rest = _parts(kind, 1.0, more)
        left = self._most - len(self)
        low, high = 0, min(count, left // full)
        spare = float(self._room.copies(rest).sum()) if rest else 0.0
        per = float(_empty(self._number, self._group, 1).copies(rest)[0]) if rest else 1.0
        while low < high:
            middle = (low + high + 1) // 2
            extra = math.ceil(max(middle - spare, 0.0) / per) if rest else 0
            low, high = (middle, high) if middle * full + extra <= left else (low, middle - 1)
        return low

    def _take(self, kind: Kind, share: float, more: float, count: int) -> None:
        """Put ``share`` of each of ``count`` jobs onto new nodes, of each of which a node holds the share ``more``."""
        full, rest = _parts(kind, share, more)
        if full:
            before = len(self)
            self._add(full * count)
            for have, want in self._room.sides(kind):
                if want > 0:
                    have[before:] -= more * want
        if rest:
            self.fill(rest, count)

    def _add(self, new: int) -> None:
        old, more = self._room, _empty(self._number, self._group, new)
        self._room = Room(
            np.concatenate([old.group, more.group]),
            np.concatenate([old.accelerators, more.accelerators]),
            np.concatenate([old.cores, more.cores]),
            np.concatenate([old.memory, more.memory]),
        )


def option(
    number: int, groups: Sequence[GroupView], wishes: Iterable[Kind], room: Room, family: tuple[int, ...], most: int
) -> Option | None:
    """Return the nodes of a group that jobs call for, at most ``most``; None where they would help no job.

    Largest jobs first: by the sum of their shares of a node's accelerators, cores and memory (upstream: of its cores
    and memory). ``room`` is what jobs that may be split can use besides new nodes; it is not changed.
    """
    group = groups[number]
    bins, tried = Bins(number, group, most), room.copy()
    helped: dict[int, int] = {}
    fitting = [kind for kind in wishes if number in kind.groups]
    for place, kind in sorted(enumerate(fitting), key=lambda pair: -_size(pair[1], group)):
        jobs = len(kind.jobs)
        done = bins.split(kind, jobs, tried, family) if kind.gang else bins.fill(kind, jobs)
        if done:
            helped[place] = done
    return _summed(number, len(bins), helped, fitting) if len(bins) else None


def _summed(number: int, count: int, helped: Mapping[int, int], wishes: Sequence[Kind]) -> Option:
    asked = [(wishes[place], done) for place, done in helped.items()]
    return Option(
        group=number,
        count=count,
        jobs=sum(done for _, done in asked),
        accelerators=math.fsum(kind.accelerators * done for kind, done in asked),
        cores=math.fsum(kind.cores * done for kind, done in asked),
        memory=math.fsum(kind.memory * done for kind, done in asked),
    )


def _parts(kind: Kind, share: float, more: float) -> tuple[int, Kind | None]:
    """Return how many whole nodes ``share`` of a job takes, and the job that is left for a part of a node."""
    full = math.floor(share / more + _SLACK)
    left = share - full * more
    if left <= _SLACK:
        return full, None
    wish = (kind.accelerators * left, kind.cores * left, kind.memory * left)
    return full, Kind(*wish, servers=1, groups=kind.groups, jobs=())


def _size(kind: Kind, group: GroupView) -> float:
    shares = ((kind.accelerators, group.accelerators), (kind.cores, group.cores), (kind.memory, group.memory))
    return math.fsum(want / have for want, have in shares if 0 < have < math.inf)


def _empty(number: int, group: GroupView, count: int) -> Room:
    fields = (group.accelerators, group.cores, group.memory)
    return Room(np.full(count, number), *(np.full(count, field, dtype=float) for field in fields))
