"""Disruption budgets of a Karpenter NodePool: how many of its nodes may be on their way out at a time.

Source: kubernetes-sigs/karpenter 1.x, pkg/apis/v1/nodepool.go (``Budget``, ``GetAllowedDisruptionsByReason``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.core.errors import did_you_mean

REASONS = ("Empty", "Underutilized", "Drifted")
_NODES = re.compile(r"(100|[0-9]{1,2})%|[0-9]+")


@dataclass(frozen=True, slots=True)
class Budget:
    """Nodes that may be disrupted at a time: a count, or a share of all; ``reasons`` that it holds for."""

    text: str
    value: float
    percent: bool
    reasons: tuple[str, ...]

    def allowed(self, total: int) -> int:
        """Return the number of nodes out of ``total``; a share is rounded up."""
        return math.ceil(self.value / 100 * total - 1e-9) if self.percent else int(self.value)


def budgets(given: Sequence[Mapping[str, Any]]) -> tuple[Budget, ...]:
    """Read budgets as a NodePool writes them: ``nodes`` ("10%" or "5") and, if it likes, ``reasons``.

    Raises ``ValueError`` for what it cannot read; ``schedule`` and ``duration`` are not modelled.
    """
    return tuple(_read(number, each) for number, each in enumerate(given, start=1))


def _read(number: int, given: Mapping[str, Any]) -> Budget:
    for key in given:
        if key in ("schedule", "duration"):
            raise ValueError(f"budget {number}: {key} is not modelled; a budget holds all the time")
        if key not in ("nodes", "reasons"):
            raise ValueError(f"budget {number}: unknown key {key!r}. {did_you_mean(str(key), ('nodes', 'reasons'))}")
    text = str(given.get("nodes", "10%")).replace(" ", "")
    if not _NODES.fullmatch(text):
        raise ValueError(f"budget {number}: nodes is {text!r}; it must be a count, or a percentage from 0% to 100%")
    wanted = given.get("reasons")
    reasons = REASONS if wanted is None else tuple(wanted)
    for reason in reasons:
        if reason not in REASONS:
            raise ValueError(f"budget {number}: reason is {reason!r}. {did_you_mean(str(reason), REASONS)}")
    return Budget(text, float(text.rstrip("%")), text.endswith("%"), reasons)


def strictest(known: Sequence[Budget], total: int, reason: str) -> tuple[float, str]:
    """Return how many of ``total`` nodes may be disrupted for a reason, and the budget that says so.

    The strictest budget holds; without any there is no limit.
    """
    limits = [(budget.allowed(total), budget.text) for budget in known if reason in budget.reasons]
    return min(limits, key=lambda limit: limit[0]) if limits else (math.inf, "")


def remarks(known: Sequence[Budget]) -> tuple[str, ...]:
    """Return what is odd about budgets: those that forbid a reason for ever, and those that another makes pointless."""
    said = []
    for at, budget in enumerate(known):
        if budget.value == 0:
            said.append(f"budget {at + 1} ({budget.text}) lets no node go for {', '.join(budget.reasons)}")
        for other in (place for place, _ in enumerate(known) if place != at):
            stricter = known[other]
            covers = stricter.percent == budget.percent and set(budget.reasons) <= set(stricter.reasons)
            if covers and (stricter.value < budget.value or (stricter.value == budget.value and other < at)):
                said.append(f"budget {at + 1} ({budget.text}) never matters: budget {other + 1} ({stricter.text}) does")
                break
    return tuple(said)
