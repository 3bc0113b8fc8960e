"""What a running job has behind it."""

from __future__ import annotations

import math

from simulator.cluster.allocation import Allocator
from simulator.runtime.pattern import Pattern
from simulator.workload.jobs import Job, State
from simulator.workload.speedup import Given

_RUNNING = State.RUNNING


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
    if job.state is not _RUNNING:
        return job.done
    return job.done + max(0.0, now - job.since - job.restarting) * job.speed


def fraction_of(job: Job, done: float) -> float:
    """Share of a job, 0 to 1, of which ``done`` seconds of work, on what it had last, are behind it."""
    if job.speedup is not None and job.given is not None:
        return job.speedup.fraction(job.given, done)
    return min(1.0, done / job.work) if 0 < job.work < math.inf else 0.0


def given_to(job: Job, nodes: Allocator) -> Given:
    """What a placed job runs on; of several types of accelerators the one on which it is slowest counts."""
    types = list(dict.fromkeys([nodes.types[server] for server, _ in job.placement]))
    options = [Given(job.held, len(job.placement), kind) for kind in types]
    if len(options) == 1 or job.speedup is None:
        return options[0]
    return max(options, key=job.speedup.seconds)


def repace(job: Job, nodes: Allocator) -> None:
    """Count the work of a job with a ``Speedup`` by what it has now; the fraction that is done stays the same."""
    assert job.speedup is not None
    fraction = fraction_of(job, job.done)
    job.given = given_to(job, nodes)
    job.work = job.speedup.seconds(job.given)
    job.done = job.speedup.seconds(job.given, fraction) if fraction else 0.0


def busy(job: Job) -> float:
    """Seconds of running, before ``since``, that went into work which still counts."""
    return job.ran - job.overhead - job.lost - job.checkpointing - job.hung


def lose_since_checkpoint(job: Job) -> None:
    """Take the work since the last checkpoint from a job that has just been stopped.

    Checkpoints lie ``job.checkpoint`` seconds of work apart; the seconds of running that went into what is lost are
    rework, counted at the last speed, or at the mean one where it stood still.
    """
    kept = 0.0
    if job.checkpoint < math.inf:  # a job that was stopped as it began may be a rounding error behind its beginning
        kept = max(0.0, math.floor(job.done / job.checkpoint * (1 + 1e-12)) * job.checkpoint)
    spent = busy(job)
    if job.done > kept:
        seconds = (job.done - kept) / job.speed if job.speed > 0 else spent * (1.0 - kept / job.done)
        job.lost += min(spent, seconds)
    job.done = kept
