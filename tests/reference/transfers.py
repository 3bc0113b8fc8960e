"""Transfers that share links, stepped from event to event with rates solved from nothing each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

Rates = Callable[[list[Sequence[int]], Sequence[Any]], list[Any]]


def ends(
    transfers: Sequence[tuple[float, float, Sequence[int]]],
    capacity: Sequence[float],
    latency: Sequence[float],
    changes: Sequence[tuple[float, int, float]] = (),
    moves: Sequence[tuple[float, int, Sequence[int]]] = (),
    rates: Rates | None = None,
    number: Callable[[float], Any] = Fraction,
) -> list[float | None]:
    """Return when each transfer (bytes, start, links) ends; None when it never does.

    A transfer holds its links from its start plus the latencies of its route; ``changes`` are (time, link, bytes/s).
    ``moves`` are (time, transfer, links): from then on it takes those, with the bytes it has left.
    ``number`` is the kind of arithmetic: ``Fraction`` is exact.
    """
    if rates is None:
        from tests.reference.rates import by_rationals as rates
    room = [number(value) for value in capacity]
    left = [number(size) for size, _, _ in transfers]
    due = [number(start) + sum((number(latency[link]) for link in route), number(0)) for _, start, route in transfers]
    routes = [route for _, _, route in transfers]
    turns = sorted((number(time), index) for index, (time, _, _) in enumerate(moves))
    pending = sorted((number(time), index) for index, (time, _, _) in enumerate(changes))
    finished: list[Any] = [None] * len(transfers)
    active: list[int] = []
    waiting = sorted(range(len(transfers)), key=lambda index: due[index])
    now = number(0)
    while waiting or active:
        while pending and pending[0][0] <= now:
            _, index = pending.pop(0)
            room[changes[index][1]] = number(changes[index][2])
        while turns and turns[0][0] <= now:
            _, index = turns.pop(0)
            routes[moves[index][1]] = moves[index][2]
        while waiting and due[waiting[0]] <= now:
            index = waiting.pop(0)
            if left[index] == 0 or not routes[index]:
                finished[index] = now
            else:
                active.append(index)
        speed = dict(zip(active, rates([routes[index] for index in active], room), strict=True))
        times = [now + left[index] / speed[index] for index in active if speed[index] > 0]
        times += [due[waiting[0]]] if waiting else []
        times += [pending[0][0]] if pending else []
        times += [turns[0][0]] if turns else []
        if not times:
            break
        until = min(times)
        for index in active:
            done = now + left[index] / speed[index] if speed[index] > 0 else None
            left[index] -= speed[index] * (until - now)
            # where arithmetic is not exact, the one whose end this is has nothing left
            if done == until or left[index] <= 0:
                finished[index] = until
        active = [index for index in active if finished[index] is None]
        now = until
    return [None if end is None else float(end) for end in finished]
