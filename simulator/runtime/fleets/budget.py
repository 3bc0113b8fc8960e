"""How many replicas of a fleet may be missing while one more is evicted: a PodDisruptionBudget."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """``maxUnavailable``, or with ``available`` ``minAvailable``: a number of replicas, or a share of the wanted ones.

    A share (``share``, 0 to 1) is rounded up for both, as Kubernetes 1.35 does (pkg/controller/disruption,
    ``getExpectedPodCount``, which calls ``GetScaledValueFromIntOrPercent`` with ``roundUp``).

    >>> Budget(0.1, share=True).missing(25), Budget(0.9, share=True, available=True).missing(25)
    (3, 2)
    """

    value: float
    share: bool = False
    available: bool = False

    def missing(self, wanted: int) -> int:
        """Most replicas that may be missing of ``wanted`` ones for another to go."""
        count = math.ceil(self.value * wanted - 1e-9) if self.share else int(self.value)
        return max(wanted - count, 0) if self.available else count

    def __str__(self) -> str:
        """As a PodDisruptionBudget says it."""
        amount = f"{self.value * 100:g}%" if self.share else f"{self.value:g}"
        return f"{'minAvailable' if self.available else 'maxUnavailable'}: {amount}"
