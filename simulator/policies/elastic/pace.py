"""How fast a job comes forward on what it might be given, by its ``Speedup``."""

from __future__ import annotations

import math

from simulator.policies.api import ClusterView
from simulator.workload.jobs import Job, State
from simulator.workload.speedup import Given

_STRETCH = 1e-3
"""Share of the job over which its present pace is taken."""


def pace(job: Job, given: Given, fraction: float) -> float:
    """Share of the job that a second on ``given`` finishes, when ``fraction`` of it is done; 0 where it does not run.

    A job without a ``Speedup`` runs anywhere at the pace of its estimate.
    """
    if job.speedup is None:
        return 1.0 / job.estimate if job.estimate > 0 else 1.0
    low = min(max(fraction, 0.0), 1.0 - _STRETCH)
    high = low + _STRETCH
    seconds = job.speedup.seconds(given, high) - job.speedup.seconds(given, low)
    return _STRETCH / seconds if 0 < seconds < math.inf else 0.0


def left(view: ClusterView, job: Job, given: Given, fraction: float) -> float:
    """Seconds that the rest of the job takes on ``given``, restarts not counted; infinite where it does not run."""
    if job.speedup is None:
        return view.remaining(job)
    whole = job.speedup.seconds(given)
    return whole - job.speedup.seconds(given, fraction) if whole < math.inf else math.inf


def kind_of(view: ClusterView, job: Job) -> str:
    """Type of accelerator that a job is thought to run on: where it is, or the first that will do."""
    types = view.nodes.types
    if job.state is State.RUNNING and job.placement:
        return str(types[job.placement[0][0]])
    return job.accelerator_types[0] if job.accelerator_types else str(types[0])
