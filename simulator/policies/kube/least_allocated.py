"""NodeResourcesFit with LeastAllocated."""

from __future__ import annotations

import numpy as np

from simulator.policies.kube import MOST, Situation, scores


@scores.register("least-allocated")
def least_allocated(situation: Situation) -> np.ndarray:
    """What is left of each resource, in percent: the emptier the better (``least_allocated.go``)."""
    return situation.mean(lambda there, used: np.maximum(there - used, 0.0) * MOST // there)
