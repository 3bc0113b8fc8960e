"""What a running job has behind it."""

from __future__ import annotations

import math

from simulator.runtime.pattern import Pattern
from simulator.workload.jobs import Job


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
