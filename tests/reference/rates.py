"""Max-min fair rates from the definition, by methods that share nothing with the package.

A flow is a list of link numbers; a link that stands there twice carries each byte twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

Flows = Sequence[Sequence[int]]


def by_linear_programs(flows: Flows, capacity: Sequence[float], limits: Sequence[float] | None = None) -> list[float]:
    """Maximise the smallest rate, fix the flows that cannot have more, and repeat with the rest.

    A flow cannot have more when its rate, maximised with nobody else below the level, is the level itself. Rates are
    scaled so that the largest capacity is 1; HiGHS is exact to about 1e-9 of that.
    """
    if not flows:
        return []
    scale = max(capacity, default=0.0) or 1.0
    uses = np.zeros((len(capacity), len(flows)))
    for flow, route in enumerate(flows):
        for link in route:
            uses[link, flow] += 1.0
    room = np.asarray(capacity, dtype=float) / scale
    most = [
        None if limits is None or limits[flow] == float("inf") else limits[flow] / scale for flow in range(len(flows))
    ]
    fixed: dict[int, float] = {}
    while len(fixed) < len(flows):
        level = _highest_level(uses, room, most, fixed)
        held = [
            f
            for f in range(len(flows))
            if f not in fixed and _highest(uses, room, most, fixed, level, f) <= level + 1e-7
        ]
        assert held, "a level that holds nobody back is not the highest"
        fixed.update(dict.fromkeys(held, level))
    return [fixed[flow] * scale for flow in range(len(flows))]


def _highest_level(uses: np.ndarray, room: np.ndarray, most: Sequence[float | None], fixed: dict[int, float]) -> float:
    count = uses.shape[1]
    free = [flow for flow in range(count) if flow not in fixed]
    # variables: the rates, then the level
    bounds = [(fixed[f], fixed[f]) if f in fixed else (0.0, most[f]) for f in range(count)] + [(0.0, None)]
    at_least = np.zeros((len(free), count + 1))
    for row, flow in enumerate(free):
        at_least[row, flow], at_least[row, count] = -1.0, 1.0
    above = np.vstack([np.hstack([uses, np.zeros((len(room), 1))]), at_least])
    objective = np.zeros(count + 1)
    objective[count] = -1.0
    return -_solve(objective, above, np.r_[room, np.zeros(len(free))], bounds)


def _highest(
    uses: np.ndarray, room: np.ndarray, most: Sequence[float | None], fixed: dict[int, float], level: float, flow: int
) -> float:
    count = uses.shape[1]
    floor = level * (1 - 1e-12)
    bounds = [(fixed[f], fixed[f]) if f in fixed else (min(floor, m if (m := most[f]) is not None else floor), most[f])
              for f in range(count)]  # fmt: skip
    objective = np.zeros(count)
    objective[flow] = -1.0
    return -_solve(objective, uses, room, bounds)


def _solve(objective: np.ndarray, above: np.ndarray, right: np.ndarray, bounds: list) -> float:
    found = linprog(objective, A_ub=above, b_ub=right, bounds=bounds, method="highs",
                    options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})  # fmt: skip
    assert found.status == 0, found.message
    return float(found.fun)


def by_rationals(flows: Flows, capacity: Sequence[float], limits: Sequence[float] | None = None) -> list[Fraction]:
    """Raise all rates together, in exact arithmetic; when a link is full or a limit reached, those flows stop."""
    uses = [{link: list(route).count(link) for link in route} for route in flows]
    bound = [None if limits is None or limits[f] == float("inf") else Fraction(limits[f]) for f in range(len(flows))]
    rate = [Fraction(0)] * len(flows)
    rising = [flow for flow in range(len(flows)) if uses[flow] or bound[flow] is not None]
    room = [Fraction(value) for value in capacity]
    while rising:
        weight = {link: sum(uses[f].get(link, 0) for f in rising) for f in rising for link in uses[f]}
        steps = [room[link] / heavy for link, heavy in weight.items()]
        steps += [bound[flow] - rate[flow] for flow in rising if bound[flow] is not None]
        step = min(steps)
        for flow in rising:
            rate[flow] += step
        for link, heavy in weight.items():
            room[link] -= step * heavy
        full = {link for link in weight if room[link] == 0}
        rising = [f for f in rising if not full & uses[f].keys() and rate[f] != bound[f]]
    return rate


def by_levels(flows: Flows, capacity: Sequence[float]) -> list[float]:
    """Fill the tightest link, and again without its flows, in floats: for cases too long for exact arithmetic."""
    rate, room = [0.0] * len(flows), {link: float(capacity[link]) for route in flows for link in route}
    rising = dict.fromkeys(range(len(flows)))
    while rising:
        users: dict[int, int] = {}
        for flow in rising:
            for link in flows[flow]:
                users[link] = users.get(link, 0) + 1
        level, tight = min((room[link] / count, link) for link, count in users.items())
        for flow in [flow for flow in rising if tight in flows[flow]]:
            rate[flow] = level
            del rising[flow]
            for link in flows[flow]:
                room[link] -= level
    return rate
