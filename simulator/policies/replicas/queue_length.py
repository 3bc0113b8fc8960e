"""As many replicas as the queue is long."""

from __future__ import annotations

import math

from simulator.core.units import Seconds
from simulator.policies.decision import Decision
from simulator.policies.recent import Highest
from simulator.policies.serving import ServiceObservation, replica_scalers


@replica_scalers.register("queue-length")
class QueueLength:
    """One replica for so many requests that wait; it shrinks to the most it wanted of late.

    Ours, after the rule of thumb for queues in the Amazon EC2 Auto Scaling user guide (2025, "Scaling policy based on
    Amazon SQS"): wanted = ceil(queued / ``per_replica``), the backlog per instance that is acceptable, which is
    ``latency`` / ``task_seconds`` where these are given: how long a request may wait, over how long one takes. With
    ``in_flight`` those that are running count too, as messages in flight do for KEDA 2.20's aws-sqs-queue scaler, whose
    ``queueLength`` of 5 is the default. Growing is at once; shrinking goes to the most that was wanted in the last
    ``scale_in_delay`` (300 s, KEDA's cooldownPeriod), and not below 1 while a request has not ended.
    """

    version = "ours, after the Amazon EC2 Auto Scaling user guide of 2025 and KEDA 2.20"

    def __init__(
        self,
        per_replica: float = 5.0,
        latency: Seconds | None = None,
        task_seconds: Seconds | None = None,
        in_flight: bool = False,
        scale_in_delay: Seconds = 300.0,
        interval: Seconds = 30.0,
    ) -> None:
        if (latency is None) != (task_seconds is None):
            given, other = ("latency", "task_seconds") if task_seconds is None else ("task_seconds", "latency")
            raise ValueError(f"{given} is given without {other}; it must have both or neither")
        if latency is not None and task_seconds is not None:
            if not 0 < task_seconds < math.inf:
                raise ValueError(f"task_seconds is {task_seconds:g} s; it must be above 0")
            per_replica = latency / task_seconds
        if not 0 < per_replica < math.inf:
            raise ValueError(f"per_replica is {per_replica:g}; it must be above 0")
        if not 0 <= scale_in_delay < math.inf:
            raise ValueError(f"scale_in_delay is {scale_in_delay:g} s; it must be 0 or more")
        if not 0 < interval < math.inf:
            raise ValueError(f"interval is {interval:g} s; it must be above 0")
        self.per_replica, self.interval = per_replica, interval
        self._in_flight = in_flight
        self._highest = Highest(scale_in_delay)

    def reset(self) -> None:
        """Forget earlier numbers: a new run begins."""
        self._highest.reset()

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted."""
        have = observation.replicas
        if "queued" in observation.missing:
            return Decision(have, "no data", {"ready": observation.ready})
        backlog = observation.queued + (observation.running if self._in_flight else 0.0)
        wanted = math.ceil(backlog / self.per_replica - 1e-9)
        rule = "queue"
        if wanted == 0 and observation.outstanding > 0:
            wanted, rule = 1, "work left"
        inputs = {"backlog": backlog, "per replica": self.per_replica}
        lately = self._highest.of(now, wanted)
        if wanted >= have:
            return Decision(wanted, rule, inputs, runner_up=have)
        kept = min(have, lately)
        if kept > wanted:
            return Decision(kept, "scale-in delay", inputs, runner_up=wanted)
        return Decision(wanted, rule, inputs, runner_up=have)
