"""Highest priority first."""

from __future__ import annotations

from simulator.policies.lineups import Ranked
from simulator.policies.serving import lineups
from simulator.workload.requests import Request


def _rank(request: Request) -> tuple[float, float]:
    return -request.priority, request.arrival


@lineups.register("priority")
class Priority(Ranked):
    """The highest priority first, then the earliest arrival; the lowest and latest of those who run is preempted first.

    vLLM 0.19 with ``--scheduling-policy priority`` (``PriorityRequestQueue``, and ``max(self.running, key=(priority,
    arrival_time))`` for the victim). There a *lower* number goes first; here a higher one does, as everywhere in this
    project. Who waits never preempts who runs, in both. Ties by the order in which they came to the replica.
    """

    def __init__(self) -> None:
        super().__init__(_rank)
