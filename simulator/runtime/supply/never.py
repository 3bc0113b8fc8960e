"""Jobs that waited to the end for nodes that they never got, and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from simulator.core.units import format_quantity
from simulator.runtime.supply.pool import Pool
from simulator.runtime.supply.sight import Sight
from simulator.workload.jobs import Job

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

FORBIDS = {
    "max": "has as many nodes as its max lets it",
    "quota": "has used up its quota",
    "stock": "gets no more nodes from its provider",
    "servers": "has no server left",
}
"""What is said of a group that may not grow, by the bound that forbids it."""
_NAMED = 3
"""Groups that a note names; ours."""


def never(simulation: Simulation, pool: Pool, sight: Sight) -> list[str]:
    """Return a sentence on the jobs that are in the queue at the end and have never run; none if there are none."""
    now = simulation.clock.now
    jobs = [job for job in simulation.view.queue if job.ran <= 0 and job.life is None]
    if not jobs:
        return []
    job = jobs[0]
    count = f"{len(jobs):,} jobs never got their nodes; the first, {job.id!r}," if len(jobs) > 1 else f"Job {job.id!r}"
    given = "" if len(jobs) > 1 else " never got its nodes: it"
    waited = format_quantity(now - job.since, "time", 3)
    return [
        f"{count}{given} waited {waited} for {job.accelerators:g} accelerators, and at the end "
        f"{simulation.nodes.capacity:g} were up: {_why(job, pool, sight)}."
    ]


def _why(job: Job, pool: Pool, sight: Sight) -> str:
    unfit = sight.unfit(job)
    if unfit:
        return unfit
    groups = sight.suited(job, job.accelerators, job.accelerators <= 1 or job.max_servers == 1)
    forbidden = {number: pool.room(number, 1)[1] for number in groups}
    may = [number for number, why in forbidden.items() if not why]
    if may:
        names = ", ".join(pool.groups[number].name for number in may[:_NAMED])
        more = f" and {len(may) - _NAMED} more" if len(may) > _NAMED else ""
        return f"{names}{more} could still grow, and nobody asked for that"
    counts = Counter(forbidden.values())
    named = {why: next(pool.groups[number].name for number in groups if forbidden[number] == why) for why in counts}
    return "; ".join(
        f"{named[why]}{f' and {count - 1} more groups' if count > 1 else ''} {FORBIDS[why]}"
        for why, count in counts.items()
    ) or "no group has nodes for it"  # fmt: skip
