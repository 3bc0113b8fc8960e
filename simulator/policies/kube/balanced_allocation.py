"""NodeResourcesBalancedAllocation."""

from __future__ import annotations

import numpy as np

from simulator.policies.kube import MOST, Situation, scores


@scores.register("balanced-allocation")
def balanced_allocation(situation: Situation) -> np.ndarray:
    """Cores, memory and accelerators used in like measure: 100 (1 - standard deviation of what is used).

    As ``balanced_allocation.go``: resources that a server does not have are left out, and a pod that asks for none of
    those that count is not scored.
    """
    fractions, has = [], []
    asked = 0.0
    for name in situation.weights:
        there, used, wanted = situation.resource(name)
        asked += wanted
        has.append(there > 0)
        fractions.append(np.minimum(used / np.where(there > 0, there, 1.0), 1.0))
    if not asked:
        return np.zeros(len(situation.servers))
    used_, there_ = np.array(fractions), np.array(has)
    count = np.maximum(there_.sum(axis=0), 1)
    mean = (used_ * there_).sum(axis=0) / count
    deviation = np.sqrt((((used_ - mean) ** 2) * there_).sum(axis=0) / count)
    score: np.ndarray = np.trunc((1 - deviation) * MOST)
    return score
