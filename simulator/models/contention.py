"""What a link gives to those who use it only part of the time: the mean field of phases that interleave.

A training job computes and communicates in turn. Seen by the others, it is on a link for a share of the time, its duty.
Where duties are independent of one another (jobs whose iterations take different times drift through every relative
position), the time average of what happens on a link is an expectation over who is on:

- the link carries E[min(1, sum of the shares of those who are on)] of its capacity (``busy``): it is never idle while
  somebody wants it, and never more than full;
- while a job is on, it gets E[min(own, 1 / (1 + others who are on))] of the link (``shares``), and of several links
  on which it meets different others, at every moment the least (``mean_least``).

Both are exact for streams that are always on (then it is max-min sharing), for one alone, and for any number of
independent streams that would each fill one common link. ``docs/network.md`` derives the rule,
``simulator validate contention`` compares it with every iteration simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

_FINE, _COARSE = 2**40, 24
"""Steps of a link in which parts are counted: as good as exact, and where sums of parts are too many to tell apart."""
_STATES = 128
"""Different sums that are told apart exactly."""
_FEW = 4
"""Streams of which every combination is looked at; of more, sums that are alike are taken together."""
_UNLIKELY = 1e-9
Stream = tuple[float, float]
"""Duty (share of the time on the link, 0 to 1), and part of the link that it takes when on alone.

