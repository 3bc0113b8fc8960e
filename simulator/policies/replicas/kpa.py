"""Knative's pod autoscaler."""

from __future__ import annotations

import math
from typing import Literal

from simulator.core.units import Ratio, Seconds
from simulator.policies.decision import Decision
from simulator.policies.idling import HOLD, Idling
from simulator.policies.panic import TICK, Panic, PanicSpec
from simulator.policies.recent import Average
from simulator.policies.serving import ServiceObservation, replica_scalers

KpaMetric = Literal["concurrency", "rps"]
_TOTALS = {"concurrency": 100.0, "rps": 200.0}
"""Metric that a replica can bear: container-concurrency-target-default, requests-per-second-target-default."""


@replica_scalers.register("kpa")
class Kpa:
    """Knative's pod autoscaler: a slow mean in calm times, a fast one in panic, in which nothing shrinks; down to none.

    Knative Serving 1.23 (pkg/autoscaler/scaling/autoscaler.go, pkg/reconciler/autoscaling/kpa/scaler.go), defaults of
    config-autoscaler. Every 2 s: wanted = ceil(requests in flight, mean over ``stable_window`` / target), where the
    target is ``utilization`` of ``total``: 70 % of 100 requests, or of 200 /s with ``metric: rps``. When the mean over
    the panic window, ``panic_window`` of the stable one, wants ``panic_threshold`` times the replicas that are ready,
    it panics: it takes the larger of both means and never less than so far, until it was below for a whole
    stable window. In one step at most ``max_scale_up_rate`` times the ready ones, at least their number divided by
    ``max_scale_down_rate``. ``scale_down_delay`` keeps the most that was wanted in that time.

    The last replica goes after a stable window without load and then ``scale_to_zero_grace_period`` (30 s), unless the
    activator was in the path for that long already, and at the earliest ``scale_to_zero_retention`` (0 s) later. The
    activator is in the path while the excess burst capacity is negative: ready x ``total`` -
    ``target_burst_capacity`` (211) - the mean over the panic window. ``initial_scale`` replicas are wanted until they
    were ready once; ``activation_scale``, 2 or more, is the fewest that are wanted when any are. Bounds are ``min`` and
    ``max`` of the service, as min-scale and max-scale: with fewest above 0 the last replica never goes.

    With more than one replica at its first step it starts in panic. Not modelled: requests that poke the autoscaler
    between two ticks, the seconds that probing the activator takes, and the concurrency limit of a pod.
    """

    version = "Knative Serving 1.23 pod autoscaler"

    def __init__(
        self,
        metric: KpaMetric = "concurrency",
        total: float | None = None,
        utilization: Ratio = 0.7,
        stable_window: Seconds = 60.0,
        panic_window: Ratio = 0.1,
        panic_threshold: float = 2.0,
        max_scale_up_rate: float = 1000.0,
        max_scale_down_rate: float = 2.0,
        scale_down_delay: Seconds = 0.0,
        target_burst_capacity: float = 211.0,
        scale_to_zero: bool = True,
        scale_to_zero_grace_period: Seconds = 30.0,
        scale_to_zero_retention: Seconds = 0.0,
        initial_scale: int = 1,
        activation_scale: int = 0,
        interval: Seconds = TICK,
    ) -> None:
        if metric not in _TOTALS:
            raise ValueError(f"metric is {metric!r}; it must be concurrency or rps")
        total = _TOTALS[metric] if total is None else total
        spec = PanicSpec(
            target=max(0.01, total * utilization), total=total, stable_window=stable_window,
            panic_threshold=panic_threshold, max_scale_up_rate=max_scale_up_rate,
            max_scale_down_rate=max_scale_down_rate, scale_down_delay=scale_down_delay,
            target_burst_capacity=target_burst_capacity, activation_scale=activation_scale,
        )  # fmt: skip
        _check(spec, utilization, panic_window)
        if not 0 < interval < math.inf:
            raise ValueError(f"interval is {interval:g} s; it must be above 0")
        for name, time in (("grace_period", scale_to_zero_grace_period), ("retention", scale_to_zero_retention)):
            if not 0 <= time < math.inf:
                raise ValueError(f"scale_to_zero_{name} is {time:g} s; it must be 0 or more")
        if initial_scale < 0:
            raise ValueError(f"initial_scale is {initial_scale}; it must be 0 or more")
        short = max(1.0, float(round(stable_window * panic_window)))
        self.metric, self.interval = metric, interval
        self.windows = (short, stable_window) if metric == "concurrency" else ()
        """Spans of the panic and the stable window in seconds; the panic window is a whole number of them."""
        self._panic = Panic(spec)
        self._idling = Idling(stable_window, scale_to_zero_grace_period, scale_to_zero_retention, scale_to_zero)
        self._means = (Average(short), Average(stable_window))
        self._spans = (short, stable_window)
        self._initial = initial_scale
        self.bounds(0, None)
        self.reset()

    def bounds(self, minimum: int, maximum: int | None) -> None:
        """Set the fewest and the most replicas (``applyBounds`` of kpa/scaler.go); None: any number."""
        self._least, self._most = minimum, maximum

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        self._begun = False
        self._last = HOLD
        """Replicas that were wanted when there was data; ``HOLD``: there was none yet."""
        for part in (self._panic, self._idling, *self._means):
            part.reset()
        self._panic.spare = self._panic.opening(self._initial)

    @property
    def panicking(self) -> bool:
        """Whether it is in panic mode."""
        return self._panic.panicking

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted; without data what was wanted last, or those that there are."""
        have, ready = observation.replicas, observation.ready
        means = self._seen(now, observation)
        if means is None:
            decided = Decision(self._last, "no data", {"ready": ready})
        else:
            decided = self._panic.step(now, ready, means[1], means[0])
        wanted, rule, other = self._bounded(decided, have)
        needed = max(self._least, 1 if self._begun else self._initial)
        number, why = self._idling.settle(now, wanted, ready, self._panic.spare, needed)
        self._last, self._begun = int(decided), self._begun or ready >= needed
        if why and not decided == number == HOLD:
            rule, other = why, wanted
        return Decision(have if number == HOLD else number, rule, decided.inputs, runner_up=other)

    def _bounded(self, decided: Decision, have: int) -> tuple[int, str, int | None]:
        """Return what is wanted within the bounds, the rule, and what would be wanted otherwise (scale of scaler.go).

        Until ``initial_scale`` replicas were ready once, there are no fewer; a service begins with so many.
        """
        wanted = int(decided)
        if wanted < 0 and not self._idling.activating:
            return HOLD, decided.rule, None
        least, rule = self._least, "min scale"
        if not self._begun and self._initial > least and (self._initial > 1 or not have):
            least, rule = self._initial, "initial scale"
        if wanted < least and least:
            return least, rule, None if wanted < 0 else wanted
        if self._most is not None and wanted > self._most > 0:
            return self._most, "max scale", wanted
        return max(wanted, 0), decided.rule, decided.runner_up

    def _seen(self, now: float, observation: ServiceObservation) -> tuple[float, float] | None:
        """Means over the panic and the stable window: those that it is told, else of what was seen at the steps.

        None: the metric cannot be had, or is no number.
        """
        name = "outstanding" if self.metric == "concurrency" else "arrivals"
        value = float(getattr(observation, name))
        if name in observation.missing or not math.isfinite(value):
            return None
        means = [mean.of(now, value) for mean in self._means]
        if self.metric == "concurrency":
            means = [observation.window.get(span, mean) for span, mean in zip(self._spans, means, strict=True)]
        return (means[0], means[1]) if all(map(math.isfinite, means)) else None


def _check(spec: PanicSpec, utilization: float, panic_window: float) -> None:
    """Raise ``ValueError`` for what ``validate`` of pkg/autoscaler/config/config.go refuses."""
    if not 0 < spec.total < math.inf:
        raise ValueError(f"total is {spec.total:g}; it must be above 0")
    if not 0 < utilization <= 1:
        raise ValueError(f"utilization is {utilization:g}; it must be above 0 and at most 1")
    if not 6.0 <= spec.stable_window <= 3600.0:
        raise ValueError(f"stable_window is {spec.stable_window:g} s; it must be 6 s to 1 h")
    if not 0.01 <= panic_window <= 1:
        raise ValueError(f"panic_window is {panic_window:g}; it must be 1 % to 100 % of the stable window")
    if not 1.1 <= spec.panic_threshold <= 10.0:
        raise ValueError(f"panic_threshold is {spec.panic_threshold:g}; it must be 1.1 to 10")
    for name in ("max_scale_up_rate", "max_scale_down_rate"):
        if not 1 < getattr(spec, name) < math.inf:
            raise ValueError(f"{name} is {getattr(spec, name):g}; it must be above 1")
    if not 0 <= spec.scale_down_delay <= 3600.0:
        raise ValueError(f"scale_down_delay is {spec.scale_down_delay:g} s; it must be 0 s to 1 h")
    if not (spec.target_burst_capacity >= 0 or spec.target_burst_capacity == -1):
        raise ValueError(
            f"target_burst_capacity is {spec.target_burst_capacity:g}; it must be 0 or more, or -1: endless"
        )
    if spec.activation_scale < 0 or spec.activation_scale == 1:
        raise ValueError(f"activation_scale is {spec.activation_scale}; it must be 2 or more, or 0: none")
