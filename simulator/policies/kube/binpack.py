"""Binpack of Volcano."""

from __future__ import annotations

import numpy as np

from simulator.policies.kube import MOST, Situation, scores


@scores.register("binpack")
def binpack(situation: Situation) -> np.ndarray:
    """What is used of each resource that the pod asks for, in percent, not rounded (Volcano, ``binpack.go``)."""
    total, weight = np.zeros(len(situation.servers)), 0.0
    for name, counts in situation.weights.items():
        there, used, wanted = situation.resource(name)
        if wanted:
            total += counts * used / np.where(there > 0, there, 1.0)
            weight += counts
    packed: np.ndarray = MOST * total / weight if weight else total
    return packed
