"""Optimus: accelerators go where they save most time."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView, schedulers
from simulator.policies.elastic.pace import kind_of, left
from simulator.policies.elastic.rounds import Rounds, Wish
from simulator.policies.elastic.sizes import Servers, span
from simulator.workload.jobs import Job, State
from simulator.workload.speedup import Given


@schedulers.register("optimus")
class Optimus(Rounds):
    """Sizes for elastic jobs by marginal gain (Optimus): one more accelerator to whom it saves most time.

    After Peng et al., "Optimus" (EuroSys 2018), with data-parallel workers only. First every job gets the fewest that
    it can run on, in the order of submission; then one after the other goes to the job whose predicted remaining time
    it shortens most, until it would shorten none. Remaining times are those of the jobs' speed models, as if learnt
    (Optimus+Oracle in Qiao et al., OSDI 2021); restarts are not weighed. ``interval`` is what that comparison takes.
    """

    name = "optimus"

    def __init__(self, interval: Seconds = 60.0) -> None:
        super().__init__(interval)

    def wishes(self, view: ClusterView, jobs: list[Job]) -> Mapping[Job, Wish]:
        """Give the fewest to all, then greedily."""
        servers = Servers.of(view.nodes)
        free = servers.capacity
        sizes: dict[Job, int] = {}
        pinned = [job for job in jobs if job.state is State.RUNNING and not job.preemptible]
        for job in pinned:
            sizes[job] = int(job.held) if job.held >= 1 else 1
            free -= sizes[job]
        for job in sorted(jobs, key=lambda each: (span(each)[0], each.sequence)):
            if job not in sizes:
                least = span(job)[0]
                sizes[job] = least if least <= free else 0
                free -= sizes[job]
        growing = [job for job, size in sizes.items() if 0 < size < span(job)[1] and job not in pinned]
        self._grow(view, growing, sizes, free, servers)
        return {job: Wish(sizes[job]) for job in jobs}

    def _grow(self, view: ClusterView, jobs: list[Job], sizes: dict[Job, int], free: int, servers: Servers) -> None:
        fractions = {job: view.fraction(job) for job in jobs}

        def seconds(job: Job, size: int) -> float:
            return left(view, job, Given(size, servers.needed(size), kind_of(view, job)), fractions[job])

        def gain(job: Job) -> float:
            return seconds(job, sizes[job]) - seconds(job, sizes[job] + 1)

        gains = [(-gain(job), job.sequence, job) for job in jobs]
        heapify(gains)
        while free > 0 and gains and gains[0][0] < 0:
            job = heappop(gains)[2]
            sizes[job] += 1
            free -= 1
            if sizes[job] < span(job)[1]:
                heappush(gains, (-gain(job), job.sequence, job))
