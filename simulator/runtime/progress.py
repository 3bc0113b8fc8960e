"""What a running job has behind it."""

from __future__ import annotations

import math

from simulator.runtime.pattern import Pattern
from simulator.workload.jobs import Job, State


def elapse(job: Job, now: float) -> float:
    """Bring a running job's clock (``since``, ``ran``) up to ``now`` (s); return what its restart leaves for work.

    What is left of a restart passes first, and is counted as overhead.
    """
    elapsed = now - job.since
    job.since = now
    job.ran += elapsed
    if job.restarting > 0:
        lost = min(elapsed, job.restarting)
        job.restarting -= lost
        job.overhead += lost
        elapsed -= lost
    return elapsed


def rework(job: Job, before: Pattern, after: Pattern) -> None:
    """Count the work of a job by another pattern of the same iterations."""
    if 0 < before.base < math.inf and 0 < after.base < math.inf:
        job.done *= after.base / before.base
    job.work = after.work


def progress(job: Job, now: float) -> float:
    """Seconds of work, as if alone, that a job has done until ``now``."""
    if job.state is not State.RUNNING:
        return job.done
    return job.done + max(0.0, now - job.since - job.restarting) * job.speed
