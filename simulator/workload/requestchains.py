"""Requests that wait for others: chains and trees of them, as places in a log."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.core.errors import InputError


def check_chains(name: str, parents: np.ndarray, rows: np.ndarray) -> None:
    """Raise ``InputError`` unless ``parents`` are places of the log or -1, and no request waits for itself.

    ``rows`` are the row numbers to call requests by. Cycles are found by doubling: after k steps each request holds
    its predecessor 2^k generations before, and a tree of n requests has fewer than n.
    """
    count = len(parents)
    outside = np.flatnonzero((parents < -1) | (parents >= count))
    if len(outside):
        at = outside[0]
        raise InputError(f"log {name!r}: row {rows[at]} waits for place {parents[at]}, of {count:,}")
    before = parents
    for _ in range(count.bit_length() + 1):
        waiting = before >= 0
        if not waiting.any():
            return
        before = np.where(waiting, before[np.where(waiting, before, 0)], -1)
    at = int(before[before >= 0][0])
    raise InputError(f"log {name!r}: row {rows[at]} waits for itself, over the requests that it waits for")


def renumbered(parents: np.ndarray, rows: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """Return ``parents`` (old places, of the requests kept) as places among ``rows``, the old places that are kept.

    ``count`` is how many requests there were. -1 for those whose predecessor is gone; the second value counts them.
    """
    places = np.full(count + 1, -1, dtype=np.int64)
    places[rows] = np.arange(len(rows))
    found = places[parents]  # -1 finds the last place, which is -1 always
    return found, int(np.sum((parents >= 0) & (found < 0)))


class Chains(NamedTuple):
    """What the chains of a log are like."""

    roots: int
    """Requests that wait for nobody, and that others wait for."""
    waiting: int
    """Requests that wait for another."""
    longest: int
    """Requests in the longest chain; 1 without any that wait."""
    widest: int
    """Most requests that wait for the same one."""


def chains(parents: np.ndarray | None, count: int) -> Chains:
    """Return how many requests wait for others, and how deep and wide these trees are."""
    if parents is None or not (parents >= 0).any():
        return Chains(0, 0, 1 if count else 0, 0)
    children = np.bincount(parents[parents >= 0], minlength=count)
    depth, before = np.ones(count, dtype=np.int64), parents
    while (before >= 0).any():
        at = np.where(before >= 0, before, 0)
        depth = depth + np.where(before >= 0, depth[at], 0)
        before = np.where(before >= 0, before[at], -1)
    roots = int(np.sum((parents < 0) & (children > 0)))
    return Chains(roots, int((parents >= 0).sum()), int(depth.max()), int(children.max()))
