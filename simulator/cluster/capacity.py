"""What servers could hold if they were empty."""

from __future__ import annotations

import math

import numpy as np

from simulator.cluster.shares import MILLI

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Accelerators, thousandths of cores and bytes of memory of each server; arrays of shape (servers,)."""


def holds(there: Arrays, wanted: tuple[float, float, float], right: np.ndarray, servers: int = 0) -> bool:
    """Whether at most ``servers`` (0: any number) of the ``right`` ones, empty, hold what is ``wanted``.

    That is accelerators, cores and memory (bytes) of one job; what is split goes in proportion to the accelerators.
    """
    accelerators, cores, memory = wanted[0], round(wanted[1] * MILLI, 0), round(wanted[2], 0)
    total, all_cores, all_memory = there
    if accelerators <= 1 or servers == 1:
        one = right & (total >= math.ceil(accelerators))
        return bool((one & (all_cores >= cores) & (all_memory >= memory)).any())
    room = total.astype(float)
    for needed, has in ((cores, all_cores), (memory, all_memory)):
        if needed:
            room = np.minimum(room, np.floor(has * (accelerators / needed) * (1 + 1e-12)))
    largest = np.sort(room[right])[::-1][: servers or None]
    return bool(largest.sum() >= accelerators)


def by_type(types: np.ndarray, total: np.ndarray, up: np.ndarray) -> dict[str, int]:
    """Accelerators of the servers that are up, by type, in the order of the servers."""
    counts: dict[str, int] = {}
    for name, count in zip(types.tolist(), (total * up).tolist(), strict=True):
        counts[name] = counts.get(name, 0) + count
    return counts
