"""The horizontal pod autoscaler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from simulator.core.units import Ratio, Seconds
from simulator.policies.decision import Decision
from simulator.policies.hpa import manifest
from simulator.policies.hpa.behavior import DOWNSCALE_STABILIZATION
from simulator.policies.hpa.calculator import Missing
from simulator.policies.hpa.controller import Controller, Settings
from simulator.policies.hpa.metrics import plain
from simulator.policies.hpa.samples import Startup
from simulator.policies.replicas import Metric, check
from simulator.policies.serving import ServiceObservation, replica_scalers


@replica_scalers.register("hpa")
class Hpa:
    """Kubernetes' horizontal pod autoscaler: ratios with a tolerance, held back by windows and by limits of its rate.

    ``autoscaling/v2`` of Kubernetes 1.33 (docs/autoscaler-hpa.md). One metric is said by ``metric`` and ``target``, an
    ``AverageValue``; several, and other targets, by ``metrics``, which then stands alone. ``behavior`` is the block of
    a manifest. Without it, or with ``none``, a manifest has none: at each step it at most doubles, or goes to 4 if that
    is more, and it follows the highest number of the last ``downscale_stabilization``. Bounds are ``min`` and ``max``
    of the service, and ``min_replicas`` and ``max_replicas`` within them; 0 as the fewest needs a metric of type
    ``Object`` or ``External``. Defaults of ``metric`` and ``target`` are ours, all others those of Kubernetes 1.33.
    """

    version = "Kubernetes 1.33 HorizontalPodAutoscaler (autoscaling/v2)"

    def __init__(
        self,
        target: float | None = None,
        metric: Metric | None = None,
        interval: Seconds = 15.0,
        tolerance: Ratio = 0.1,
        metrics: Sequence[Mapping[str, Any]] | None = None,
        behavior: Mapping[str, Any] | Literal["none"] | None = None,
        downscale_stabilization: Seconds = DOWNSCALE_STABILIZATION,
        cpu_initialization_period: Seconds = 300.0,
        initial_readiness_delay: Seconds = 30.0,
        missing_pods: Missing = "request",
        min_replicas: int | None = None,
        max_replicas: int | None = None,
    ) -> None:
        if metrics is not None and (target is not None or metric is not None):
            said = "target" if target is not None else "metric"
            raise ValueError(f"{said} says what metrics says, too; leave one of them out")
        by, bound = metric or "outstanding", 32.0 if target is None else target
        check(by, bound, interval)
        for name, value in (
            ("tolerance", tolerance),
            ("downscale_stabilization", downscale_stabilization),
            ("cpu_initialization_period", cpu_initialization_period),
            ("initial_readiness_delay", initial_readiness_delay),
        ):
            if not value >= 0:
                unit = "" if name == "tolerance" else " s"
                raise ValueError(f"{name} is {value:g}{unit}; it must be 0 or more")
        manifest.choice(missing_pods, "missing_pods", ("request", "target"))
        self.interval = interval
        specs = [plain(by, bound)] if metrics is None else manifest.metrics(metrics)
        self.per_pod = any(spec.per_pod for spec in specs)
        """Whether it looks at each replica by itself."""
        self._wakes = any(not spec.per_pod for spec in specs)
        startup = Startup(cpu_initialization_period, initial_readiness_delay)
        rules = manifest.behavior(behavior, downscale_stabilization)
        settings = Settings(specs, rules, tolerance, downscale_stabilization, startup, missing_pods)
        self._controller = Controller(settings)
        self._least, self._most = min_replicas, max_replicas
        self.bounds(1 if min_replicas is None else min_replicas, None)

    @property
    def minimum(self) -> int:
        """Fewest replicas; at 0 replicas it does nothing unless this is 0."""
        return self._controller.minimum

    @property
    def maximum(self) -> int | None:
        """Most replicas; None: any number."""
        return self._controller.maximum

    def bounds(self, minimum: int, maximum: int | None) -> None:
        """Set the fewest and the most replicas of the service; raise ``ValueError`` for what Kubernetes refuses.

        ``min_replicas`` and ``max_replicas`` hold within them.
        """
        fewest, most = "min" if self._least is None else "min_replicas", "max"
        if self._least is not None and 0 <= self._least < minimum:
            text = f"it must be min, which is {minimum}, or more; write min: {self._least} to go there"
            raise ValueError(f"min_replicas is {self._least}; {text}")
        least = minimum if self._least is None else self._least
        if self._most is not None and (maximum is None or self._most <= maximum):
            maximum, most = self._most, "max_replicas"
        if least < 0:
            raise ValueError(f"{fewest} is {least}; it must be 0 or more")
        if maximum is not None and maximum < max(least, 1):
            raise ValueError(f"{most} is {maximum}; it must be {max(least, 1)} or more, {fewest} being {least}")
        if least == 0 and not self._wakes:
            text = "the HPA goes to 0 and back only by a metric of type Object or External (HPAScaleToZero)"
            raise ValueError(f"{fewest} is 0; {text}")
        self._controller.minimum, self._controller.maximum = least, maximum

    def reset(self) -> None:
        """Forget earlier numbers: a new run begins."""
        self._controller.reset()

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted, with the reason that Kubernetes would give."""
        return self._controller.reconcile(now, observation)
