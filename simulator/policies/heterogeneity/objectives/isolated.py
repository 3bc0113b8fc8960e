"""An equal part of every type for every job."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, equal_share


@objectives.register("isolated")
def isolated(task: Problem) -> np.ndarray:
    """Every job gets an equal part of every type, as if the cluster were cut up (Gavel, ``policies/isolated.py``)."""
    return np.where(task.pace > 0, equal_share(task), 0.0)
