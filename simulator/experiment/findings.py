"""What is wrong with how a cluster was scaled, in sentences with numbers and with what to do about it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.experiment.story import duration, many
from simulator.metrics import churn, optimum, scaling, waste
from simulator.metrics.oscillation import Swings
from simulator.metrics.window import Window

if TYPE_CHECKING:
    from simulator.experiment.results import Results

UNDONE, FEWEST = 0.3, 3
"""Share of the scale-ups that was undone, and how many were, from which on a controller is said to swing (ours)."""
STEADY = 0.5
"""Correlation of a number with itself one period later from which on the period is told (ours)."""
SHORT = 3
"""Nodes that went after less work than boot from which on they are told of (ours)."""
AGAIN = 2
"""Stops within an hour of one of the same job from which on they are called thrash (ours)."""
REGRET = 0.5
"""Share above the optimum from which on a number is said to be too high (ours)."""
COSTLY = 0.1
"""Share of all costs from which on a cause of waste is told (ours)."""
REMEDIES = {
    "hpa": "raise behavior.scaleDown.stabilizationWindowSeconds",
    "keda": "raise cooldownPeriod, or the stabilisation window of its HPA",
    "kpa": "raise scale-down-delay or the stable window",
    "target-tracking": "raise the cooldown of the way in",
    "step-scaling": "raise the cooldown, or leave a gap between the two alarms",
    "cluster-autoscaler": "raise --scale-down-unneeded-time",
    "karpenter": "raise consolidateAfter, or lower the disruption budget",
    "slurm-power-saving": "raise SuspendTime",
    "spark-dynamic-allocation": "raise executorIdleTimeout",
    "dask-adaptive": "raise wait_count",
}
"""What damps a controller, in its product's own terms."""
_DAMP = "raise its cooldown or stabilisation"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in one run: of what kind, with what, in a sentence, with its numbers."""

    alternative: str
    replication: int
    kind: str
    """``oscillation``, ``churn``, ``thrash``, ``over-provisioning`` or ``waste``."""
    subject: str
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


def findings(results: Results) -> list[Finding]:
    """What is wrong in the first replication of each alternative, the alternatives in their order."""
    found = []
    for alternative in results.alternatives:
        number, window = next(iter(results.windows(alternative).items()))
        found += [Finding(alternative, number, *each) for each in of_run(window)]
    return found


_Found = tuple[str, str, str, dict[str, float]]
"""Kind, subject, sentence, numbers."""


def of_run(window: Window) -> list[_Found]:
    """What is wrong in one run: kind, subject, sentence and numbers of each finding."""
    swings = [each for each in scaling.found(window) if each.undone >= FEWEST and each.undo_ratio >= UNDONE]
    return [*map(_swinging, swings), *_churning(churn.found(window)), *_too_many(window), *_wasted(window)]


def _swinging(swings: Swings) -> _Found:
    steady = swings.strength >= STEADY
    period = f"period {duration(swings.period)}, " if steady else ""
    remedy = REMEDIES.get(_kind(swings.controller), _DAMP)
    text = (
        f"{swings.controller} of {swings.subject} {'oscillates' if steady else 'goes back and forth'}: {period}"
        f"{swings.undone} of {many(swings.ups, 'scale-up')} undone within {duration(swings.within)}, "
        f"{swings.per_hour:.3g} changes an hour: {remedy} to more than {duration(swings.back)}."
    )
    numbers = {
        "period": swings.period, "strength": swings.strength, "ups": float(swings.ups), "undone": float(swings.undone),
        "within": swings.within, "back": swings.back, "per_hour": swings.per_hour,
    }  # fmt: skip
    return "oscillation", swings.subject, text, numbers


def _kind(controller: str) -> str:
    """How scenarios spell a controller that is told by the name of its class.

    >>> _kind("TargetTracking"), _kind("hpa")
    ('target-tracking', 'hpa')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", controller).lower()


def _churning(churned: churn.Churn) -> list[_Found]:
    found: list[_Found] = []
    if churned.short >= SHORT:
        cost = f", for ${churned.dollars:,.2f}" if churned.dollars == churned.dollars else ""
        text = (
            f"{many(churned.short, 'node')} went after less time of work than they had booted{cost}; "
            f"{churned.per_hour:.3g} nodes came or went an hour: let idle nodes stay longer."
        )
        found.append(("churn", "nodes", text, {"short": float(churned.short), "dollars": churned.dollars}))
    if churned.again >= AGAIN:
        text = (
            f"{churned.worst} was stopped {churned.most} times; {churned.again} of {many(churned.stops, 'stop')} came "
            "within an hour of one of the same job: protect jobs that were stopped, or let them keep more of their "
            "work with checkpoints."
        )
        numbers = {"stops": float(churned.stops), "again": float(churned.again), "most": float(churned.most)}
        found.append(("thrash", churned.worst, text, numbers))
    return found


def _too_many(window: Window) -> list[_Found]:
    found: list[_Found] = []
    for name in optimum.scaled(window):
        used, least = optimum.service_seconds(window, name)
        if optimum.regret(used, least) >= REGRET:
            text = (
                f"{name} held {used / 3600:,.0f} replica-hours where {least / 3600:,.0f} would have done with instant "
                f"scaling ({used / least:.2g} times as many): a higher target, or a faster start, comes nearer."
            )
            found.append(("over-provisioning", name, text, {"used": used, "least": least}))
    used, least = optimum.node_seconds(window)
    if optimum.regret(used, least) >= REGRET:
        text = (
            f"Nodes were paid for over {used / 3600:,.0f} accelerator-hours where {least / 3600:,.0f} would have done "
            "with nodes that come at once."
        )
        found.append(("over-provisioning", "nodes", text, {"used": used, "least": least}))
    return found


def _wasted(window: Window) -> list[_Found]:
    parts = [value for value in (window.record.facts.get("cost") or {}).values() if value is not None]
    total = math.fsum(float(value) for value in parts if value == value)
    found: list[_Found] = []
    for cause, spent in waste.dollars(window).items():
        if total > 0 and spent >= COSTLY * total:
            text = f"${spent:,.2f} of ${total:,.2f} ({spent / total:.0%}) went into {waste.CAUSES[cause]}."
            found.append(("waste", cause, text, {"dollars": spent, "share": spent / total}))
    return found
