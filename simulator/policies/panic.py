"""How many pods Knative's autoscaler wants of means over a stable and a panic window, before it thinks about zero."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from simulator.policies.decision import Decision

TICK = 2.0
"""Seconds between two decisions, and the grain of the delay window (``tickInterval`` of multiscaler.go)."""


@dataclass(frozen=True, slots=True)
class PanicSpec:
    """What the decisions go by, named as in ``DeciderSpec`` of Knative Serving 1.23."""

    target: float
    """Metric per pod that is aimed at."""
    total: float
    """Metric per pod that a pod can bear; the target is a share of it."""
    stable_window: float
    panic_threshold: float
    max_scale_up_rate: float
    max_scale_down_rate: float
    scale_down_delay: float
    target_burst_capacity: float
    activation_scale: int


class Panic:
    """Stable and panic mode, limits of the rate, the delay of shrinking: ``Scale`` of autoscaler.go, Serving 1.23."""

    def __init__(self, spec: PanicSpec) -> None:
        self._spec = spec
        self._buckets = math.ceil(spec.scale_down_delay / TICK)
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        self._since: float | None = None
        self._most = 0
        self._begun = False
        self._delayed: deque[tuple[int, int]] = deque()
        self.spare = 0.0
        """Excess burst capacity, in the metric's unit; negative: the activator belongs into the path of requests."""

    def opening(self, replicas: int) -> float:
        """Return the excess burst capacity before anything is seen, of so many replicas (createScaler)."""
        capacity = self._spec.target_burst_capacity
        return float(int(replicas * self._spec.total - capacity)) if capacity > 0 else capacity

    @property
    def panicking(self) -> bool:
        """Whether it is in panic mode."""
        return self._since is not None

    def step(self, now: float, ready: int, stable: float, panic: float) -> Decision:
        """Return the pods wanted, for the sum of the metric over all pods, mean over either window."""
        spec = self._spec
        if not self._begun:
            self._begun = True
            if ready > 1:
                self._since, self._most = now, ready
        pods = max(1, ready)
        most, least = math.ceil(spec.max_scale_up_rate * pods), math.floor(pods / spec.max_scale_down_rate)
        by_stable, by_panic = _pods(stable, spec.target), _pods(panic, spec.target)
        wanted, urgent = (self._bounded(pods_, least, most) for pods_ in (by_stable, by_panic))
        self._enter_or_leave(now, by_panic / pods >= spec.panic_threshold)
        inputs = {
            "stable": stable, "panic": panic, "target": spec.target, "ready": ready, "by stable": by_stable,
            "by panic": by_panic,
        }  # fmt: skip
        rule, other = "stable", by_panic
        if wanted != by_stable:
            rule, other = ("max scale up rate" if wanted < by_stable else "max scale down rate"), by_stable
            if by_stable <= wanted == spec.activation_scale:
                rule = "activation scale"
        if self._since is not None:
            best = max(wanted, urgent)
            rule, other = ("panic", by_stable) if best >= self._most else ("panic: no scale down", best)
            wanted = self._most = max(self._most, best)
        held = self._hold(now, wanted)
        if held != wanted:
            rule, other = "scale down delay", wanted
        self.spare = self._burst(ready, panic)
        inputs["excess burst capacity"] = self.spare
        return Decision(held, rule, inputs, runner_up=other)

    def _bounded(self, pods: int, least: int, most: int) -> int:
        bounded = min(max(pods, least), most)
        return max(bounded, self._spec.activation_scale) if self._spec.activation_scale > 1 and pods > 0 else bounded

    def _enter_or_leave(self, now: float, over: bool) -> None:
        if over:
            self._since = now
        elif self._since is not None and self._since + self._spec.stable_window < now:
            self._since, self._most = None, 0

    def _hold(self, now: float, wanted: int) -> int:
        """The most wanted in the last buckets of a tick, as many as cover the delay."""
        if not self._buckets:
            return wanted
        bucket = math.floor(now / TICK + 1e-9)
        while self._delayed and self._delayed[-1][1] <= wanted:
            self._delayed.pop()
        self._delayed.append((bucket, wanted))
        while bucket - self._delayed[0][0] >= self._buckets:
            self._delayed.popleft()
        return self._delayed[0][1]

    def _burst(self, ready: int, panic: float) -> float:
        spec = self._spec
        if spec.target_burst_capacity < 0:
            return -1.0
        if spec.target_burst_capacity == 0:
            return 0.0
        return float(math.floor(ready * spec.total - spec.target_burst_capacity - panic + 1e-9))


def _pods(value: float, target: float) -> int:
    return max(0, math.ceil(value / target - 1e-9))
