"""Links and the flow classes on them, as flat arrays: what the sweep of ``fairshare_sweep`` works on."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import Any, NamedTuple

import numpy as np


class Net(NamedTuple):
    """Arrays by link, by slot (a slot is the place of one class of flows), and by entry (one link of one class).

    The entries of a class lie side by side, those of a link are a chain. Each field is a list, or a numpy array for
    compiled code; both hold the same numbers and are worked on by the same code. Rates in bytes/s. Machine code of the
    sweep that is kept on disk is told apart by that file alone: who changes the fields here touches it too.
    """

    # by link
    capacity: MutableSequence[float]
    binds: MutableSequence[bool]
    """Whether the link can hold anybody back: not if it can carry all its flows at their limits."""
    first: MutableSequence[int]
    """First entry of the chain; -1 for none."""
    full: MutableSequence[bool]
    listed: MutableSequence[bool]
    queue: MutableSequence[int]
    # by slot
    start: MutableSequence[int]
    """First entry of the class."""
    length: MutableSequence[int]
    """Links of the class."""
    flows: MutableSequence[float]
    """How many flows the class counts."""
    limit: MutableSequence[float]
    rate: MutableSequence[float]
    held: MutableSequence[int]
    """The link that holds the class back, or -1."""
    part: MutableSequence[int]
    fresh: MutableSequence[float]
    holder: MutableSequence[int]
    moved: MutableSequence[int]
    # by entry
    link: MutableSequence[int]
    slot: MutableSequence[int]
    usage: MutableSequence[float]
    after: MutableSequence[int]
    """Next entry in the chain of the link; -1 at its end."""
    before: MutableSequence[int]
    # by node: a link, or the limit of a slot (its number plus that of links)
    key: MutableSequence[float]
    heap: MutableSequence[int]
    place: MutableSequence[int]
    """Where the node is on the heap; -1 when it is not."""


_LINK: dict[str, Any] = {"capacity": 0.0, "binds": False, "first": -1, "full": False, "listed": False, "queue": 0}
_SLOT: dict[str, Any] = {
    "start": 0, "length": 0, "flows": 0.0, "limit": math.inf, "rate": 0.0, "held": -1, "part": 0, "fresh": 0.0,
    "holder": -1, "moved": 0,
}  # fmt: skip
_ENTRY: dict[str, Any] = {"link": 0, "slot": 0, "usage": 0.0, "after": -1, "before": -1}
_NODE: dict[str, Any] = {"key": 0.0, "heap": 0, "place": -1}
_EMPTY = _LINK | _SLOT | _ENTRY | _NODE


class Store:
    """A ``Net`` that grows: gives out slots and entries, and takes them back."""

    net: Net
    """The arrays as they are now; growing may replace them."""

    def __init__(self, capacity: Sequence[float]) -> None:
        links = len(capacity)
        lists: dict[str, list[Any]] = {name: [value] * links for name, value in (_LINK | _NODE).items()}
        lists |= {name: [] for name in (*_SLOT, *_ENTRY)}
        lists["capacity"] = [float(value) for value in capacity]
        self.net = Net(**lists)
        self._slots: list[int] = []
        self._blocks: dict[int, list[int]] = {}
        self._used = 0

    def take(self, links: Sequence[int], usage: Sequence[float]) -> int:
        """Give out a slot, with an entry for each of ``links``."""
        if not self._slots:
            self._grow_slots()
        size = len(links)
        blocks = self._blocks.get(size)
        if blocks:
            start = blocks.pop()
        else:
            start, self._used = self._used, self._used + size
            if self._used > len(self.net.link):
                self._grow(_ENTRY, self._used)
        slot = self._slots.pop()
        net = self.net
        net.start[slot], net.length[slot] = start, size
        for entry, (link, crossings) in enumerate(zip(links, usage, strict=True), start):
            net.link[entry], net.usage[entry], net.slot[entry] = link, crossings, slot
        return slot

    def give_back(self, slot: int) -> None:
        """Take a slot and its entries back."""
        self._slots.append(slot)
        self._blocks.setdefault(int(self.net.length[slot]), []).append(int(self.net.start[slot]))

    def to_arrays(self) -> None:
        """Turn the lists into numpy arrays, with the same numbers, for compiled code."""
        fields: Any = {name: np.array(field, dtype=_dtype(name)) for name, field in self.net._asdict().items()}
        self.net = Net(**fields)

    def _grow_slots(self) -> None:
        before = len(self.net.rate)
        after = max(16, 2 * before)
        self._grow(_SLOT, after)
        self._grow(_NODE, len(self.net.capacity) + after)
        self._slots.extend(range(after - 1, before - 1, -1))

    def _grow(self, fields: Sequence[str] | dict[str, Any], least: int) -> None:
        """Make ``fields`` at least twice as long, or long enough."""
        changed: dict[str, Any] = {}
        for name in fields:
            old: Any = getattr(self.net, name)
            more = max(least, 2 * len(old)) - len(old) if fields is _ENTRY else least - len(old)
            if isinstance(old, list):
                old.extend([_EMPTY[name]] * more)
            else:
                changed[name] = np.concatenate([old, np.full(more, _EMPTY[name], dtype=old.dtype)])
        if changed:
            self.net = self.net._replace(**changed)


def _dtype(name: str) -> Any:
    return np.dtype(type(_EMPTY[name]))
