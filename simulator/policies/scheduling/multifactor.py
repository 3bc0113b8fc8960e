"""Slurm's priorities and backfilling."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.core.units import Seconds
from simulator.policies.api import schedulers
from simulator.policies.backfill import easy
from simulator.policies.composed import Composed
from simulator.policies.fairness import PERIOD, WEEK
from simulator.policies.orders import multifactor


@schedulers.register("multifactor")
class MultifactorScheduler(Composed):
    """Slurm's multifactor priority (age, fair share, size, partition, quality of service) with EASY backfilling.

    Weights and parameters are those of the order ``multifactor``, ``depth`` and ``estimates`` those of EASY. Slurm's
    own backfilling reserves for more than the head: for that, compose ``multifactor`` with ``conservative``.
    """

    def __init__(
        self,
        age: float = 1000.0,
        fair_share: float = 10_000.0,
        job_size: float = 0.0,
        partition: float = 1000.0,
        qos: float = 0.0,
        max_age: Seconds = WEEK,
        favor_small: bool = False,
        partitions: Mapping[str, float] | None = None,
        top_priority: float = 1.0,
        shares: Mapping[str, float] | None = None,
        algorithm: str = "fair-tree",
        half_life: Seconds = WEEK,
        period: Seconds = PERIOD,
        depth: int = 0,
        estimates: str = "user",
    ) -> None:
        order = multifactor.Multifactor(
            age, fair_share, job_size, partition, qos, max_age, favor_small, partitions, top_priority, shares,
            algorithm, half_life, period,
        )  # fmt: skip
        super().__init__(order, easy.Easy(depth, estimates), name="multifactor")
