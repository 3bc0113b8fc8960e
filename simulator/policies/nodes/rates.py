"""How many nodes a minute may change their state, counted as Slurm counts them."""

from __future__ import annotations

import math


class Rate:
    """At most ``limit`` changes a minute, 0 for any number.

    Changes count in full when they are made and fade in proportion: after a scan ``t`` seconds later a share of
    ``t / 60`` is forgotten. So a limit lets a burst through, and then a steady trickle. Source: SchedMD/slurm,
    src/slurmctld/power_save.c (``_do_power_work``, 23.02).
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.reset()

    def reset(self) -> None:
        """Forget all changes."""
        self._count, self._last = 0.0, -math.inf

    def left(self, now: float) -> float:
        """Begin a scan; return how many changes it may make."""
        gone = now - self._last
        self._count = 0.0 if gone >= 60.0 else self._count * (60.0 - gone) / 60.0
        self._last = now
        return math.inf if self._limit == 0 else max(self._limit - math.floor(self._count + 0.5), 0.0)

    def add(self, changes: int) -> None:
        """Note changes that the scan makes."""
        self._count += changes
