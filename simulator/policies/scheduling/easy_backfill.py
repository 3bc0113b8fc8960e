"""EASY backfilling."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.backfill import easy
from simulator.policies.composed import Composed


@schedulers.register("easy-backfill")
class EasyBackfill(Composed):
    """FIFO in which later jobs may pass if, by the estimates, they do not delay the head of the queue (EASY).

    Source: Lifka, "The ANL/IBM SP scheduling system" (1995). The head gets a reservation at the earliest instant at
    which enough accelerators are expected to be free, counted over the whole cluster; a later job may start now if it
    ends by then, or if it takes only accelerators that the head will not need. ``depth`` limits how many waiting jobs
    are looked at in one pass (0: all of them); ``estimates`` are ``user``, ``predicted`` or ``exact``.
    """

    def __init__(self, depth: int = 0, estimates: str = "user") -> None:
        super().__init__("fifo", easy.Easy(depth, estimates), name="easy-backfill")
