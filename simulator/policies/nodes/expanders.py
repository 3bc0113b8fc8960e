"""Expanders: which of several groups that would help gets the new nodes.

Source: kubernetes/autoscaler 1.33, cluster-autoscaler/expander/{random,mostpods,waste,price,priority,leastnodes}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from simulator.core.errors import did_you_mean
from simulator.policies.nodes.templates import Option
from simulator.policies.supply import GroupView

_SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class Choice:
    """The option that was chosen, its score, and the next best one in words."""

    option: Option
    score: float
    runner_up: str


class Expander:
    """Scores options one criterion after the other until one is left; ties are broken at random.

    ``names`` are separated by commas, as the flag ``--expander`` has them: ``random``, ``most-pods``, ``least-waste``,
    ``price``, ``priority`` and ``least-nodes``. ``priorities`` are names of groups or patterns such as ``spot-*``, the
    most wanted first; groups that none of them matches are taken only when no other group would help.
    """

    def __init__(self, names: str, priorities: Sequence[str] = ()) -> None:
        self.names = tuple(name.strip() for name in names.split(","))
        for name in self.names:
            if name not in _SCORES and name != "random":
                raise ValueError(f"expander is {name!r}. {did_you_mean(name, [*_SCORES, 'random'])}")
        if "priority" in self.names and not priorities:
            raise ValueError("expander 'priority' goes by a list of groups: write priorities: [first, second, ...]")
        self._priorities = tuple(priorities)

    def choose(self, options: Sequence[Option], groups: Sequence[GroupView], rng: np.random.Generator) -> Choice:
        """Return the best of ``options``, of which there is at least one."""
        left = list(options)
        for name in self.names:
            if name != "random" and len(left) > 1:
                scores = _SCORES[name](left, groups, self._priorities)
                least = min(scores)
                left = [one for one, score in zip(left, scores, strict=True) if score <= least + _SLACK * abs(least)]
        best = left[0] if len(left) == 1 else left[int(rng.integers(len(left)))]
        return self._said(best, options, groups)

    def _said(self, best: Option, options: Sequence[Option], groups: Sequence[GroupView]) -> Choice:
        name = next((name for name in self.names if name != "random"), "")
        if not name:
            others = [groups[one.group].name for one in options if one is not best]
            return Choice(best, 0.0, others[0] if others else "")
        scores = _SCORES[name](options, groups, self._priorities)
        ranked = sorted((score, place) for place, score in enumerate(scores) if options[place] is not best)
        said = f"{groups[options[ranked[0][1]].group].name} ({name} {ranked[0][0]:.3g})" if ranked else ""
        return Choice(best, next(s for s, one in zip(scores, options, strict=True) if one is best), said)


def _most_pods(options: Sequence[Option], groups: Sequence[GroupView], priorities: Sequence[str]) -> list[float]:
    """Minus the jobs that are helped."""
    return [-float(one.jobs) for one in options]


def _least_nodes(options: Sequence[Option], groups: Sequence[GroupView], priorities: Sequence[str]) -> list[float]:
    """New nodes."""
    return [float(one.count) for one in options]


def _least_waste(options: Sequence[Option], groups: Sequence[GroupView], priorities: Sequence[str]) -> list[float]:
    """Sum of the shares of new cores and of new memory that nobody asked for.

    Only what is limited on the nodes of all options is compared; where neither is, the share of idle accelerators.
    """

    def waste(one: Option, side: str) -> float:
        have = one.count * float(getattr(groups[one.group], side))
        return (have - float(getattr(one, side))) / have

    def limited(side: str) -> bool:
        return all(0 < getattr(groups[one.group], side) < math.inf for one in options)

    sides = [side for side in ("cores", "memory") if limited(side)] or ["accelerators"] * limited("accelerators")
    return [math.fsum(waste(one, side) for side in sides) for one in options]


def _price(options: Sequence[Option], groups: Sequence[GroupView], priorities: Sequence[str]) -> list[float]:
    """$/s of the new nodes for each accelerator that is asked for, or for each core where nobody asks for any.

    Upstream divides by a price of pods that its cloud providers make up, and shuns unusual machine types.
    """
    side = "accelerators" if any(one.accelerators for one in options) else "cores"
    scores = [one.count * groups[one.group].price / (getattr(one, side) or one.jobs) for one in options]
    return [float(score) for score in scores]


def _priority(options: Sequence[Option], groups: Sequence[GroupView], priorities: Sequence[str]) -> list[float]:
    """Place of the group in the list; after its end for one that is not in it."""

    def place(one: Option) -> float:
        name = groups[one.group].name
        found = (place for place, text in enumerate(priorities) if name == text or fnmatchcase(name, text))
        return float(next(found, len(priorities)))

    return [place(one) for one in options]


_SCORES: dict[str, Callable[[Sequence[Option], Sequence[GroupView], Sequence[str]], list[float]]] = {
    "most-pods": _most_pods,
    "least-waste": _least_waste,
    "price": _price,
    "priority": _priority,
    "least-nodes": _least_nodes,
}
