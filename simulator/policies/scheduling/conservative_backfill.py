"""Conservative backfilling."""

from __future__ import annotations

from simulator.policies.api import schedulers
from simulator.policies.backfill import conservative
from simulator.policies.composed import Composed


@schedulers.register("conservative-backfill")
class ConservativeBackfill(Composed):
    """FIFO in which later jobs may pass if, by the estimates, they delay nobody that came before.

    Source: Mu'alem and Feitelson (IEEE TPDS 2001). Every waiting job has a reservation, the first ``depth`` of them
    where that is above 0; ``estimates`` are ``user``, ``predicted`` or ``exact``.
    """

    def __init__(self, depth: int = 0, estimates: str = "user") -> None:
        super().__init__("fifo", conservative.Conservative(depth, estimates), name="conservative-backfill")
