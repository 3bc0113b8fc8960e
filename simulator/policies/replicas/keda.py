"""KEDA: it wakes a service and puts it to sleep, and leaves the rest to the horizontal pod autoscaler."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from simulator.core.units import Ratio, Seconds
from simulator.policies.decision import Decision
from simulator.policies.hpa import manifest
from simulator.policies.hpa.behavior import DOWNSCALE_STABILIZATION
from simulator.policies.hpa.controller import Controller, Settings
from simulator.policies.hpa.metrics import SHARES
from simulator.policies.hpa.triggers import Reading, Trigger, Triggers, fallback, triggers
from simulator.policies.replicas import Metric, check
from simulator.policies.serving import ServiceObservation, replica_scalers

MOST = 100
"""Replicas at most unless somebody says more (maxReplicaCount of KEDA 2.20)."""
_STANDS = {
    "KEDAScaleTargetActivated": "ScalerActive",
    "KEDAScaleTargetDeactivated": "ScalerNotActive",
    "MinReplicaCount": "ScalerNotActive",
}
"""What holds after KEDA acted, until it looks again."""


@replica_scalers.register("keda")
class Keda:
    """KEDA wakes a service and puts it to sleep by triggers; between 1 and the most, an HPA follows the same triggers.

    A ScaledObject of KEDA 2.20 (docs/autoscaler-keda.md). Every ``polling_interval`` it looks whether a trigger is
    above its activation threshold. If one is, a service without replicas gets one (or ``min_replica_count``); if none
    was for ``cooldown_period``, the service goes to 0 (or ``idle_replica_count``) from however many there are. Every
    ``sync_period`` the HPA holds metrics to their thresholds, with ``behavior`` as in ``hpa``. One trigger is said by
    ``metric``, ``threshold`` and ``activation_threshold``, several by ``triggers``. ``min_replica_count`` is by itself
    the ``min`` of the service, which must be 0 for a service to sleep. Defaults of ``metric`` and ``threshold`` are
    ours, all others those of KEDA 2.20 and Kubernetes 1.33.
    """

    version = "KEDA 2.20 ScaledObject over Kubernetes 1.33 HorizontalPodAutoscaler"

    def __init__(
        self,
        threshold: float | None = None,
        metric: Metric | None = None,
        activation_threshold: float | None = None,
        triggers: Sequence[Mapping[str, Any]] | None = None,
        polling_interval: Seconds = 30.0,
        cooldown_period: Seconds = 300.0,
        initial_cooldown_period: Seconds = 0.0,
        min_replica_count: int | None = None,
        max_replica_count: int | None = None,
        idle_replica_count: int | None = None,
        fallback: Mapping[str, Any] | None = None,
        behavior: Mapping[str, Any] | Literal["none"] | None = None,
        sync_period: Seconds = 15.0,
        tolerance: Ratio = 0.1,
        downscale_stabilization: Seconds = DOWNSCALE_STABILIZATION,
    ) -> None:
        for name, value in (("polling_interval", polling_interval), ("sync_period", sync_period)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value:g} s; it must be above 0")
        for name, value in (
            ("cooldown_period", cooldown_period),
            ("initial_cooldown_period", initial_cooldown_period),
            ("downscale_stabilization", downscale_stabilization),
        ):
            if not value >= 0:
                raise ValueError(f"{name} is {value:g} s; it must be 0 or more")
        if not tolerance >= 0:
            raise ValueError(f"tolerance is {tolerance:g}; it must be 0 or more")
        self._polling, self._sync = polling_interval, sync_period
        self._cooldown, self._initial_cooldown = cooldown_period, initial_cooldown_period
        self.interval = _tick(polling_interval, sync_period)
        self._triggers = _triggers(threshold, metric, activation_threshold, triggers, fallback)
        self._least, self._most, self._idle = min_replica_count, max_replica_count, idle_replica_count
        specs = [trigger.spec for trigger in self._triggers.all]
        rules = manifest.behavior(behavior, downscale_stabilization)
        self._hpa = Controller(Settings(specs, rules, tolerance, downscale_stabilization))
        self.bounds(0, None)
        self.reset()

    @property
    def minimum(self) -> int:
        """Fewest replicas while a trigger is active; 0: the service sleeps."""
        return self._minimum

    @property
    def maximum(self) -> int | None:
        """Most replicas."""
        return self._hpa.maximum

    def bounds(self, minimum: int, maximum: int | None) -> None:
        """Set the fewest and the most replicas of the service; raise ``ValueError`` for what KEDA refuses."""
        idle = self._idle
        if self._least is not None and 0 <= self._least < minimum:
            text = f"it must be min, which is {minimum}, or more; write min: {self._least} to go there"
            raise ValueError(f"min_replica_count is {self._least}; {text}")
        least = minimum if self._least is None else self._least
        most = min(count for count in (self._most, maximum, math.inf) if count is not None)
        if self._most is None and maximum is None:
            most = MOST
        for name, count in (("min", minimum), ("min_replica_count", self._least)):
            if count is not None and count < 0:
                raise ValueError(f"{name} is {count}; it must be 0 or more")
        if most < max(least, 1):
            raise ValueError(f"max_replica_count is {most}; it must be {max(least, 1)} or more")
        if idle is not None and not 0 <= idle < least:
            raise ValueError(f"idle_replica_count is {idle}; it must be below min_replica_count, which is {least}")
        if idle is not None and minimum > idle:
            raise ValueError(f"min is {minimum}; it must be {idle} or less for the service to go to idle_replica_count")
        self._minimum, self._hpa.minimum, self._hpa.maximum = least, max(least, 1), int(most)

    def reset(self) -> None:
        """Forget earlier numbers: a new run begins."""
        self._hpa.reset()
        self._triggers.reset()
        self._created = self._last_active = math.nan
        self._next_poll = self._next_sync = -math.inf
        self._said: Decision | None = None

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted, and whose decision it is: a reason of KEDA, or one of the HPA.

        Where neither is due, or KEDA slept and the HPA is switched off, what was said last still holds.
        """
        if self._created != self._created:
            self._created = now
        current = observation.replicas
        decided = self._decided(now, observation, current)
        self._said = self._standing(current) if decided is None else decided
        return self._said

    def _decided(self, now: float, observation: ServiceObservation, current: int) -> Decision | None:
        """Return what a loop that is due says; None: nothing."""
        decided: Decision | None = None
        if now >= self._next_poll:
            self._next_poll = _following(self._next_poll, now, self._polling)
            decided = self._polled(now, current, self._triggers.read(observation))
            if decided != current:
                return decided
        if now < self._next_sync:
            return decided
        self._next_sync = _following(self._next_sync, now, self._sync)
        if current == 0:
            return decided
        return self._hpa.reconcile(now, observation, self._triggers.read(observation).instead)

    def _standing(self, current: int) -> Decision:
        """Return the number that there is, with the reason given last if that was for this number."""
        said = self._said
        if said is None or said != current:
            return Decision(current, "NotDue")
        if said.rule in _STANDS:
            return Decision(current, _STANDS[said.rule])
        return Decision(current, said.rule, said.inputs, said.runner_up)

    def _polled(self, now: float, current: int, reading: Reading) -> Decision:
        """Return what KEDA itself does: RequestScale of pkg/scaling/executor/scale_scaledobjects.go."""
        least, idle, stand = self._minimum, self._idle, self._triggers.fallback
        if reading.active:
            if current == 0 or (idle is not None and current < least):
                self._last_active = now
                return Decision(max(least, 1), "KEDAScaleTargetActivated", runner_up=current)
            if reading.failed:
                return Decision(current, "PartialTriggerError")
            self._last_active = now
            return Decision(current, "ScalerActive")
        if reading.failed and (stand is None or stand.replicas != 0):
            return Decision(current, "TriggerError")
        if (current > idle) if idle is not None else (current > 0 and least == 0):
            return self._cooled(now, current, least if idle is None else idle)
        if idle is None and current < least:
            return Decision(least, "MinReplicaCount", runner_up=current)
        return Decision(current, "ScalerNotActive")

    def _cooled(self, now: float, current: int, wanted: int) -> Decision:
        """Return what a service goes to when its cooldown is over, from however many replicas (scaleToZeroOrIdle).

        A cooldown must be exceeded. The first look comes after the object was made, so it exceeds 0 s.
        """
        never = self._last_active != self._last_active
        since, wait = (self._created, self._initial_cooldown) if never else (self._last_active, self._cooldown)
        inputs = {"idle for": now - since, "cooldown": wait}
        if now - since > wait or (never and now - since == wait):
            return Decision(wanted, "KEDAScaleTargetDeactivated", inputs, runner_up=current)
        return Decision(current, "ScalerCooldown", inputs, runner_up=wanted)


