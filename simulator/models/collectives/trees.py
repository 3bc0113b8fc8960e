"""Double binary trees over domains as NCCL lays them (Sanders, Speck and Traeff 2009; NVIDIA/nccl trees.cc)."""

from __future__ import annotations

import math
from functools import lru_cache


@lru_cache(maxsize=256)
def binary_tree(count: int) -> tuple[tuple[int, int], ...]:
    """Return (child, parent) of each of ``count`` nodes but the root: odd nodes are leaves, powers of two go up.

    >>> binary_tree(4)
    ((1, 2), (2, 0), (3, 2))
    """
    edges = []
    for node in range(1, count):
        bit = node & -node
        up = (node ^ bit) | (bit << 1)
        edges.append((node, up if up < count else node ^ bit))
    return tuple(edges)


@lru_cache(maxsize=256)
def double_tree(count: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return two trees over the same nodes, so that an inner node of one is a leaf of the other.

    The second is the mirror image of the first for an even ``count``, and the first shifted by one for an odd one.
    """
    first = binary_tree(count)
    turned = [count - 1 - node if count % 2 == 0 else (node + 1) % count for node in range(count)]
    return first, tuple((turned[child], turned[parent]) for child, parent in first)


@lru_cache(maxsize=256)
def busiest(count: int) -> float:
    """Return the most that one node sends, one way, per byte that goes half through each tree, up and down.

    >>> [busiest(count) for count in (2, 3, 4, 8)]
    [1.0, 1.5, 2.0, 2.0]
    """
    degree = [0] * count
    for tree in double_tree(count):
        for child, parent in tree:
            degree[child] += 1
            degree[parent] += 1
    return max(degree) / 2


def depth(count: int) -> int:
    """Return the hops from the farthest leaf to the root."""
    return math.ceil(math.log2(count)) if count > 1 else 0