The part is 1 for one flow that can fill the link, n for n such flows.
"""

Chances = tuple[tuple[float, float], ...]
"""Values, and how likely each is."""


def busy(streams: Sequence[Stream]) -> float:
    """Return the mean share of a link that is in use: E[min(1, sum of the parts of those who are on)].

    >>> busy(((0.5, 1.0), (0.5, 1.0)))
    0.75
    >>> busy(((0.5, 0.4), (0.5, 0.4))) == 0.5 * 0.4 + 0.5 * 0.4  # never short: the mean of the sum
    True
    """
    if sum([part for _, part in streams]) <= 1:
        return sum([duty * part for duty, part in streams])
    if len(streams) <= _FEW:
        return sum([chance * min(1.0, part) for part, chance in _sums(streams)])
    steps, parts = _counted([part for _, part in streams])
    chances = {0: 1.0}
    for (duty, _), part in zip(streams, parts, strict=True):
        chances = _with(chances, duty, part, steps)
    return sum([chance * value for value, chance in chances.items()]) / steps


def shares(streams: Sequence[Stream]) -> list[Chances]:
    """Return for each stream which parts of a link it may get while it is on: min(own, 1 / (1 + others who are on)).

    Of the others, one that takes less than its fair part when all are on counts only as much as it takes.

    >>> shares(((0.5, 1.0), (0.25, 1.0)))[0]
    ((1.0, 0.75), (0.5, 0.25))
    """
    if sum([part for _, part in streams]) <= 1:
        return [((part, 1.0),) for _, part in streams]
    rivals = _rivals([part for _, part in streams])
    if len(streams) <= _FEW:
        wanted = [(duty, count) for (duty, _), count in zip(streams, rivals, strict=True)]
        return [_parts(own, _sums(wanted[:i] + wanted[i + 1 :])) for i, (_, own) in enumerate(streams)]
    steps, counts = _counted(rivals)
    everyone = {0: 1.0}
    for (duty, _), count in zip(streams, counts, strict=True):
        everyone = _with(everyone, duty, count)
    found = []
    for (duty, own), count in zip(streams, counts, strict=True):
        others = _without(everyone, duty, count)
        found.append(_parts(own, [(value / steps, chance) for value, chance in others.items() if chance > _UNLIKELY]))
    return found


def _parts(own: float, others: Sequence[tuple[float, float]]) -> Chances:
    """Return the parts that a stream gets beside so many others, by how likely they are."""
    flows = max(1.0, own)
    return tuple([(min(own, flows / (flows + count)), chance) for count, chance in others])


def _sums(streams: Sequence[Stream]) -> list[tuple[float, float]]:
    """Return the sum of the parts of those who are on for each combination, and its chance."""
    sums = [(0.0, 1.0)]
    for duty, part in streams:
        off = 1.0 - duty
        sums = [(value, chance * off) for value, chance in sums] + [
            (value + part, chance * duty) for value, chance in sums
        ]
    return sums


def least_parts(streams: Sequence[Stream]) -> list[float]:
    """Return the part of a link that each stream gets when all are on.

    >>> least_parts(((0.5, 1.0), (0.1, 1.0), (0.1, 0.2)))
    [0.4, 0.4, 0.2]
    """
    parts = [part for _, part in streams]
    if sum(parts) <= 1:
        return parts
    counts = _rivals(parts)
    total = sum(counts)
    return [min(own, max(1.0, own) / (max(1.0, own) + total - count)) for own, count in zip(parts, counts, strict=True)]


def _rivals(parts: Sequence[float]) -> list[float]:
    """Return the number of flows, or the part of one, that each stream counts for."""
    level = water_level(parts)
    return [max(part, min(1.0, part / level)) for part in parts]


def _counted(parts: Sequence[float]) -> tuple[int, list[int]]:
    """Return parts in whole steps: fine ones, or coarse ones where they have too many different sums."""
    different: dict[int, int] = {}
    for part in parts:
        step = round(part * _FINE)
        different[step] = different.get(step, 0) + 1
    sums = math.prod(number + 1 for number in different.values())
    if sums <= _STATES:
        return _FINE, [round(part * _FINE) for part in parts]
    bounds = [round(value * _COARSE) for value in accumulate(parts, initial=0.0)]  # so that the sum of all stays
    return _COARSE, [after - before for before, after in pairwise(bounds)]


def _with(chances: dict[int, float], duty: float, count: int, ceiling: int = 2**62) -> dict[int, float]:
    """Return the chances of sums when one more may be on; sums of ``ceiling`` and more are one."""
    after: dict[int, float] = {}
    for value, chance in chances.items():
        higher = min(ceiling, value + count)
        after[value] = after.get(value, 0.0) + chance * (1.0 - duty)
        after[higher] = after.get(higher, 0.0) + chance * duty
    return after


def _without(chances: dict[int, float], duty: float, count: int) -> dict[int, float]:
    """Undo ``_with``: from the low sums up, or from the high ones down, whichever keeps rounding small."""
    before: dict[int, float] = {}
    if duty < 0.5:
        for value in sorted(chances):
            before[value] = max(0.0, (chances[value] - duty * before.get(value - count, 0.0)) / (1.0 - duty))
    else:
        for value in sorted(chances, reverse=True):
            left = chances[value] - (1.0 - duty) * before.get(value, 0.0)
            before[value - count] = max(0.0, left / duty)
    return {value: chance for value, chance in before.items() if value >= 0}


def mean(chances: Chances) -> float:
    """Return the mean of a value.

    >>> mean(((1.0, 0.75), (0.5, 0.25)))
    0.875
    """
    return sum([value * chance for value, chance in chances])


def mean_least(several: Sequence[Chances]) -> float:
    """Return the mean of the least of several independent values: the pace of what must keep step on many links.

    >>> mean_least([((1.0, 0.5), (0.5, 0.5))] * 2)
    0.625
    """
    if len(several) == 1:
        return mean(several[0])
    rising = [sorted(chances) for chances in several]
    places, left = [0] * len(rising), [1.0] * len(rising)
    total, below = 0.0, 0.0
    while True:
        step = min([chances[place][0] for chances, place in zip(rising, places, strict=True)])
        total += (step - below) * math.prod(left)
        below = step
        for index, chances in enumerate(rising):
            while chances[places[index]][0] <= step:
                left[index] -= chances[places[index]][1]
                places[index] += 1
                if places[index] == len(chances):
                    return total


def seldom_full(streams: Iterable[Stream]) -> bool:
    """Whether whoever is on finds the others so seldom in the way that the link may be taken to have room for all.

    Beside the largest part there is room for the mean of what all ask for and two standard deviations more: what is
    lost is below a hundredth of one (the normal loss function at 2 is 0.0085).
    """
    wanted = spread = largest = 0.0
    for duty, part in streams:
        wanted += duty * part
        spread += duty * (1.0 - duty) * part * part
        largest = max(largest, part)
    room = 1.0 - largest - wanted
    return room > 0 and 4 * spread <= room * room


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
