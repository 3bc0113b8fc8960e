"""Weighted water-filling: what each queue deserves of what there is.

Source: Volcano v1.16 (volcano-sh/volcano ed72c7c), ``plugins/proportion``: in rounds, what is left is dealt out by
weight; a queue that has all it asks for, or may not have more, drops out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """What a queue asks for, and the bounds of what it may get; in accelerators."""

    request: float
    weight: float = 1.0
    capability: float = math.inf
    guarantee: float = 0.0


def deserved(total: float, demands: Mapping[str, Demand]) -> dict[str, float]:
    """Return what each queue deserves of ``total``.

    ``capability`` bounds it from above and ``guarantee`` from below, whether asked for or not; what is guaranteed to
    some is nobody else's.

    >>> found = deserved(12, {"a": Demand(100, weight=1), "b": Demand(100, weight=2), "c": Demand(1, weight=3)})
    >>> {name: round(share, 3) for name, share in found.items()}
    {'a': 3.667, 'b': 7.333, 'c': 1}
    """
    guaranteed = sum(demand.guarantee for demand in demands.values())
    most = {
        name: min(demand.capability, max(0.0, total - guaranteed) + demand.guarantee)
        for name, demand in demands.items()
    }
    shares = dict.fromkeys(demands, 0.0)
    open_ = dict.fromkeys(demands)
    left = total
    while left > 1e-9 and (weights := sum(demands[name].weight for name in open_)) > 0:
        given = 0.0
        for name in list(open_):
            demand, before = demands[name], shares[name]
            share = min(before + left * demand.weight / weights, most[name], demand.request)
            shares[name] = share = max(share, demand.guarantee)
            given += share - before
            if share >= demand.request - 1e-9 or share == before:
                del open_[name]
        if abs(given) < 1e-9:
            break
        left = max(0.0, left - given)
    return shares
