"""Replicas for the load that is forecast."""

from __future__ import annotations

import math
from typing import Any

from simulator.core.units import Ratio, Seconds
from simulator.policies.decision import Decision
from simulator.policies.forecasts import Fresh, HoltWinters
from simulator.policies.recent import Highest
from simulator.policies.replicas import Metric, check, enough, load
from simulator.policies.serving import PodReading, ServiceObservation, replica_scalers

UNKNOWN_LEAD = 300.0
"""Seconds ahead before any replica has started: SchedulingBufferTime of EC2 predictive scaling (2025)."""


@replica_scalers.register("predictive")
class Predictive:
    """Has replicas ready for the load that Holt-Winters sees coming, and never fewer than the present load needs.

    Ours; products keep their forecasts to themselves. Every ``interval`` the load is noted: the sum of ``metric`` over
    replicas. Wanted = ceil(upper bound of the load ``lead`` ahead / ``target``), where the true load stays below that
    bound with probability ``confidence``; and at least what the present load needs. ``season`` is what repeats; before
    a whole one was seen, it goes by the present load. ``lead`` is the time that a replica needs to start: measured over
    those that are there, and 300 s before there are any, as SchedulingBufferTime of EC2 predictive scaling. It shrinks
    to the most wanted in the last ``scale_in_window`` (300 s, or ``lead`` if that is more), so that what was foreseen
    for a moment is kept until then. ``alpha``, ``beta`` and ``gamma`` smooth level, trend and season.

    ``forecaster`` is one of your own, from Python: an object or a class with ``update(now, value)`` and
    ``forecast(now, lead)``, which returns a load or None, or a function ``(times, values, lead)`` of all seen so far.
    """

    version = "ours; Holt-Winters after Hyndman and Athanasopoulos, 3rd edition"

    def __init__(
        self,
        target: float = 32.0,
        metric: Metric = "outstanding",
        season: Seconds = 86400.0,
        lead: Seconds | None = None,
        interval: Seconds = 60.0,
        confidence: Ratio = 0.9,
        scale_in_window: Seconds = 300.0,
        alpha: Ratio = 0.3,
        beta: Ratio = 0.01,
        gamma: Ratio = 0.3,
        forecaster: Any = None,
    ) -> None:
        check(metric, target, interval)
        if lead is not None and not 0 <= lead < math.inf:
            raise ValueError(f"lead is {lead:g} s; it must be 0 or more")
        if not 0 <= scale_in_window < math.inf:
            raise ValueError(f"scale_in_window is {scale_in_window:g} s; it must be 0 or more")
        self.target, self.metric, self.interval = target, metric, interval
        self._lead, self._window = lead, scale_in_window
        self.per_pod = lead is None
        given = HoltWinters(season, interval, alpha, beta, gamma, confidence) if forecaster is None else forecaster
        self._forecaster = Fresh(given)
        self._known = UNKNOWN_LEAD
        self.reset()

    def reset(self) -> None:
        """Forget all loads: a new run begins."""
        self._forecaster.reset()
        self._known = UNKNOWN_LEAD
        self._highest = Highest(max(self._window, self.lead))

    @property
    def lead(self) -> float:
        """Seconds that it looks ahead now."""
        return self._known if self._lead is None else self._lead

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted."""
        have = observation.replicas
        if self.metric in observation.missing:
            return Decision(have, "no data", {"ready": observation.ready})
        self._learn(observation)
        present = load(observation, self.metric)
        self._forecaster.now.update(now, present)
        ahead = self._forecaster.forecast(now, self.lead)
        wanted, rule, other = enough(observation, self.metric, self.target), "present load", have
        inputs = {"load": present, "lead": self.lead, "target": self.target}
        if ahead is not None:
            inputs["forecast"] = ahead
            foreseen = max(0, math.ceil(ahead / self.target - 1e-9))
            if foreseen > wanted:
                wanted, rule, other = foreseen, "forecast", wanted
            else:
                other = foreseen
        kept = min(have, self._highest.of(now, wanted))
        if wanted < kept:
            return Decision(kept, "scale-in window", inputs, runner_up=wanted)
        return Decision(wanted, rule, inputs, runner_up=other)

    def _learn(self, observation: ServiceObservation) -> None:
        """Take the mean time from start to readiness of those that are ready for the time that a replica needs."""
        if self._lead is not None:
            return
        times = [pod.ready_since - pod.started for pod in observation.pods if _started(pod)]
        if times:
            self._known = sum(times) / len(times)
            self._highest.stretch(max(self._window, self._known))


def _started(pod: PodReading) -> bool:
    return pod.ready and math.isfinite(pod.started) and math.isfinite(pod.ready_since)
