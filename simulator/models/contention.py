"""What a link gives to those who use it only part of the time: the mean field of phases that interleave.

A training job computes and communicates in turn. Seen by the others, it is on a link for a share of the time, its duty.
Where duties are independent of one another (jobs whose iterations take different times drift through every relative
position), the time average of what happens on a link is an expectation over who is on:

- the link carries E[min(1, sum of the shares of those who are on)] of its capacity (``busy``): it is never idle while
  somebody wants it, and never more than full;
- while a job is on, it gets E[min(own, 1 / (1 + others who are on))] of the link (``fair_part``), and of several links
  on which it meets different others, at every moment the least (``mean_least``).

Both are exact for streams that are always on (then it is max-min sharing), for one alone, and for any number of
independent streams that would each fill one common link. ``docs/network.md`` derives the rule,
``simulator validate contention`` compares it with every iteration simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

_GRID = 64
"""Steps of a share beyond which sums of shares are told apart no more, where there are many of them."""
_STATES = 128
"""Different sums that are told apart exactly."""
Stream = tuple[float, float]
"""Duty (share of the time on the link, 0 to 1), and part of the link that it takes when on alone.

The part is 1 for one flow that can fill the link, n for n such flows.
"""

Chances = tuple[tuple[float, float], ...]
"""Values, and how likely each is."""


@lru_cache(maxsize=2**14)
def busy(streams: tuple[Stream, ...]) -> float:
    """Return the mean share of a link that is in use: E[min(1, sum of the parts of those who are on)].

    >>> busy(((0.5, 1.0), (0.5, 1.0)))
    0.75
    >>> busy(((0.5, 0.4), (0.5, 0.4))) == 0.5 * 0.4 + 0.5 * 0.4  # never short: the mean of the sum
    True
    """
    if sum(part for _, part in streams) <= 1:
        return sum(duty * part for duty, part in streams)
    sums = _distribution(streams, 1.0)
    return sum(chance * min(1.0, value) for value, chance in sums.items())


@lru_cache(maxsize=2**14)
def fair_parts(own: float, others: tuple[Stream, ...]) -> Chances:
    """Return which parts of a link a stream may get while it is on, min(own, 1 / (1 + others who are on)).

    ``own`` is the part that it takes when on alone. Of the others, one that takes less than its fair part when all are
    on counts only as much as it takes.

    >>> fair_parts(1.0, ((0.25, 1.0),))
    ((1.0, 0.75), (0.5, 0.25))
    """
    if own + sum([part for _, part in others]) <= 1:
        return ((own, 1.0),)
    flows, counts = max(1.0, own), _distribution(_rivals(own, others), math.inf)
    return tuple((min(own, flows / (flows + count)), chance) for count, chance in counts.items() if chance)


def mean(chances: Chances) -> float:
    """Return the mean of a value.

    >>> mean(((1.0, 0.75), (0.5, 0.25)))
    0.875
    """
    return sum([value * chance for value, chance in chances])


def fair_part(own: float, others: tuple[Stream, ...]) -> float:
    """Return the mean part of a link that a stream gets while it is on (see ``fair_parts``).

    >>> fair_part(1.0, ((0.5, 1.0),))
    0.75
    """
    return mean(fair_parts(own, others))


def mean_least(several: Sequence[Chances]) -> float:
    """Return the mean of the least of several independent values: the pace of what must keep step on many links.

    >>> mean_least([((1.0, 0.5), (0.5, 0.5))] * 2)
    0.625
    """
    if len(several) == 1:
        return mean(several[0])
    steps = sorted({value for chances in several for value, _ in chances})
    total, below = 0.0, 0.0
    for step in steps:
        survive = 1.0
        for chances in several:
            survive *= sum([chance for value, chance in chances if value >= step])
        total += (step - below) * survive
        below = step
    return total


def least_part(own: float, others: tuple[Stream, ...]) -> float:
    """Return the part of a link that a stream gets when all are on.

    >>> least_part(1.0, ((0.5, 1.0), (0.1, 0.2)))
    0.4
    """
    if own + sum([part for _, part in others]) <= 1:
        return own
    flows = max(1.0, own)
    return min(own, flows / (flows + sum([count for _, count in _rivals(own, others)])))


def _rivals(own: float, others: tuple[Stream, ...]) -> list[Stream]:
    """Return the others by duty and the number of flows, or parts of one, that each counts for."""
    level = water_level([own, *(part for _, part in others)])
    return [(duty, max(part, min(1.0, part / level))) for duty, part in others]


def seldom_full(streams: Iterable[Stream]) -> bool:
    """Whether those who are on overfill a link so seldom that it may be taken to have room for all.

    The mean of what they ask for lies three standard deviations below the capacity; what is lost then is less than a
    thousandth of one (the normal loss function at 3 is 0.0004).
    """
    wanted = spread = 0.0
    for duty, part in streams:
        wanted += duty * part
        spread += duty * (1.0 - duty) * part * part
    return wanted < 1 and 9 * spread <= (1 - wanted) ** 2


def water_level(parts: Sequence[float]) -> float:
    """Return the fair part of a flow on a link that ``parts`` overfill: sum of min(part, level) = 1.

    A part of n above 1 is n flows.

    >>> water_level([1.0, 1.0, 0.2])
    0.4
    """
    room, left = 1.0, sum(max(1.0, part) for part in parts)
    for part in sorted(parts):
        if part * left >= room:
            break
        room -= part
        left -= 1.0
    return room / left


def _distribution(streams: Iterable[Stream], ceiling: float) -> dict[float, float]:
    """Return the chance of each sum of the parts of those who are on; sums of ``ceiling`` and more are one."""
    chances = {0.0: 1.0}
    for duty, part in streams:
        after: dict[float, float] = {}
        for value, chance in chances.items():
            higher = min(ceiling, round(value + part, 12))
            after[value] = after.get(value, 0.0) + chance * (1.0 - duty)
            after[higher] = after.get(higher, 0.0) + chance * duty
        chances = after if len(after) <= _STATES else _coarser(after)
    return chances


def _coarser(chances: dict[float, float]) -> dict[float, float]:
    """Share each sum out between the two steps of the grid around it, which keeps the mean."""
    found: dict[float, float] = {}
    for value, chance in chances.items():
        step, part = divmod(value * _GRID, 1.0)
        for at, share in ((step / _GRID, 1.0 - part), ((step + 1.0) / _GRID, part)):
            if share:
                found[at] = found.get(at, 0.0) + chance * share
    return found
