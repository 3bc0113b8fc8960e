"""Coming and going for nothing: nodes that worked for less time than they booted, jobs that are stopped again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.metrics.measure import ratio
from simulator.metrics.scaling import Life, groups, lives
from simulator.metrics.window import Window, number

AGAIN = 3600.0
"""Seconds after a stop within which a second one of the same job counts as thrash (ours)."""


@dataclass(frozen=True, slots=True)
class Churn:
    """Nodes that came and went and jobs that were stopped, from the warm-up to the end."""

    hours: float
    added: float
    """Nodes that autoscalers asked for."""
    removed: float
    short: int
    """Nodes that went after less time of work than they had booted, but for those that the provider took back."""
    wasted: float
    """Seconds for which these booted and were there."""
    dollars: float
    """What these cost; NaN where the record has no prices of groups."""
    stops: int
    """Times that jobs were stopped: preempted, evicted, or by a failure."""
    again: int
    """Of these, within an hour of the stop of the same job before."""
    worst: str
    """The job that was stopped most often, if more than once; empty otherwise."""
    most: int
    """How often it was."""

    @property
    def per_hour(self) -> float:
        """Nodes that came or went, per hour."""
        return ratio(self.added + self.removed, self.hours)


def short_lived(stays: Sequence[Life]) -> list[Life]:
    """Stays of nodes that ended after less time than the node had booted.

    >>> short_lived([Life("n0", 200.0, 300.0, 420.0), Life("n1", 200.0, 300.0, 900.0)])
    [Life(server='n0', boot=200.0, up=300.0, down=420.0)]
    """
    return [life for life in stays if life.down - life.up < life.boot]


def stopped_again(subject: np.ndarray, time: np.ndarray, within: float = AGAIN) -> int:
    """How many stops came within ``within`` seconds of the stop of the same job before; ``time`` is in order.

    >>> stopped_again(np.array(["a", "b", "a"], dtype=object), np.array([0.0, 10.0, 60.0]))
    1
    """
    last: dict[str, float] = {}
    count = 0
    for name, now in zip(subject.tolist(), time.tolist(), strict=True):
        count += now - last.get(name, -math.inf) <= within
        last[name] = now
    return count


def found(window: Window) -> Churn:
    """What came and went for nothing in a run."""
    event, subject = window.column("events", "event"), window.column("events", "subject")
    time, amount = window.column("events", "time"), window.column("events", "amount")
    after = time >= window.warmup
    added, removed = (
        float(amount[after & np.asarray(event == name, dtype=bool)].sum()) for name in ("scale-up", "scale-down")
    )
    back: dict[str, list[float]] = {}
    for row in np.flatnonzero(np.asarray(event == "interruption", dtype=bool)).tolist():
        back.setdefault(str(subject[row]), []).append(float(time[row]))
    stays = [
        life for life in short_lived(lives(window))
        if life.up >= window.warmup and not any(life.up <= taken <= life.down for taken in back.get(life.server, ()))
    ]  # fmt: skip
    stops = after & np.asarray(event == "preempt", dtype=bool)
    names, counts = np.unique(subject[stops].astype(str), return_counts=True)
    most = int(counts.max(initial=0))
    return Churn(
        (window.end - window.warmup) / 3600.0, added, removed, len(stays),
        math.fsum(life.boot + life.down - life.up for life in stays), _dollars(window, stays), int(stops.sum()),
        stopped_again(subject[stops], time[stops]), str(names[counts.argmax()]) if most > 1 else "", most,
    )  # fmt: skip


def _dollars(window: Window, stays: Sequence[Life]) -> float:
    told = groups(window)
    if not told:
        return math.nan
    prices = [number(told[name].get("price")) if (name := group_of(life.server, told)) else math.nan for life in stays]
    return math.fsum(price * (life.boot + life.down - life.up) for price, life in zip(prices, stays, strict=True))


def group_of(server: str, told: Mapping[str, Mapping[str, object]]) -> str:
    """The node group of a server: the one that lists it under ``servers``, the longest name that it begins with, or
    the only one; empty when nothing tells.

    >>> group_of("spot-h100-7", {"spot": {}, "spot-h100": {}, "od": {}})
    'spot-h100'
    """
    for name, group in told.items():
        listed = group.get("servers")
        if isinstance(listed, list | tuple) and server in listed:
            return name
    begins = [name for name in told if server.startswith(name)]
    if begins:
        return max(begins, key=len)
    return next(iter(told)) if len(told) == 1 else ""
