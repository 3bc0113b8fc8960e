"""Pods of a service, grouped by what is known of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulator.policies.hpa.metrics import MILLI, SHARES, MetricSpec, milli
from simulator.policies.serving import PodReading, ServiceObservation


@dataclass(frozen=True, slots=True)
class Startup:
    """For how long a pod counts as starting, in seconds: flags of kube-controller-manager, Kubernetes 1.33.

    ``initialization`` is --horizontal-pod-autoscaler-cpu-initialization-period, ``readiness`` is
    --horizontal-pod-autoscaler-initial-readiness-delay.
    """

    initialization: float = 300.0
    readiness: float = 30.0

    def hot(self, pod: PodReading, now: float) -> bool:
        """Whether a pod's sample is set aside: it is starting, or was never ready.

        Within ``initialization`` of its start: it is not ready, or the sample's window began before it became so. After
        that: it is not ready, and stopped being so within ``readiness`` of its start (groupPods). One that has not been
        ready for ever (``ready_since`` is -inf) never was.
        """
        if pod.started + self.initialization > now:
            return not pod.ready or pod.sampled < pod.ready_since + pod.window
        return not pod.ready and (pod.ready_since == -math.inf or pod.started + self.readiness > pod.ready_since)


class Sampled(NamedTuple):
    """Pods of a service as one metric shows them. Sums and requests are in thousandths.

    ``ready`` pods have a sample that counts, ``usage`` and ``requests`` are sums over them; ``missing`` and ``unready``
    are the requests of those without one, and of those whose sample does not count.
    """

    ready: int
    usage: int
    requests: int
    missing: Sequence[int] = ()
    unready: Sequence[int] = ()


def sampled(spec: MetricSpec, observation: ServiceObservation, startup: Startup, now: float) -> Sampled:
    """Return the pods of a service by what ``spec`` shows of them; failed and deleted ones are not among them.

    Without single pods all that are ready report their mean and those that come are not ready. With them, one that is
    not ready counts as soon as it has a sample, unless ``spec.resource`` (Kubernetes 1.33, groupPods).
    """
    if not observation.pods:
        return _alike(spec, observation)
    startup_of = startup if spec.resource else None
    ready = usage = requests = 0
    missing: list[int] = []
    unready: list[int] = []
    for pod in observation.pods:
        if pod.deleted or pod.phase == "failed":
            continue
        request = milli(pod.request)
        value = pod.values.get(spec.metric)
        if pod.phase == "pending":
            unready.append(request)
        elif value is None or not -math.inf < value < math.inf:
            missing.append(request)
        elif startup_of is not None and startup_of.hot(pod, now):
            unready.append(request)
        else:
            ready, usage, requests = ready + 1, usage + milli(value), requests + request
    return Sampled(ready, usage, requests, missing, unready)


def _alike(spec: MetricSpec, observation: ServiceObservation) -> Sampled:
    """Return what is known where every pod that is ready is the mean of them."""
    ready, value = observation.ready, float(getattr(observation, spec.metric))
    if spec.metric not in SHARES:
        value /= max(ready, 1)
    if not -math.inf < value < math.inf:
        return Sampled(0, 0, 0, (MILLI,) * ready, (MILLI,) * observation.coming)
    each = milli(value)
    return Sampled(ready, each * ready, MILLI * ready, (), (MILLI,) * observation.coming)


def takes_traffic(observation: ServiceObservation) -> int:
    """Pods that run and are ready, by which ``Value`` targets are scaled (getReadyPodsCount)."""
    if not observation.pods:
        return observation.ready
    return sum(pod.ready and pod.phase == "running" for pod in observation.pods)
