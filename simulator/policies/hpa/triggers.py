"""Triggers of a scaled object, and what stands in for one that fails: KEDA 2.20 (pkg/scaling, pkg/fallback)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from simulator.policies.hpa import manifest
from simulator.policies.hpa.metrics import SHARES, By, MetricSpec
from simulator.policies.replicas import Metric, load
from simulator.policies.serving import ServiceObservation

Standing = Literal["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """An external metric with the threshold that the HPA holds it to, and the one above which it wakes a service."""

    metric: Metric
    threshold: float
    activation: float = 0.0
    by: By = "AverageValue"

    @property
    def spec(self) -> MetricSpec:
        """The metric that KEDA writes into the HPA that it makes."""
        return MetricSpec(self.metric, "External", self.by, self.threshold)

    def value(self, seen: ServiceObservation) -> float | None:
        """Return the metric, in total over replicas; None where it cannot be had."""
        if self.metric in seen.missing:
            return None
        value = float(getattr(seen, self.metric)) if self.by == "Value" else load(seen, self.metric)
        return value if value == value else None


@dataclass(frozen=True, slots=True)
class Fallback:
    """Replicas that there are once a trigger failed more than ``failures`` times in a row (``fallback`` of KEDA)."""

    failures: int
    replicas: int
    behavior: Standing = "static"

    def instead(self, trigger: Trigger, seen: ServiceObservation) -> float | None:
        """Return the value of a trigger that makes the HPA want these replicas; None where there is none (doFallback).

        With ``Value`` it is over the pods that are ready; where none is, there is none.
        """
        current, replicas = seen.replicas, self.replicas
        if self.behavior == "currentReplicas":
            replicas = current
        elif self.behavior == "currentReplicasIfHigher":
            replicas = max(current, replicas)
        elif self.behavior == "currentReplicasIfLower":
            replicas = min(current, replicas)
        if trigger.by == "Value":
            return trigger.threshold * replicas / seen.ready if seen.ready else None
        return trigger.threshold * replicas


class Reading(NamedTuple):
    """What triggers say: whether one is active, whether one failed, values that stand in, by metric."""

    active: bool
    failed: bool
    instead: Mapping[str, float]


_NOTHING: Mapping[str, float] = {}


class Triggers:
    """Triggers with their failures in a row. Every reading counts, by KEDA's own loop as well as for the HPA."""

    def __init__(self, triggers: Sequence[Trigger], fallback: Fallback | None) -> None:
        self.all, self.fallback = tuple(triggers), fallback
        self.reset()

    def reset(self) -> None:
        """Forget failures: a new run begins."""
        self._failures = [0] * len(self.all)

    def read(self, seen: ServiceObservation) -> Reading:
        """Return what they say now. One that something stands in for is active, and has not failed."""
        active = failed = False
        instead: dict[str, float] = {}
        for index, trigger in enumerate(self.all):
            value = trigger.value(seen)
            if value is not None:
                self._failures[index] = 0
                active = active or value > trigger.activation
                continue
            self._failures[index] += 1
            stand = None
            if self.fallback is not None and self._failures[index] > self.fallback.failures:
                stand = self.fallback.instead(trigger, seen)
            if stand is None:
                failed = True
            else:
                instead[trigger.metric], active = stand, True
        return Reading(active, failed, instead or _NOTHING)


def triggers(written: object) -> list[Trigger]:
    """Return the triggers of a list such as ``[{metric: queued, threshold: 5, activationThreshold: 0}]``.

    Raises ``ValueError`` with the place and the nearest valid choice.
    """
    found = [
        _trigger(entry, f"triggers: [{index}]") for index, entry in enumerate(manifest.entries(written, "triggers"))
    ]
    for index, trigger in enumerate(found):
        if trigger.metric in [other.metric for other in found[:index]]:
            raise ValueError(f"triggers: [{index}].metric is {trigger.metric!r}, as before; KEDA takes each once")
    return found


def _trigger(written: object, place: str) -> Trigger:
    entry = manifest.mapping(written, place, ("metric", "threshold", "activationThreshold", "metricType"))
    for key in ("metric", "threshold"):
        if key not in entry:
            raise ValueError(f"{place} has no {key!r}")
    activation = entry.get("activationThreshold", 0)
    metric: Metric = manifest.choice(entry["metric"], f"{place}.metric", get_args(Metric))
    threshold = manifest.quantity(entry["threshold"], f"{place}.threshold")
    if metric in SHARES and threshold > 1:
        raise ValueError(f"{place}.threshold is {threshold:g}; {metric} is a share, at most 1")
    return Trigger(
        metric=metric,
        threshold=threshold,
        activation=manifest.quantity(activation, f"{place}.activationThreshold", closed=True),
        by=manifest.choice(entry.get("metricType", "AverageValue"), f"{place}.metricType", ("AverageValue", "Value")),
    )


def fallback(written: object) -> Fallback | None:
    """Return a block such as ``{failureThreshold: 3, replicas: 6}``; None for None."""
    if written is None:
        return None
    entry = manifest.mapping(written, "fallback: it", ("failureThreshold", "replicas", "behavior"))
    for key in ("failureThreshold", "replicas"):
        if key not in entry:
            raise ValueError(f"fallback: it has no {key!r}")
    return Fallback(
        failures=manifest.whole(entry["failureThreshold"], "fallback: failureThreshold", 0),
        replicas=manifest.whole(entry["replicas"], "fallback: replicas", 0),
        behavior=manifest.choice(entry.get("behavior", "static"), "fallback: behavior", get_args(Standing)),
    )
