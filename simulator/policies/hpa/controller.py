"""One horizontal pod autoscaler: what its metrics ask for, held back by what it did and recommended of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.policies.decision import Decision
from simulator.policies.hpa.behavior import DOWNSCALE_STABILIZATION, Behavior, Changes, ceiling, floor
from simulator.policies.hpa.calculator import Calculator, Missing, NoMetric, Tolerances, calculator
from simulator.policies.hpa.metrics import MetricSpec
from simulator.policies.hpa.samples import Startup
from simulator.policies.hpa.stabilisation import Recommendations
from simulator.policies.serving import ServiceObservation

UP_FACTOR, UP_LEAST = 2, 4
"""Growth at one step without ``behavior``: to this multiple of the replicas, or to so many if that is more
(scaleUpLimitFactor and scaleUpLimitMinimum of Kubernetes 1.33)."""
TOLERANCE = 0.1
"""Share: --horizontal-pod-autoscaler-tolerance of kube-controller-manager, Kubernetes 1.33."""
_NOTHING: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class Settings:
    """What an autoscaler is set to; times in seconds. ``behavior`` None: as when a manifest says none."""

    metrics: Sequence[MetricSpec]
    behavior: Behavior | None = None
    tolerance: float = TOLERANCE
    stabilization: float = DOWNSCALE_STABILIZATION
    startup: Startup = field(default_factory=Startup)
    missing: Missing = "request"

    @property
    def tolerances(self) -> Tolerances:
        """Tolerance of each direction."""
        if self.behavior is None:
            return Tolerances(self.tolerance, self.tolerance)
        down, up = self.behavior.down.tolerance, self.behavior.up.tolerance
        return Tolerances(self.tolerance if down is None else down, self.tolerance if up is None else up)


class Controller:
    """Reconciles one service: reconcileAutoscaler of Kubernetes 1.33 (pkg/controller/podautoscaler/horizontal.go).

    Stabilises, then limits the rate, then keeps to ``minimum`` and ``maximum`` (None: none). It remembers what it
    recommended and by how much it changed the number of replicas itself, not what others changed.
    """

    def __init__(self, settings: Settings, minimum: int = 1, maximum: int | None = None) -> None:
        self.minimum, self.maximum = minimum, maximum
        self._behavior = behavior = settings.behavior
        if behavior is None:
            self._recommended = Recommendations(0.0, settings.stabilization, closed=True)
        else:
            self._recommended = Recommendations(behavior.up.window, behavior.down.window)
        self._added, self._removed = Changes(), Changes()
        self._metrics = [_named(spec, settings) for spec in settings.metrics]

    def reset(self) -> None:
        """Forget what was recommended and changed: a new run begins."""
        self._recommended.clear()
        self._added, self._removed = Changes(), Changes()

    def reconcile(self, now: float, seen: ServiceObservation, given: Mapping[str, float] = _NOTHING) -> Decision:
        """Return the number of replicas wanted, and the reason of the condition that Kubernetes would set.

        ``given`` are values of metrics that are not those of the observation, by name.
        """
        current = seen.ready + seen.coming
        if not self._recommended:
            self._recommended.add(now, current)
        if current == 0 and self.minimum > 0:
            return Decision(0, "ScalingDisabled")
        if self.maximum is not None and current > self.maximum:
            return self._changed(now, current, Decision(self.maximum, "AboveMaxReplicas", runner_up=current))
        if current < self.minimum:
            return self._changed(now, current, Decision(self.minimum, "BelowMinReplicas", runner_up=current))
        wanted, still, inputs, failure = self._proposed(now, seen, current, given)
        if wanted < 0 or (failure and wanted < current):
            return Decision(current, failure, inputs, wanted if wanted >= 0 else None)
        limited, rule = self._normalised(now, current, wanted)
        if still and limited == current == wanted:
            rule = "WithinTolerance"
        decided = Decision(limited, rule, inputs, wanted if wanted != limited else None)
        return decided if limited == current else self._changed(now, current, decided)

    def _proposed(
        self, now: float, seen: ServiceObservation, current: int, given: Mapping[str, float]
    ) -> tuple[int, bool, dict[str, float], str]:
        """Return the most that a metric asks for (-1: none can be had), whether all stand still, numbers, a failure."""
        most, still, failure = -1, True, ""
        inputs: dict[str, float] = {}
        for metric, ratio, desired, spec, propose in self._metrics:
            elsewhere = given.get(metric) if given else None
            try:
                if elsewhere is None and seen.missing and metric in seen.missing:
                    raise NoMetric(seen.missing[metric])
                proposal = propose(now, seen, current, elsewhere)
            except NoMetric:
                failure = failure or spec.failure
                continue
            inputs[metric], inputs[ratio], inputs[desired] = proposal.value, proposal.ratio, proposal.replicas
            still = still and proposal.still
            most = max(most, proposal.replicas, 0)
        return most, still, inputs, failure

    def _normalised(self, now: float, current: int, wanted: int) -> tuple[int, str]:
        """Return what comes of a recommendation, and why it is not the recommendation."""
        low, high = self._recommended.add(now, wanted)
        if self._behavior is None:
            steady = high
            limited, rule = self._within_factor(current, steady)
        else:
            steady = min(max(current, low), high)
            limited, rule = self._within_rules(now, current, steady, self._behavior)
        if limited != steady or steady == wanted:
            return limited, rule
        return limited, "ScaleUpStabilized" if steady < wanted else "ScaleDownStabilized"

    def _within_factor(self, current: int, wanted: int) -> tuple[int, str]:
        """Hold to the bounds and to twice the replicas, or 4 (convertDesiredReplicasWithRules)."""
        most = max(UP_FACTOR * current, UP_LEAST)
        if wanted < self.minimum:
            return self.minimum, "TooFewReplicas"
        if self.maximum is not None and self.maximum <= most:
            return (self.maximum, "TooManyReplicas") if wanted > self.maximum else (wanted, "DesiredWithinRange")
        return (most, "ScaleUpLimit") if wanted > most else (wanted, "DesiredWithinRange")

    def _within_rules(self, now: float, current: int, wanted: int, behavior: Behavior) -> tuple[int, str]:
        """Hold to the rules of the direction, and to the bound there (convertDesiredReplicasWithBehaviorRate)."""
        if wanted > current:
            most = ceiling(now, current, self._added, self._removed, behavior.up)
            if self.maximum is not None and self.maximum <= most:
                return (self.maximum, "TooManyReplicas") if wanted > self.maximum else (wanted, "DesiredWithinRange")
            return (most, "ScaleUpLimit") if wanted > most else (wanted, "DesiredWithinRange")
        if wanted < current:
            least = floor(now, current, self._added, self._removed, behavior.down)
            if self.minimum >= least:
                return (self.minimum, "TooFewReplicas") if wanted < self.minimum else (wanted, "DesiredWithinRange")
            return (least, "ScaleDownLimit") if wanted < least else (wanted, "DesiredWithinRange")
        return wanted, "DesiredWithinRange"

    def _changed(self, now: float, current: int, decided: Decision) -> Decision:
        """Note a change, where rules count them."""
        if self._behavior is not None and decided > current:
            self._added.add(now, decided - current, self._longest)
        elif self._behavior is not None and decided < current:
            self._removed.add(now, current - decided, self._longest)
        return decided

    @property
    def _longest(self) -> float:
        """Longest period, in seconds, over which changes count."""
        assert self._behavior is not None
        return max(self._behavior.up.longest, self._behavior.down.longest)


def _named(spec: MetricSpec, settings: Settings) -> tuple[str, str, str, MetricSpec, Calculator]:
    """Return the names under which a metric is told in decisions, the metric, and what proposes a number by it."""
    prefix = "" if len(settings.metrics) == 1 else f"{spec.metric} "
    propose = calculator(spec, settings.tolerances, settings.startup, settings.missing)
    return spec.metric, f"{prefix}ratio", f"{prefix}desired", spec, propose
