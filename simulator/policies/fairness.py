"""Fair-share factors of users, reckoned anew every so often."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.policies.api import ClusterView
from simulator.policies.usage import Group, Usage, classic, fair_tree, group
from simulator.workload.jobs import Job
from simulator.workload.options import one_of

WEEK = 604800.0
"""Seconds: Slurm's default PriorityDecayHalfLife and PriorityMaxAge (slurm.conf of 24.05)."""
PERIOD = 300.0
"""Seconds: Slurm's default PriorityCalcPeriod."""


class Factors:
    """Fair-share factor of each (tenant, user), from 0 to 1, the larger the less of its share was used lately.

    ``shares`` are those of the tenants (1 where nothing is said); users of a tenant share alike. ``algorithm`` is
    ``fair-tree`` or ``classic``, the latter with ``dampening`` d in F = 2^(-U / (S d)); see ``policies.usage``. Times
    in seconds.
    """

    def __init__(
        self, shares: Mapping[str, float], algorithm: str, half_life: float, period: float, dampening: float
    ) -> None:
        if not 0 < period < math.inf:
            raise ValueError(f"period is {period:g} s; it must be a finite number above 0")
        if not 0 < dampening < math.inf:
            raise ValueError(f"dampening is {dampening:g}; it must be a finite number above 0")
        self.shares = checked_shares(shares)
        self.tree = one_of("algorithm", algorithm, ("fair-tree", "classic")) == "fair-tree"
        self.period, self.dampening = period, dampening
        self._usage = Usage(half_life)
        self.clear()

    def clear(self) -> None:
        """Forget the run before."""
        self._usage.clear()
        self._due = 0.0
        self.of: dict[Group, float] = {}
        """The factors as of the last reckoning."""

    def join(self, job: Job) -> None:
        """Note whose job comes; somebody new is reckoned with at the next pass."""
        if group(job) not in self.of:
            self._due = 0.0
        self._usage.join(job)

    def leave(self, job: Job) -> None:
        """Charge what an ended job ran."""
        self._usage.leave(job)

    def renew(self, view: ClusterView) -> bool:
        """Reckon anew if it is time to; return whether that was done."""
        if view.now < self._due:
            return False
        self._due = view.now + self.period * (1 - 1e-9)
        self._usage.update(view)
        usage = self._usage.of
        self.of = fair_tree(usage, self.shares) if self.tree else classic(usage, self.shares, self.dampening)
        return True


def checked_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Return shares of tenants; raise ``ValueError`` for one that is no number above 0."""
    for tenant, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < math.inf:
            raise ValueError(f"shares of {tenant!r} is {share!r}; it must be a finite number above 0")
    return {str(tenant): float(share) for tenant, share in shares.items()}
