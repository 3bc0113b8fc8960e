"""Schedulers of elastic jobs against Pollux's published comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from statistics import fmean
from typing import Any

from simulator.cluster.topology import Topology
from simulator.experiment.validate import Row, areas, row
from simulator.policies.api import ClusterView, Scheduler, placers, schedulers
from simulator.policies.order import Order
from simulator.runtime.simulation import Simulation
from simulator.workload.generate import generate
from simulator.workload.jobs import Job

SEEDS = 4
SERVERS, PER_SERVER = 16, 4
PUBLISHED = {
    0.5: {"pollux": 1534.0, "tiresias": 2091.0, "optimus": 2395.0},
    1.0: {"pollux": 2751.0, "tiresias": 4038.0, "optimus": 5682.0},
    1.5: {"pollux": 3685.0, "tiresias": 6182.0, "optimus": 7235.0},
    2.0: {"pollux": 5289.0, "tiresias": 10040.0, "optimus": 9721.0},
}
"""Mean completion time (s) of 8 workloads by relative load: the numbers behind figure 8a of the paper."""
SOURCE = "Qiao et al., Pollux, OSDI 2021, fig. 8a; petuum/adaptdl, osdi21-artifact, simulator/results-jobload"
BOUND = 0.35
"""Of a mean and of a ratio of two: a workload has about three of the largest jobs, which are a third of all work."""


@areas.register("elastic")
def elastic() -> Iterator[Row]:
    """Goodput beats service beats marginal gain at normal load; the last two change places at twice the load."""
    for load in (1.0, 2.0):
        known, case = PUBLISHED[load], f"elastic jobs, load {load:g}"
        found = {name: mean_jct(name, load) for name in known}
        for name, reference in known.items():
            yield row("elastic", case, f"jct.mean, {name}", "s", reference, SOURCE, found[name], BOUND)
        for one, other in (("tiresias", "pollux"), ("optimus", "tiresias")):
            reference, ratio = known[one] / known[other], found[one] / found[other]
            yield row("elastic", case, f"jct.mean, {one} / {other}", "", reference, SOURCE, ratio, BOUND)


@cache
def mean_jct(name: str, load: float, seeds: int = SEEDS) -> float:
    """Return the mean completion time (s) of 160 x ``load`` jobs in 8 h on 16 servers of 4, over ``seeds`` workloads.

    Jobs choose their batch under ``pollux``; under the others they keep the one that their user tuned, and under
    ``tiresias`` the number of accelerators too.
    """
    return fmean(_run(name, load, seed) for seed in range(seeds))


class ServiceQueues(Order):
    """Tiresias as that comparison had it: two queues, divided at 16 accelerator-hours, each first in first out.

    Unlike in ``tiresias`` a job that runs gives way to one of its queue that came earlier (artifact, ``tiresias.py``).
    """

    name = "tiresias"
    interval = 60.0
    threshold = 16 * 3600.0

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, by queue and order of submission."""
        return view.queue.by(self._key)

    def rank(self, view: ClusterView) -> Callable[[Job], Any]:
        """Queue and order of submission at this moment."""
        return lambda job: (view.attained(job) * job.accelerators >= self.threshold, job.sequence)

    def _key(self, job: Job) -> Any:
        return (job.ran * job.accelerators >= self.threshold, job.sequence)


def scheduler(name: str) -> Scheduler:
    """Make one of the three schedulers of the comparison, as they are there."""
    if name == "tiresias":
        return schedulers.get("composed")(order=ServiceQueues(), backfill="fill", preempt=True)
    return schedulers.get(name)()


def cluster() -> Topology:
    """Return the servers of the comparison, without a network."""
    return Topology.from_links([], {f"node-{index}": {"accelerators": PER_SERVER} for index in range(SERVERS)})


def _run(name: str, load: float, seed: int) -> float:
    batch = "adaptive" if name == "pollux" else "tuned"
    trace = generate("pollux-like", jobs=round(160 * load), seed=seed, load=load, batch=batch)
    simulation = Simulation(
        topology=cluster(), jobs=trace.jobs(), scheduler=scheduler(name), placer=placers.get("pack")(), seed=seed
    )
    jobs = simulation.run().tables["jobs"]
    return float((jobs["end"] - jobs["submit"]).mean())
