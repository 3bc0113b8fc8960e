"""Links and the flow classes on them, as rows of numbers: what ``sweep`` works on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(slots=True)
class Link:
    """A directed link. ``capacity`` in bytes/s."""

    capacity: float = 0.0
    first: int = -1
    """The first of the entries of the classes that cross it; -1 for none."""
    crossing: float = 0.0
    """Flows that cross it, each counted by its usage of it."""
    asked: float = 0.0
    """Bytes/s that those with a limit could put on it at most."""
    unlimited: int = 0
    """Classes without a limit that cross it."""
    binds: bool = False
    """Whether it can hold anybody back: not if it can carry all its flows at their limits."""
    opened: int = 0
    """Classes that cross it whose rates are open."""
    tight: bool = False
    """Whether somebody stands to gain or lose by it even when no rate is open."""
    full: bool = False
    listed: bool = False
    queue: int = 0


@dataclass(slots=True)
class Flows:
    """A class of ``flows`` alike flows; its place is called its slot. ``limit`` and ``rate`` in bytes/s of one flow."""

    start: int = 0
    """The first of its entries, which lie side by side."""
    length: int = 0
    """How many links it uses."""
    flows: float = 0.0
    limit: float = math.inf
    rate: float = 0.0
    held: int = -1
    """The link that holds it back, or -1."""
    told: bool = True
    """Whether somebody wants to know of its rate."""
    sent: float = 0.0
    """Bytes that one flow had sent at ``since`` (s)."""
    since: float = 0.0
    goal: float = math.inf
    """Bytes sent at which something is to happen."""
    part: int = 0
    fresh: float = 0.0
    holder: int = -1
    moved: int = 0


@dataclass(slots=True)
class Entry:
    """One link of one class. The entries of a link are a chain."""

    link: int = 0
    slot: int = 0
    usage: float = 0.0
    """Bytes on the link for one byte of a flow."""
    weight: float = 0.0
    """Bytes on the link for one byte of each flow."""
    after: int = -1
    before: int = -1


@dataclass(slots=True)
class Node:
    """What the pass may stop at: a link, or the limit of a class (its slot plus the number of links)."""

    key: float = 0.0
    heap: int = 0
    """The node that is at this place of the heap."""
    place: int = -1
    """Where this node is on the heap; -1 when it is not."""


class Net:
    """The rows of all links, classes, entries and nodes; gives out slots with their entries, and takes them back.

    Rows are objects in lists for plain Python, or records in numpy arrays for compiled code. Both hold the same
    numbers.
    """

    def __init__(self, capacity: Sequence[float]) -> None:
        self.links: Any = [Link(value) for value in capacity]
        self.flows: Any = []
        self.entries: Any = []
        self.nodes: Any = [Node() for _ in capacity]
        self.goals: Any = []
        """Nodes by slot: when each class reaches its goal (s)."""
        self._free: list[int] = []
        self._blocks: dict[int, list[int]] = {}
        self._used = 0

    def take(self, links: Sequence[int], usage: Sequence[float]) -> int:
        """Give out a slot, with an entry for each of ``links``."""
        if not self._free:
            before, after = len(self.flows), max(16, 2 * len(self.flows))
            self.flows = _longer(self.flows, Flows, after)
            self.nodes = _longer(self.nodes, Node, len(self.links) + after)
            self.goals = _longer(self.goals, Node, after)
            self._free.extend(range(after - 1, before - 1, -1))
        size = len(links)
        blocks = self._blocks.get(size)
        if blocks:
            start = blocks.pop()
        else:
            start, self._used = self._used, self._used + size
            if self._used > len(self.entries):
                self.entries = _longer(self.entries, Entry, max(64, 2 * self._used))
        slot = self._free.pop()
        self._write(slot, start, links, usage)
        return slot

    def give_back(self, slot: int) -> None:
        """Take a slot and its entries back."""
        self._free.append(slot)
        start, size = (self.flows[slot][name] if self.packed else getattr(self.flows[slot], name) for name in _BLOCK)
        self._blocks.setdefault(int(size), []).append(int(start))

    @property
    def packed(self) -> bool:
        """Whether the rows are records of arrays."""
        return isinstance(self.links, np.ndarray)

    def pack(self) -> None:
        """Turn the lists into arrays, with the same numbers, for compiled code."""
        self.links = _array(self.links, Link)
        self.flows = _array(self.flows, Flows)
        self.entries = _array(self.entries, Entry)
        self.nodes = _array(self.nodes, Node)
        self.goals = _array(self.goals, Node)

    def moved(self, count: int) -> tuple[list[int], list[float]]:
        """Return the first ``count`` slots that the sweep lists, and their rates."""
        flows = self.flows
        if self.packed:
            slots = flows["moved"][:count]
            return slots.tolist(), flows["rate"][slots].tolist()
        found = [row.moved for row in flows[:count]]
        return found, [flows[slot].rate for slot in found]

    def _write(self, slot: int, start: int, links: Sequence[int], usage: Sequence[float]) -> None:
        if self.packed:
            rows = self.entries[start : start + len(links)]
            rows["link"], rows["usage"], rows["slot"] = links, usage, slot
            self.flows["start"][slot], self.flows["length"][slot] = start, len(links)
            return
        for entry, (link, crossings) in enumerate(zip(links, usage, strict=True), start):
            row = self.entries[entry]
            row.link, row.usage, row.slot = link, crossings, slot
        self.flows[slot].start, self.flows[slot].length = start, len(links)


_BLOCK = ("start", "length")


def _longer(rows: Any, kind: type[Any], length: int) -> Any:
    more = length - len(rows)
    if isinstance(rows, list):
        rows.extend(kind() for _ in range(more))
        return rows
    return np.concatenate([rows, np.repeat(_array([kind()], kind), more)])


def _array(rows: list[Any], kind: type[Any]) -> Any:
    """Return rows as an array of records."""
    names = [(field.name, _TYPES[str(field.type)]) for field in fields(kind)]
    array = np.empty(len(rows), dtype=np.dtype(names, align=True))
    for name, _ in names:
        array[name] = [getattr(row, name) for row in rows]
    return array


_TYPES: dict[str, Any] = {"float": np.float64, "int": np.int32, "bool": np.bool_}
