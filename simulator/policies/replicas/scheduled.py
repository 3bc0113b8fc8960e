"""Numbers of replicas by the time of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.decision import Decision
from simulator.policies.nested import scaler
from simulator.policies.schedules import Schedule
from simulator.policies.serving import ServiceObservation, replica_scalers

NIGHT_AND_DAY: Sequence[Mapping[str, Any]] = ({"at": 8 * 3600.0, "replicas": 2}, {"at": 20 * 3600.0, "replicas": 1})


@replica_scalers.register("scheduled")
class Scheduled:
    """At least so many replicas from a time of day on, alone or under another autoscaler.

    Scheduled actions of AWS Application Auto Scaling (user guide, 2025, "How scheduled scaling works"): at its time an
    action sets the least and, with ``max``, the most; what there is comes within these bounds at once, and scaling
    policies go on within them. ``schedule`` lists ``{at, replicas, max}`` within one ``period`` (a day), as "8 h" or
    "08:30". The run begins at the beginning of a period; before the first entry the last one holds. ``base`` is another
    autoscaler, ``{kind: hpa, target: 10}``: the larger number counts, cut at ``max``. Without one the number is that of
    the schedule. ``interval`` is that of ``base``; else 60 s, as cron knows no shorter time. The default schedule, 2 by
    day and 1 by night, is ours.
    """

    version = "AWS Application Auto Scaling scheduled actions (2016-02-06, read 2025)"

    def __init__(
        self,
        schedule: Sequence[Mapping[str, Any]] = NIGHT_AND_DAY,
        period: Seconds = 86400.0,
        base: Any = None,
        interval: Seconds | None = None,
    ) -> None:
        self._schedule = Schedule(schedule, period)
        self._base = None if base is None else scaler(base)
        own = 60.0 if self._base is None or not self._base.interval else self._base.interval
        self.interval = own if interval is None else interval
        if not self.interval > 0:
            raise ValueError(f"interval is {self.interval:g} s; it must be above 0")
        self.windows = tuple(getattr(self._base, "windows", ()))
        """Spans of the means that ``base`` asks for, in seconds."""
        self.per_pod = bool(getattr(self._base, "per_pod", False))

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        again = getattr(self._base, "reset", None)
        if callable(again):
            again()

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted."""
        entry = self._schedule.entry(now)
        inputs: dict[str, float] = {"at least": entry.replicas, "from": entry.at}
        if self._base is None:
            return Decision(entry.replicas, "schedule", inputs, runner_up=observation.replicas)
        wanted = self._base.step(now, observation)
        inputs |= {"base": int(wanted)} | dict(getattr(wanted, "inputs", {}))
        if entry.replicas > wanted:
            return Decision(entry.replicas, "schedule", inputs, runner_up=int(wanted))
        if wanted > entry.maximum:
            return Decision(int(entry.maximum), "schedule: max", inputs, runner_up=int(wanted))
        return Decision(int(wanted), getattr(wanted, "rule", "") or "base", inputs, runner_up=entry.replicas)
