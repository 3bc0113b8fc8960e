"""The horizontal pod autoscaler."""

from __future__ import annotations

from collections import deque

from simulator.core.units import Ratio, Seconds
from simulator.policies.replicas import Metric, check, enough, load
from simulator.policies.serving import ServiceObservation, replica_scalers


@replica_scalers.register("hpa")
class Hpa:
    """Kubernetes' horizontal pod autoscaler: a ratio with a tolerance; it shrinks only to the most wanted of late.

    ``autoscaling/v2`` of Kubernetes 1.33 with one ``AverageValue`` target and default behaviour (kubernetes.io,
    Horizontal Pod Autoscaling): wanted = ceil(sum of the metric / target), every 15 s, nothing while the mean over
    replicas is within 10 % of the target (``tolerance``); shrinking goes to the highest number wanted in the last 300 s
    (``scale_in_window``); growing at most doubles, or adds 4 if that is more, at each step. ``metric: queued`` is
    ``vllm:num_requests_waiting``, by which the guide of vLLM's production stack scales; the default, as in
    ``target-tracking``, is ours. A service without replicas gets one when it is asked for something, as with KEDA. Not
    modelled: metrics that are missing or come late.
    """

    imitates = "Kubernetes 1.33 HorizontalPodAutoscaler (autoscaling/v2)"

    def __init__(
        self,
        target: float = 32.0,
        metric: Metric = "outstanding",
        interval: Seconds = 15.0,
        tolerance: Ratio = 0.1,
        scale_in_window: Seconds = 300.0,
    ) -> None:
        check(metric, target, interval)
        if not tolerance >= 0:
            raise ValueError(f"tolerance is {tolerance:g}; it must be 0 or more")
        if not scale_in_window >= 0:
            raise ValueError(f"scale_in_window is {scale_in_window:g} s; it must be 0 or more")
        self.target, self.metric, self.interval = target, metric, interval
        self._tolerance, self._window = tolerance, scale_in_window
        self._wanted: deque[tuple[float, int]] = deque()
        """Times and numbers of the window that no later number exceeds, so the highest first."""

    def reset(self) -> None:
        """Forget earlier numbers: a new run begins."""
        self._wanted.clear()

    def step(self, now: float, observation: ServiceObservation) -> int:
        """Return the number of replicas wanted."""
        have = observation.ready + observation.coming
        if not self._wanted:
            self._remember(now, have)
        wanted = enough(observation, self.metric, self.target)
        ratio = load(observation, self.metric) / (self.target * have) if have else 0.0
        if have and 1.0 - self._tolerance <= ratio <= 1.0 + self._tolerance:
            wanted = have
        highest = self._remember(now, wanted)
        if wanted >= have:
            return min(wanted, max(2 * have, have + 4))
        return min(have, highest)

    def _remember(self, now: float, wanted: int) -> int:
        """Return the highest number of the window, this one included."""
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()
        self._wanted.append((now, wanted))
        while len(self._wanted) > 1 and self._wanted[0][0] <= now - self._window:
            self._wanted.popleft()
        return self._wanted[0][1]
