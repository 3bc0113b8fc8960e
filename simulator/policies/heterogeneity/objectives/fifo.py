"""First come, first served, each on the best type that is left."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.objectives import objectives, traits
from simulator.policies.heterogeneity.problem import Problem


@objectives.register("fifo")
@traits(conserving=False)
def fifo(task: Problem) -> np.ndarray:
    """In the order of arrival, each job gets the fastest type that still holds it, until one finds none.

    Source: Gavel (OSDI 2020), ``policies/fifo.py`` in its heterogeneity-aware form: jobs are assigned anew at each
    change, so that they move to faster types as those become free. Among equal paces the emptiest type is taken.
    """
    shares = np.zeros_like(task.pace)
    left = task.capacity.copy()
    total = np.maximum(task.capacity, 1.0)
    for job, (pace, gang) in enumerate(zip(task.pace, task.gang.tolist(), strict=True)):
        fits = (left >= gang) & (pace > 0)
        if not fits.any():
            if (pace > 0).any():
                break
            continue
        best = int(np.lexsort((-left / total, -pace, ~fits))[0])
        shares[job, best] = 1.0
        left[best] -= gang
    return shares
