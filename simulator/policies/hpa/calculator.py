"""How many replicas one metric asks for: the replica calculator of Kubernetes."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Literal, NamedTuple

from simulator.policies.hpa.metrics import MILLI, SHARES, MetricSpec, milli
from simulator.policies.hpa.samples import Sampled, Startup, sampled, takes_traffic
from simulator.policies.serving import ServiceObservation

Missing = Literal["request", "target"]
"""What a pod without a sample is taken to use on the way down of a ``Utilization`` target. ``request``: all that it
requests, or the target where that is more (the source of Kubernetes 1.33); ``target``: the target (its documentation,
"100 % of the desired value"). Other targets take the target in both."""
MOST = 2**31 - 1
"""Replicas that a proposal is at most: the largest int32."""


class NoMetric(Exception):
    """A metric cannot be had, and why."""


class Tolerances(NamedTuple):
    """How far the ratio of a metric to its target may be from 1 without a change, by direction of that change."""

    down: float = 0.1
    up: float = 0.1

    def within(self, ratio: float) -> bool:
        """Whether a ratio is near enough to 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Proposal(NamedTuple):
    """What one metric asks for: replicas, the ratio of the metric to its target, and the metric as it stands.

    ``value`` is in the unit of the metric, a share of what is requested with ``Utilization``; ``still``: nothing is
    asked for, because the ratio is near 1 or what is not known could turn the direction.
    """

    replicas: int
    ratio: float
    value: float
    still: bool = False


Calculator = Callable[[float, ServiceObservation, int, "float | None"], Proposal]
"""Takes the time in seconds, what is observed, the replicas that there are, and the value of the metric where somebody
else knows it; raises ``NoMetric``."""


def calculator(spec: MetricSpec, tolerances: Tolerances, startup: Startup, missing: Missing = "request") -> Calculator:
    """Return what proposes a number of replicas by one metric.

    >>> from simulator.policies.hpa.metrics import plain
    >>> propose = calculator(plain("outstanding", 10.0), Tolerances(), Startup())
    >>> propose(0.0, ServiceObservation(2, 0, 0, 47, 9, 38, 0.5, 1.0, 12.0), 2, None).replicas
    5
    """
    if spec.per_pod:
        return _of_pods(spec, tolerances, startup, missing)
    return _of_total(spec, tolerances) if spec.by == "AverageValue" else _of_value(spec, tolerances)


def _of_total(spec: MetricSpec, tolerances: Tolerances) -> Calculator:
    """``AverageValue`` of an object or external metric: its total over the target, whatever pods are ready.

    GetExternalPerPodMetricReplicas: the ratio is total / (target x replicas), the number ceil(total / target), from and
    to 0 as well.
    """
    read, share, target = attrgetter(spec.metric), spec.metric in SHARES, milli(spec.target)
    low, high = 1.0 - tolerances.down, 1.0 + tolerances.up

    def propose(now: float, seen: ServiceObservation, current: int, given: float | None) -> Proposal:
        value = given
        if value is None:
            value = float(read(seen)) * seen.ready if share else float(read(seen))
        usage = _thousandths(value)
        ratio = usage / (target * current) if current else (math.inf if usage else math.nan)
        if low <= ratio <= high:
            return Proposal(current, ratio, value, True)
        return Proposal(min(math.ceil(usage / target), MOST), ratio, value)

    return propose


def _of_value(spec: MetricSpec, tolerances: Tolerances) -> Calculator:
    """``Value`` of an object or external metric: the ratio times the pods that are ready.

    getUsageRatioReplicaCount: from 0 replicas it is ceil(ratio), and no tolerance holds it back. Requests count in
    total, shares as the mean over replicas.
    """
    metric, target = spec.metric, milli(spec.target)

    def propose(now: float, seen: ServiceObservation, current: int, given: float | None) -> Proposal:
        value = float(getattr(seen, metric)) if given is None else given
        ratio = _thousandths(value) / target
        if not current:
            return Proposal(min(math.ceil(ratio), MOST), ratio, value)
        if tolerances.within(ratio):
            return Proposal(current, ratio, value, True)
        return Proposal(min(math.ceil(ratio * takes_traffic(seen)), MOST), ratio, value)

    return propose


def _thousandths(value: float) -> int:
    if not -math.inf < value < math.inf:
        raise NoMetric("it is no number")
    return milli(value)


def _of_pods(spec: MetricSpec, tolerances: Tolerances, startup: Startup, missing: Missing) -> Calculator:
    """A metric of each pod: the ratio times the pods whose sample counts, then again with those of which less is known.

    GetResourceReplicas and calcPlainMetricReplicas.
    """

    def propose(now: float, seen: ServiceObservation, current: int, given: float | None) -> Proposal:
        pods = sampled(spec, seen, startup, now)
        if not pods.ready:
            raise NoMetric("no pod has a sample that counts")
        ratio, value = _ratio(spec, pods.usage, pods.requests, pods.ready)
        rising = ratio > 1.0 and len(pods.unready) > 0
        if not rising and not pods.missing:
            if tolerances.within(ratio):
                return Proposal(current, ratio, value, True)
            return Proposal(min(math.ceil(ratio * pods.ready), MOST), ratio, value)
        filled, count = _filled(spec, pods, ratio, rising, missing)
        if tolerances.within(filled) or (ratio < 1.0 < filled) or (ratio > 1.0 > filled):
            return Proposal(current, filled, value, True)
        wanted = min(math.ceil(filled * count), MOST)
        turns = (filled < 1.0 and wanted > current) or (filled > 1.0 and wanted < current)
        return Proposal(current if turns else wanted, filled, value, turns)

    return propose


def _ratio(spec: MetricSpec, usage: int, requests: int, count: int) -> tuple[float, float]:
    """Return the ratio of a metric to its target, and the metric; both of whole percents, or whole thousandths.

    GetResourceUtilizationRatio and GetMetricUsageRatio cut fractions off.
    """
    if spec.by == "Utilization":
        if requests <= 0:
            raise NoMetric("no pod requests anything")
        percent = usage * 100 // requests
        return percent / _percent(spec.target), percent / 100
    mean = usage // count
    return mean / milli(spec.target), mean / MILLI


def _filled(spec: MetricSpec, pods: Sampled, ratio: float, rising: bool, missing: Missing) -> tuple[float, int]:
    """Return the ratio with pods of which less is known, so that it moves less, and how many pods it is over.

    Going up, pods without a sample and pods that are not ready use nothing. Going down, pods without a sample use what
    ``missing`` says, and pods that are not ready are left out. At the target they are not counted.
    """
    usage, requests, count = pods.usage, pods.requests, pods.ready
    if ratio != 1.0:
        requests, count = requests + sum(pods.missing), count + len(pods.missing)
    if ratio < 1.0 and spec.by == "Utilization":
        percent = _percent(spec.target)
        percent = max(100, percent) if missing == "request" else percent
        usage += sum(request * percent // 100 for request in pods.missing)
    elif ratio < 1.0:
        usage += milli(spec.target) * len(pods.missing)
    if rising:
        requests, count = requests + sum(pods.unready), count + len(pods.unready)
    return _ratio(spec, usage, requests, count)[0], count


def _percent(share: float) -> int:
    """Return a target as autoscaling/v2 has it: whole percents of what pods request."""
    return max(round(share * 100), 1)
