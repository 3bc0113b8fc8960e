"""Fair share with decay."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.core.units import Seconds
from simulator.policies.api import schedulers
from simulator.policies.backfill import easy
from simulator.policies.composed import Composed
from simulator.policies.fairness import PERIOD, WEEK
from simulator.policies.orders import fair_share


@schedulers.register("fair-share")
class FairShare(Composed):
    """Users who used least of their share lately first, with EASY backfilling, as Slurm's fair share alone.

    ``shares`` of tenants, ``algorithm`` (``fair-tree`` or ``classic``), ``half_life``, ``period`` and ``dampening`` are
    those of the order ``fair-share``, ``depth`` and ``estimates`` those of EASY.
    """

    def __init__(
        self,
        shares: Mapping[str, float] | None = None,
        algorithm: str = "fair-tree",
        half_life: Seconds = WEEK,
        period: Seconds = PERIOD,
        dampening: float = 1.0,
        depth: int = 0,
        estimates: str = "user",
    ) -> None:
        order = fair_share.FairShare(shares, algorithm, half_life, period, dampening)
        super().__init__(order, easy.Easy(depth, estimates), name="fair-share")
