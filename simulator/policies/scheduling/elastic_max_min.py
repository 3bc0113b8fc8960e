"""Equal numbers of accelerators for elastic jobs."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView, schedulers
from simulator.policies.elastic.rounds import Rounds, Wish
from simulator.policies.elastic.sizes import Servers, span
from simulator.workload.jobs import Job, State


@schedulers.register("elastic-max-min")
class ElasticMaxMin(Rounds):
    """Equal numbers of accelerators for elastic jobs, whatever they make of them: max-min fair, the plainest baseline.

    Every job gets the fewest that it can run on, in the order of submission, then one after the other goes to who has
    fewest, within what each can use (progressive filling; Bertsekas and Gallager, Data Networks, 1992, sec. 6.5.2).
    """

    name = "elastic-max-min"

    def __init__(self, interval: Seconds = 60.0) -> None:
        super().__init__(interval)

    def wishes(self, view: ClusterView, jobs: list[Job]) -> Mapping[Job, Wish]:
        """Fill up evenly."""
        free = Servers.of(view.nodes).capacity
        sizes = {job: max(1, int(job.held)) for job in jobs if job.state is State.RUNNING and not job.preemptible}
        free -= sum(sizes.values())
        growing = []
        for job in jobs:
            least, most = span(job)
            if job not in sizes:
                sizes[job] = least if least <= free else 0
                free -= sizes[job]
                if 0 < sizes[job] < most:
                    growing.append(job)
        while free > 0 and growing:
            job = min(growing, key=lambda each: (sizes[each], each.sequence))
            sizes[job] += 1
            free -= 1
            if sizes[job] == span(job)[1]:
                growing.remove(job)
        return {job: Wish(sizes[job]) for job in jobs}