def _triggers(
    threshold: float | None, metric: Metric | None, activation: float | None, several: object, stand: object
) -> Triggers:
    """Return the triggers that the parameters say, one way or the other."""
    if several is None:
        by, bound, above = metric or "queued", 32.0 if threshold is None else threshold, activation or 0.0
        if not 0 < bound < math.inf:
            raise ValueError(f"threshold is {bound:g}; it must be above 0")
        if not 0 <= above < math.inf:
            raise ValueError(f"activation_threshold is {above:g}; it must be 0 or more")
        check(by, min(bound, 1.0), 1.0)
        if by in SHARES and bound > 1:
            raise ValueError(f"threshold is {bound:g}; {by} is a share, at most 1")
        return Triggers([Trigger(by, bound, above)], fallback(stand))
    for name, value in (("threshold", threshold), ("metric", metric), ("activation_threshold", activation)):
        if value is not None:
            raise ValueError(f"{name} says what triggers says, too; leave one of them out")
    return Triggers(triggers(several), fallback(stand))


def _tick(polling: float, sync: float) -> float:
    """Return seconds between steps: the longest of which both periods are multiples, to the millisecond.

    At least 1 s, or the shorter period if that is less: then each acts at the first step at which it is due.
    """
    common = math.gcd(round(polling * 1000), round(sync * 1000)) / 1000
    return max(common, min(1.0, polling, sync))


def _following(due: float, now: float, period: float) -> float:
    """Return when a loop is due after it ran at ``now``: a period after it was due, or from now on if that is past."""
    return due + period if due + period > now else now + period
