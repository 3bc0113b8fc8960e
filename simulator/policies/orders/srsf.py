"""Shortest remaining service first."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.policies.api import ClusterView
from simulator.policies.order import Key, Keyed, Order
from simulator.policies.orders import orders
from simulator.workload.jobs import Job


def service_in_queue(job: Job) -> float:
    """Accelerator-seconds still to run of a job that waits."""
    return job.accelerators * (job.estimate - job.done)


@orders.register("srsf")
class Srsf(Keyed):
    """Those with the fewest accelerator-seconds left to run first, by estimate.

    The yardstick that knows all in Gu et al., "Tiresias" (NSDI 2019), there ``shortest-gpu`` in the simulator.
    """

    def __init__(self) -> None:
        super().__init__(service_in_queue, "srsf")

    def rank(self, view: ClusterView) -> Key:
        """Accelerator-seconds left, of jobs that run too."""
        return lambda job: job.accelerators * view.remaining(job)

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, those with most left in front: wide ones overtake narrow ones as they run."""
        return Order.worst(self, view)
