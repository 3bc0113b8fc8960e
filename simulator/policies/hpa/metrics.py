"""What a horizontal pod autoscaler goes by: metrics, targets, and the integers that Kubernetes computes with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from simulator.policies.replicas import Metric

Kind = Literal["Resource", "Pods", "Object", "External"]
"""Where a metric is from: ``Resource`` and ``Pods`` from each replica, ``Object`` and ``External`` from one place."""
By = Literal["Utilization", "AverageValue", "Value"]
"""What a target bounds: the share of what pods request, the mean over pods, or the metric as it stands."""

TARGETS: dict[Kind, tuple[By, ...]] = {
    "Resource": ("Utilization", "AverageValue"),
    "Pods": ("AverageValue",),
    "Object": ("AverageValue", "Value"),
    "External": ("AverageValue", "Value"),
}
"""Targets that a metric of each type may have (autoscaling/v2, validation of Kubernetes 1.33)."""
KINDS: dict[Metric, Kind] = {
    "outstanding": "External",
    "queued": "External",
    "arrivals": "External",
    "busy": "Resource",
    "kv": "Pods",
}
"""Type of a metric unless one is said. Ours: requests are counted for a service as a whole, wherever they wait, and
shares are of each replica, of which ``busy`` is what the resource ``cpu`` is in Kubernetes."""
STARTS_HOT: Metric = "busy"
"""Metric whose samples are set aside while a replica starts, as those of the resource ``cpu`` are."""
SHARES: tuple[Metric, ...] = ("busy", "kv")
MILLI = 1000
"""Kubernetes computes with thousandths: MilliValue() of k8s.io/apimachinery/pkg/api/resource, which rounds up."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One entry of ``metrics`` of an autoscaler.

    ``target`` is in the unit of the metric; a share (0.6 is 60 % of what pods request) with ``Utilization``.
    ``resource``: samples from the start of a replica are set aside, as those of the resource ``cpu`` are.
    """

    metric: Metric
    kind: Kind
    by: By
    target: float
    resource: bool = False

    @property
    def per_pod(self) -> bool:
        """Whether it is read of each replica by itself."""
        return self.kind in ("Resource", "Pods")

    @property
    def failure(self) -> str:
        """Reason of the condition ``ScalingActive`` when it cannot be had."""
        return f"FailedGet{self.kind}Metric"


def plain(metric: Metric, target: float) -> MetricSpec:
    """Return the metric with an ``AverageValue`` target and the type that it has by itself."""
    return MetricSpec(metric, KINDS[metric], "AverageValue", target, metric == STARTS_HOT)


def milli(value: float) -> int:
    """Return thousandths, rounded up; what is due to binary fractions (below a millionth of one) is not counted.

    >>> milli(0.55), milli(2.0001)
    (550, 2001)
    """
    scaled = value * MILLI
    whole = int(scaled)
    return whole if whole == scaled else math.ceil(round(scaled, 6))
