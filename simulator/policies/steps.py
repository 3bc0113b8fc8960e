"""Step scaling of AWS, for anything that is counted: how far beyond a threshold, so much more or less."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from simulator.policies.alarms import Alarm
from simulator.policies.capacity import Capacity
from simulator.policies.decision import Decision

Adjustment = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
"""What the number of a step means: members more or less, members, or per cent of what there is."""

OUT: Sequence[Mapping[str, Any]] = (
    {"lower": 0.0, "upper": 0.1, "adjustment": 0},
    {"lower": 0.1, "upper": 0.2, "adjustment": 10},
    {"lower": 0.2, "adjustment": 30},
)
"""Example of the EC2 guide, with the metric as a share: nothing up to 10 % above, then 10 % more, then 30 %."""
IN: Sequence[Mapping[str, Any]] = (
    {"lower": -0.1, "upper": 0.0, "adjustment": 0},
    {"lower": -0.2, "upper": -0.1, "adjustment": -10},
    {"upper": -0.2, "adjustment": -30},
)
"""The same for shrinking."""


@dataclass(frozen=True, slots=True)
class Step:
    """An adjustment for breaches from ``lower`` to ``upper``, which are distances from the threshold."""

    adjustment: float
    lower: float = -math.inf
    upper: float = math.inf


def changed(current: int, adjustment: float, kind: Adjustment, least: int = 0) -> int:
    """Capacity after an adjustment, never negative.

    Rounding (Amazon EC2 Auto Scaling user guide, 2025, "Scaling adjustment types"): per cent of what there is, above 1
    down, between 0 and 1 to 1, between 0 and -1 to -1, below -1 towards 0; ``least`` is MinAdjustmentMagnitude, the
    fewest members by which a percentage changes anything.

    >>> [changed(10, percent, "PercentChangeInCapacity") - 10 for percent in (127, 6.7, -5.8, -66.7)]
    [12, 1, -1, -6]
    >>> changed(4, 25, "PercentChangeInCapacity", least=2)
    6
    """
    if kind == "ExactCapacity":
        return max(0, int(adjustment))
    if kind == "ChangeInCapacity":
        return max(0, current + int(adjustment))
    exact = current * adjustment / 100.0
    size = max(math.floor(abs(exact) + 1e-9), 1 if exact else 0, least if adjustment else 0)
    return max(0, current + (size if adjustment > 0 else -size))


def ladder(steps: Sequence[Mapping[str, Any]], kind: Adjustment, name: str) -> tuple[Step, ...]:
    """Return the steps that mappings of ``lower``, ``upper`` and ``adjustment`` describe, lowest first.

    Rules of AWS (Amazon EC2 Auto Scaling API reference, ``StepAdjustment``): ranges neither overlap nor leave a gap; a
    bound that is left out is infinite, and no step leaves out both; ranges that go below the threshold go on without
    end, and so do those that go above it. Raises ``ValueError``.
    """
    made = sorted((_step(step, kind, f"{name}[{index}]") for index, step in enumerate(steps)), key=lambda s: s.lower)
    for below, above in itertools.pairwise(made):
        if below.upper != above.lower:
            what = "overlap" if below.upper > above.lower else "leave a gap"
            raise ValueError(f"{name}: ranges {what}: one ends at {below.upper:g}, the next begins at {above.lower:g}")
    if made and -math.inf < made[0].lower < 0:
        raise ValueError(f"{name}: the lowest range begins at {made[0].lower:g}; leave its lower bound out")
    if made and 0 < made[-1].upper < math.inf:
        raise ValueError(f"{name}: the highest range ends at {made[-1].upper:g}; leave its upper bound out")
    return tuple(made)


def _step(given: Mapping[str, Any], kind: Adjustment, name: str) -> Step:
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is {given!r}; it must be like {{lower: 0, upper: 10, adjustment: 1}}")
    unknown = [key for key in given if key not in ("lower", "upper", "adjustment")]
    if unknown or given.get("adjustment") is None:
        wrong = f"has no key {unknown[0]!r}" if unknown else "has no adjustment"
        raise ValueError(f"{name} {wrong}; a step has adjustment, and lower or upper or both")
    said = {key: value for key, value in given.items() if value is not None}
    if len(said) == 1:
        raise ValueError(f"{name} has neither lower nor upper; a step has at least one of them")
    numbers = {"lower": -math.inf, "upper": math.inf} | said
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise ValueError(f"{name}.{key} is {value!r}; it must be a number")
    if math.isinf(numbers["adjustment"]):
        raise ValueError(f"{name}.adjustment is {numbers['adjustment']:g}; it must be a finite number")
    step = Step(float(numbers["adjustment"]), float(numbers["lower"]), float(numbers["upper"]))
    if not step.lower < step.upper:
        raise ValueError(f"{name}: lower {step.lower:g} is not below upper {step.upper:g}")
    if kind != "PercentChangeInCapacity" and step.adjustment != int(step.adjustment):
        raise ValueError(f"{name}.adjustment is {step.adjustment:g}; it must be whole for {kind}")
    if kind == "ExactCapacity" and step.adjustment < 0:
        raise ValueError(f"{name}.adjustment is {step.adjustment:g}; it must be 0 or more for {kind}")
    return step


class Side:
    """One policy with its alarm: what is done when a metric is at or above a threshold, or at or below one."""

    def __init__(
        self,
        above: bool,
        threshold: float,
        steps: Sequence[Mapping[str, Any]],
        kind: Adjustment,
        least: int,
        periods: int,
    ) -> None:
        name = "out" if above else "in"
        if kind not in get_args(Adjustment):
            raise ValueError(f"adjustment_type is {kind!r}; it must be one of {', '.join(get_args(Adjustment))}")
        if not math.isfinite(threshold):
            raise ValueError(f"{name}_threshold is {threshold:g}; it must be a finite number")
        if least < 0:
            raise ValueError(f"min_adjustment_magnitude is {least}; it must be 0 or more")
        self._above, self._threshold, self._kind, self._least = above, threshold, kind, least
        self._steps = ladder(steps, kind, f"{name}_steps")
        self.alarm = Alarm(operator.ge if above else operator.le, threshold, periods, name=f"{name}_periods")

    def step(self, value: float) -> Step | None:
        """The step for a value: above the threshold a lower bound belongs to its step, below it an upper one does."""
        breach = round(value - self._threshold, 9)
        for step in self._steps:
            if step.lower <= breach < step.upper if self._above else step.lower < breach <= step.upper:
                return step
        return None

    def wanted(self, step: Step, current: int) -> int:
        """Capacity after a step."""
        return changed(current, step.adjustment, self._kind, self._least)


class StepScaling:
    """A policy that grows and one that shrinks; when both alarms are on, the one that grows goes first."""

    def __init__(self, out: Side, into: Side, capacity: Capacity, warming: bool) -> None:
        self._out, self._in, self._capacity, self._warming = out, into, capacity, warming

    def reset(self) -> None:
        """Forget earlier datapoints and changes: a new run begins."""
        self._out.alarm.reset()
        self._in.alarm.reset()
        self._capacity.reset()

    def step(self, now: float, ready: int, coming: int, mean: float | None) -> Decision:
        """Return how many are wanted; arguments as for ``Tracking.step``."""
        have = ready + coming
        warm = self._capacity.warm(now, ready)
        high, low = self._out.alarm.see(mean), self._in.alarm.see(mean)
        if mean is None:
            return Decision(have, "no data", {"ready": ready, "coming": coming})
        inputs = {"metric": mean, "ready": ready, "coming": coming}
        step = self._out.step(mean) if high else self._in.step(mean) if low else None
        if step is None:
            return Decision(have, "no step" if high or low else "no alarm", inputs)
        inputs["adjustment"] = step.adjustment
        if high:
            current = self._capacity.base(now, warm if self._warming else have)
            wanted = self._out.wanted(step, current)
            number, rule = self._capacity.grow(now, have, wanted) if wanted != current else (have, "step of 0")
        else:
            wanted = self._in.wanted(step, have)
            number, rule = self._capacity.shrink(now, have, coming, wanted) if wanted != have else (have, "step of 0")
        return Decision(
            number, rule or ("alarm high" if high else "alarm low"), inputs, runner_up=wanted if rule else have
        )
