"""Total throughput, whoever gets it."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, proportional
from simulator.policies.heterogeneity.program import Program


@objectives.register("throughput")
def throughput(task: Problem) -> np.ndarray:
    """The sum of all paces is as large as possible, each counted in what the job would have on a mix of all types.

    Source: Gavel (OSDI 2020), ``policies/max_sum_throughput.py``, which adds steps per second of unlike models; counted
    in multiples of ``proportional`` and weights they are comparable.
    """
    gain = task.pace * (task.weight / proportional(task))[:, None]
    found = Program(task).maximise(gain, np.zeros(0))
    return np.zeros_like(task.pace) if found is None else found.shares
