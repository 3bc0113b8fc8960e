"""Minimum-cost matching of jobs to accelerators and places in their queues."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def queues(seconds: Array, gang: Array, free: Array) -> list[tuple[int, int, int]]:
    """Match every job to a type and a place from the end of its queue: (row, type, k), k from 1 for who runs last.

    ``seconds`` (jobs, types) is the length of a job on a type, infinite where it does not run; ``free`` (types,) counts
    the accelerators, each with a queue of its own. Minimises the sum of k x length x ``gang``, which for jobs of one
    accelerator is the sum of completion times (Le et al., AlloX, EuroSys 2020, section 3). Accelerators of a type are
    alike, so all their k-th places are one column repeated, and no queue of a type needs more than jobs / accelerators
    places, rounded up. Jobs that run nowhere are left out.
    """
    from scipy.optimize import linear_sum_assignment

    usable = np.flatnonzero(free >= 1)
    rows = np.flatnonzero(np.isfinite(seconds[:, usable]).any(axis=1)) if len(usable) else np.zeros(0, dtype=np.int64)
    if not len(rows):
        return []
    kinds, places = [], []
    for kind in usable.tolist():
        machines = int(free[kind])
        depth = math.ceil(len(rows) / machines)
        kinds.append(np.full(machines * depth, kind))
        places.append(np.repeat(np.arange(1, depth + 1), machines))
    kind_of, place_of = np.concatenate(kinds), np.concatenate(places)
    length = seconds[rows] * gang[rows][:, None]
    worst = 1.0 + np.where(np.isfinite(length), length, 0.0).max() * (len(rows) + 1) * len(rows)
    cost = np.where(np.isfinite(length[:, kind_of]), length[:, kind_of] * place_of, worst)
    chosen, slots = linear_sum_assignment(cost)
    return [
        (int(rows[row]), int(kind_of[slot]), int(place_of[slot]))
        for row, slot in zip(chosen.tolist(), slots.tolist(), strict=True)
        if math.isfinite(seconds[rows[row], kind_of[slot]])
    ]


def next_up(seconds: Array, gang: Array, free: Array) -> list[tuple[int, int]]:
    """Who starts now: (row, type) of the jobs at the heads of their queues, in the order of rows.

    Heads are those with the largest k; as many as there are accelerators, gangs counted with all of theirs.
    """
    matched = queues(seconds, gang, free)
    left = free.copy()
    heads = []
    for row, kind, _ in sorted(matched, key=lambda match: (-match[2], match[0])):
        if gang[row] <= left[kind]:
            left[kind] -= gang[row]
            heads.append((row, kind))
    return sorted(heads)
