"""Free room on many nodes at once, and jobs put there first fit: the what-if of a controller of nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simulator.policies.nodes.demand import Kind
from simulator.policies.supply import Nodes

_SLACK = 1e-9
_CHUNK = 512
"""Nodes that are looked at in one go by a search for the first that fits; ours."""

Mark = tuple[list[tuple[int, float, float, float]], dict[tuple[float, ...], int]]


class Room:
    """Free accelerators, cores and bytes of nodes, as arrays of one shape that shrink as jobs are put there.

    ``group`` is the group of each node, ``open`` whether anything may be put there. Nothing outside is changed.
    """

    def __init__(self, group: np.ndarray, accelerators: np.ndarray, cores: np.ndarray, memory: np.ndarray) -> None:
        self.group = np.asarray(group, dtype=np.int64)
        self.accelerators = np.array(accelerators, dtype=float)
        self.cores = np.array(cores, dtype=float)
        self.memory = np.array(memory, dtype=float)
        self.open = np.ones(len(self.group), dtype=bool)
        self._allowed: dict[tuple[int, ...], np.ndarray] = {}
        self._from: dict[tuple[float, ...], int] = {}
        self._journal: list[tuple[int, float, float, float]] | None = None

    @classmethod
    def of(cls, nodes: Nodes, free: np.ndarray, empty: np.ndarray | None = None) -> Room:
        """Return the room of the rows ``free`` as they are, then that of the rows ``empty`` without their jobs."""
        rows = [free] if empty is None else [free, empty]

        def both(now: np.ndarray, whole: np.ndarray) -> np.ndarray:
            return np.concatenate([column[index] for column, index in zip((now, whole), rows, strict=False)])

        return cls(
            both(nodes.group, nodes.group),
            both(nodes.free_accelerators, nodes.accelerators),
            both(nodes.free_cores, nodes.cores),
            both(nodes.free_memory, nodes.memory),
        )

    def __len__(self) -> int:
        return len(self.group)

    def copy(self) -> Room:
        """Return room of its own to try something in."""
        other = Room(self.group, self.accelerators, self.cores, self.memory)
        other.open = self.open.copy()
        return other

    def allowed(self, groups: Sequence[int]) -> np.ndarray:
        """Return whether each node is of one of ``groups``."""
        key = tuple(groups)
        known: np.ndarray | None = self._allowed.get(key)
        if known is None:
            table = np.zeros(int(max(self.group.max(initial=-1), max(key, default=-1))) + 1, dtype=bool)
            table[list(key)] = True
            self._allowed[key] = known = np.asarray(table[self.group], dtype=bool)
        return known

    def copies(self, kind: Kind) -> np.ndarray:
        """Return how many jobs of a kind fit whole onto each node; floats, infinite for a job that asks for nothing."""
        most = np.full(len(self), math.inf)
        for have, want in self.sides(kind):
            if want > 0:
                most = np.minimum(most, np.floor(have / want + _SLACK))
        return np.asarray(np.where(self.open & self.allowed(kind.groups), np.maximum(most, 0.0), 0.0))

    def fill(self, kind: Kind, count: int) -> np.ndarray:
        """Put up to ``count`` whole jobs, first fit; return how many went to each node, an int array."""
        if count <= 0 or not len(self):
            return np.zeros(len(self), dtype=np.int64)
        most = np.minimum(self.copies(kind), count)
        before = np.cumsum(most) - most
        taken: np.ndarray = np.clip(count - before, 0, most).astype(np.int64)
        for have, want in self.sides(kind):
            if want > 0:
                have -= taken * want
        return taken

    def portions(self, kind: Kind, among: Sequence[int]) -> np.ndarray:
        """Return the share of one job of a kind that fits onto each node of the groups ``among``, at most 1."""
        share = np.full(len(self), math.inf)
        for have, want in self.sides(kind):
            if want > 0:
                share = np.minimum(share, have / want)
        whole = share >= 1 - _SLACK
        if kind.accelerators > 0:
            share = np.floor(share * kind.accelerators + _SLACK) / kind.accelerators
        share = np.where(whole, 1.0, np.maximum(share, 0.0))
        return np.asarray(np.where(self.open & self.allowed(among), share, 0.0))

    def gather(self, kind: Kind, among: Sequence[int], more: float = 0.0) -> tuple[np.ndarray, int] | None:
        """Return nodes for one job that may be split, and how many new ones besides, each with room for ``more`` of it.

        Fewest new nodes first; on as many nodes in all as ``kind.servers`` lets it. None if it cannot be done.
        """
        share = self.portions(kind, among)
        rows = np.flatnonzero(share > 0)
        if kind.servers:
            rows = rows[np.argsort(-share[rows], kind="stable")][: kind.servers]
        sums = np.cumsum(share[rows])
        if len(sums) and sums[-1] >= 1 - _SLACK:
            return rows[: int(np.searchsorted(sums, 1 - _SLACK)) + 1], 0
        if more <= 0:
            return None
        if not kind.servers:
            have = float(sums[-1]) if len(sums) else 0.0
            return rows, math.ceil((1 - have) / more - _SLACK)
        for new in range(1, kind.servers + 1):
            old = min(len(rows), kind.servers - new)
            if (float(sums[old - 1]) if old else 0.0) + new * more >= 1 - _SLACK:
                return rows[:old], new
        return None

    def put(self, kind: Kind, rows: np.ndarray, among: Sequence[int]) -> float:
        """Put one job that may be split onto ``rows``, as much on each as fits; return the share left over."""
        share = self.portions(kind, among)[rows]
        used = np.minimum(share, np.maximum(1.0 - (np.cumsum(share) - share), 0.0))
        for have, want in self.sides(kind):
            if want > 0:
                have[rows] -= used * want
        return max(1.0 - float(used.sum()), 0.0)

    def first(self, kind: Kind) -> int:
        """Return the first node onto which one whole job of a kind fits, -1 if there is none.

        Where a kind was not found room it is not looked for again, since room only shrinks, but for ``undo``.
        """
        key = (kind.accelerators, kind.cores, kind.memory, *kind.groups)
        allowed = self.open & self.allowed(kind.groups) if len(self) <= _CHUNK else None
        for start in range(self._from.get(key, 0), len(self), _CHUNK):
            part = slice(start, start + _CHUNK)
            fits = allowed[part] if allowed is not None else self.open[part] & self.allowed(kind.groups)[part]
            for have, want in self.sides(kind):
                if want > 0:
                    fits = fits & (have[part] >= want * (1 - 1e-12) - _SLACK)
            at = int(fits.argmax())
            if fits[at]:
                self._from[key] = start
                return start + at
        self._from[key] = len(self)
        return -1

    def take(self, row: int, kind: Kind) -> None:
        """Put one whole job onto a node."""
        if self._journal is not None:
            self._journal.append((row, self.accelerators.item(row), self.cores.item(row), self.memory.item(row)))
        self.accelerators[row] -= kind.accelerators
        self.cores[row] -= kind.cores
        self.memory[row] -= kind.memory

    def begin(self) -> Mark:
        """Begin something that may be undone."""
        self._journal = []
        return self._journal, dict(self._from)

    def undo(self, mark: Mark) -> None:
        """Give back what was taken since ``begin``."""
        taken, self._from = mark
        for row, accelerators, cores, memory in reversed(taken):
            self.accelerators[row], self.cores[row], self.memory[row] = accelerators, cores, memory
        self._journal = None

    def sides(self, kind: Kind) -> tuple[tuple[np.ndarray, float], ...]:
        """Return the room and what a job of a kind wants of it, for accelerators, cores and memory."""
        return (self.accelerators, kind.accelerators), (self.cores, kind.cores), (self.memory, kind.memory)


def settle(room: Room, wishes: Sequence[Kind], kin: Sequence[tuple[int, ...]]) -> tuple[list[Kind], np.ndarray]:
    """Put jobs where there is room, in their order; return those left over, and which nodes got something.

    ``kin`` are sets of groups over which one job may be split: groups of the same accelerator in the same region.
    """
    left: list[Kind] = []
    touched = np.zeros(len(room), dtype=bool)
    for kind in wishes:
        taken = room.fill(kind, len(kind.jobs))
        placed = int(taken.sum())
        touched |= taken > 0
        while kind.gang and placed < len(kind.jobs) and (rows := _split(room, kind, kin)) is not None:
            touched[rows] = True
            placed += 1
        if placed < len(kind.jobs):
            left.append(replace(kind, jobs=kind.jobs[placed:]))
    return left, touched


def _split(room: Room, kind: Kind, kin: Sequence[tuple[int, ...]]) -> np.ndarray | None:
    """Put one job that may be split, all of it on one kin of groups; return the nodes, or None."""
    for family in kin:
        among = tuple(group for group in family if group in kind.groups)
        found = room.gather(kind, among) if among else None
        if found is not None:
            room.put(kind, found[0], among)
            return found[0]
    return None
