"""NodeResourcesFit with MostAllocated."""

from __future__ import annotations

import numpy as np

from simulator.policies.kube import MOST, Situation, scores


@scores.register("most-allocated")
def most_allocated(situation: Situation) -> np.ndarray:
    """What is used of each resource, in percent: the fuller the better (``most_allocated.go``)."""
    return situation.mean(lambda there, used: np.minimum(used, there) * MOST // there)
