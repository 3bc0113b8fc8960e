"""Weighted fair queueing over tenants."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.policies.api import schedulers
from simulator.policies.composed import Composed
from simulator.policies.orders import wfq


@schedulers.register("wfq")
class Wfq(Composed):
    """Tenants in turn, each by the accelerator-seconds that it asks for and its weight; the head blocks the rest.

    Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996); ``weights`` of tenants are 1 where nothing is said.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        super().__init__(wfq.Wfq(weights), name="wfq")
