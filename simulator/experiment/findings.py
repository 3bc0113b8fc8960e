"""What is wrong with how a cluster was scaled, in sentences with numbers and with what to do about it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.experiment import shortfalls
from simulator.experiment.explain import chosen
from simulator.experiment.story import duration, many
from simulator.metrics import churn, demandcycle, optimum, scaling, waste
from simulator.metrics.oscillation import Swings
from simulator.metrics.window import Window

if TYPE_CHECKING:
    import pandas as pd

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
    "hpa": "raise behavior.scaleDown.stabilizationWindowSeconds to more than {back}",
    "keda": "raise behavior.scaleDown.stabilizationWindowSeconds of its HPA, or cooldownPeriod, to more than {back}",
    "kpa": "raise scale-down-delay or the stable window to more than {back}",
    "target-tracking": "raise the cooldown of the way in to more than {back}",
    "step-scaling": "raise the cooldown to more than {back}, or leave a gap between the two alarms",
    "cluster-autoscaler": "raise --scale-down-unneeded-time to more than {back}",
    "karpenter": "raise consolidateAfter to more than {back}",
    "slurm-power-saving": "raise SuspendTime to more than {back}",
    "spark-dynamic-allocation": "raise executorIdleTimeout to more than {back}",
    "dask-adaptive": "raise wait_count until that many intervals are more than {back}",
}
"""What damps a controller, in its product's own terms; ``back`` is the time after which scale-ups were undone."""
_DAMP = "raise its cooldown or stabilisation to more than {back}"
_FOLLOWS = 0.2
"""Share of the period of the demand from which on what is undone no sooner follows the demand (ours)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in one run: of what kind, with what, in a sentence, with its numbers."""

    alternative: str
    replication: int
    kind: str
    """``oscillation``, ``following``, ``taken-back``, ``unplaced``, ``never-started``, ``waiting``, ``churn``,
    ``thrash``, ``over-provisioning`` or ``waste``."""
    subject: str
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


class Findings(list[Finding]):
    """Findings in order, and the same as a table."""

    @property
    def frame(self) -> pd.DataFrame:
        """A pandas frame with the fields of a finding as columns; ``numbers`` holds mappings."""
        import pandas as pd

        names = ["alternative", "replication", "kind", "subject", "text", "numbers"]
        return pd.DataFrame([[getattr(each, name) for name in names] for each in self], columns=names)


def findings(results: Results, *, alternative: str | None = None, replication: int | None = None) -> Findings:
    """What is wrong in each alternative, in their order, or in the one that is named.

    Of each the first replication is looked at, or the one that is asked for. Raises ``InputError`` for an alternative
    or a replication that is not there.
    """
    found = []
    for name in results.alternatives if alternative is None else [alternative]:
        which, number = chosen(results, name, replication)
        found += [Finding(which, number, *each) for each in of_run(results.windows(which)[number])]
    return Findings(found)


_Found = tuple[str, str, str, dict[str, float]]
"""Kind, subject, sentence, numbers."""


def of_run(window: Window) -> list[_Found]:
    """What is wrong in one run: kind, subject, sentence and numbers of each finding."""
    swings = [each for each in scaling.found(window) if each.undone >= FEWEST and each.undo_ratio >= UNDONE]
    demands = demandcycle.periods(window) if swings else {}
    return [
        *(_swinging(each, demandcycle.followed(each.period, demands)) for each in swings),
        *_taken_back(window), *shortfalls.of_run(window), *_churning(churn.found(window)), *_too_many(window),
        *_wasted(window),
    ]  # fmt: skip


def _swinging(swings: Swings, demand: float) -> _Found:
    """What is said of a number that swings; ``demand`` is the period (s) of a demand of the same period, or NaN."""
    steady = swings.strength >= STEADY
    same = steady and demand == demand
    numbers = {
        "period": swings.period, "strength": swings.strength, "ups": float(swings.ups), "undone": float(swings.undone),
        "within": swings.within, "back": swings.back, "per_hour": swings.per_hour, "demand": demand,
    }  # fmt: skip
    who = f"{swings.controller} of {swings.subject}"
    count = f"{swings.undone:,} of {many(swings.ups, 'scale-up')} undone within {duration(swings.within)}"
    if same and swings.back >= _FOLLOWS * demand:
        text = f"{who} follows the demand, which repeats every {duration(demand)}: {count}, no swings of its own."
        return "following", swings.subject, text, numbers
    period = f"period {duration(swings.period)}, " if steady and not same else ""
    verb = "oscillates" if period else "goes back and forth"
    verb += f" faster than the demand, which repeats every {duration(demand)}" if same else ""
    remedy = REMEDIES.get(_kind(swings.controller), _DAMP).format(back=duration(swings.back))
    text = f"{who} {verb}: {period}{count}, {swings.per_hour:.3g} changes an hour: {remedy}."
    return "oscillation", swings.subject, text, numbers


def _taken_back(window: Window) -> list[_Found]:
    """Groups whose nodes the provider took back about as fast as they were asked for."""
    found: list[_Found] = []
    for group in scaling.taken(window):
        if group.back >= FEWEST and group.back >= UNDONE * group.asked:
            stay = f", after {duration(group.stay)} of work in the median" if group.stay == group.stay else ""
            text = (
                f"{many(group.back, 'node')} of {group.group} were taken back by the provider{stay}; {group.asked:,} "
                "were asked for meanwhile. No setting of the autoscaler changes that."
            )
            numbers = {"back": float(group.back), "asked": float(group.asked), "stay": group.stay}
            found.append(("taken-back", group.group, text, numbers))
    return found


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
            f"{churned.worst} was stopped {churned.most:,} times; {churned.again:,} of {many(churned.stops, 'stop')} "
            "came within an hour of one of the same job: protect jobs that were stopped, or let them keep more of "
            "their work with checkpoints."
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
                f"{name} held {hours(used)} replica-hours where {hours(least)} would have done with instant "
                f"scaling ({used / least:,.3g} times as many): a higher target, or a faster start, comes nearer."
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


def hours(seconds: float) -> str:
    """Hours of so many seconds in at least three digits, so that two that differ look different.

    >>> hours(3600.0 * 2.24), hours(3600.0 * 1234.5), hours(6.3e13)
    ('2.24', '1,234', '17,500,000,000')
    """
    value = seconds / 3600.0
    if 0 < value < 1000.0:
        return f"{value:.3g}"
    value = float(f"{value:.4g}") if value >= 1e6 else value
    return f"{value:,.0f}"


def _wasted(window: Window) -> list[_Found]:
    parts = [value for value in (window.record.facts.get("cost") or {}).values() if value is not None]
    total = math.fsum(float(value) for value in parts if value == value)
    found: list[_Found] = []
    for cause, spent in waste.dollars(window).items():
        if total > 0 and spent >= COSTLY * total:
            text = f"${spent:,.2f} of ${total:,.2f} ({spent / total:.0%}) went into {waste.CAUSES[cause]}."
            found.append(("waste", cause, text, {"dollars": spent, "share": spent / total}))
    return found
