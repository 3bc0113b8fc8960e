"""How fast a horizontal pod autoscaler may change a number of replicas: ``behavior`` of autoscaling/v2."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Select = Literal["Max", "Min", "Disabled"]
"""Which of several policies holds: the one that allows the largest change, the smallest, or no change at all."""


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """What may be changed within ``period`` seconds: ``value`` pods, or percent of those at its beginning."""

    kind: Literal["Pods", "Percent"]
    value: int
    period: float


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """Rules of one direction: how far back recommendations count (``window``, seconds), and how fast it may go.

    ``tolerance`` None: that of the controller (autoscaling/v2 of Kubernetes 1.33, HPAConfigurableTolerance).
    """

    policies: tuple[ScalingPolicy, ...]
    window: float
    select: Select = "Max"
    tolerance: float | None = None

    @property
    def longest(self) -> float:
        """Longest period of its policies, in seconds."""
        return max(policy.period for policy in self.policies)


DOWNSCALE_STABILIZATION = 300.0
"""Seconds: --horizontal-pod-autoscaler-downscale-stabilization of kube-controller-manager, Kubernetes 1.33."""
UP = ScalingRules((ScalingPolicy("Pods", 4, 15.0), ScalingPolicy("Percent", 100, 15.0)), window=0.0)
DOWN = ScalingRules((ScalingPolicy("Percent", 100, 15.0),), window=DOWNSCALE_STABILIZATION)
"""What is not said in a ``behavior`` (pkg/apis/autoscaling/v2/defaults.go, Kubernetes 1.33). Its window of shrinking is
left open there and filled in by the controller, from its flag (maybeInitScaleDownStabilizationWindow)."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """Rules of both directions."""

    up: ScalingRules = UP
    down: ScalingRules = DOWN


@dataclass(slots=True)
class Changes:
    """Changes of the number of replicas that an autoscaler made, for as long as they count."""

    _events: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, now: float, amount: int, longest: float) -> None:
        """Note a change at ``now``; those older than ``longest`` seconds are forgotten."""
        while self._events and self._events[0][0] < now - longest:
            self._events.popleft()
        self._events.append((now, amount))

    def within(self, now: float, period: float) -> int:
        """Return replicas changed in the last ``period`` seconds; what is that old exactly counts no more."""
        return sum(amount for at, amount in self._events if at > now - period)


def start_of(now: float, current: int, added: Changes, removed: Changes, period: float) -> int:
    """Return replicas at the beginning of a period that ends now, by the changes that were made in it."""
    return current - added.within(now, period) + removed.within(now, period)


def ceiling(now: float, current: int, added: Changes, removed: Changes, rules: ScalingRules) -> int:
    """Return the most replicas that the rules of growth allow now; a percentage is rounded up.

    calculateScaleUpLimitWithScalingRules of Kubernetes 1.33. (Commit 0006726 began the minimum of ``Min`` at 0 and
    so never grew; this is what is documented, and what later sources do: the smallest change.)
    """
    if rules.select == "Disabled":
        return current
    proposals = []
    for policy in rules.policies:
        start = start_of(now, current, added, removed, policy.period)
        grown = start + policy.value if policy.kind == "Pods" else math.ceil(start * (1 + policy.value / 100))
        proposals.append(grown)
    return max(current, min(proposals) if rules.select == "Min" else max(proposals))


def floor(now: float, current: int, added: Changes, removed: Changes, rules: ScalingRules) -> int:
    """Return the fewest replicas that the rules of shrinking allow now; what is left of a percentage is rounded down.

    calculateScaleDownLimitWithBehaviors of Kubernetes 1.33: 10 % take 80 to 72, then to 64 (64.8 cut).
    """
    if rules.select == "Disabled":
        return current
    proposals = []
    for policy in rules.policies:
        start = start_of(now, current, added, removed, policy.period)
        left = start - policy.value if policy.kind == "Pods" else int(start * (1 - policy.value / 100))
        proposals.append(left)
    return min(current, max(proposals) if rules.select == "Min" else min(proposals))
