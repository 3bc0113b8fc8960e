"""Machines that fail and wait for somebody to repair them: event by event, nothing of the simulator."""

from __future__ import annotations

import heapq
from collections.abc import Callable


def shares(
    machines: int,
    crews: int,
    life: Callable[[], float],
    repair: Callable[[], float],
    span: float,
    working: int | None = None,
) -> list[float]:
    """Share of ``span`` seconds with 0, 1, 2, ... machines up, all up at first.

    ``crews`` repair one machine at a time each. At most ``working`` machines work, the others are whole spares that
    do not age; a machine keeps its place until it fails.
    """
    places = machines if working is None else working
    events: list[tuple[float, int, str]] = []
    number = now = 0.0
    spare, queue, free = machines, 0, crews
    time_up = [0.0] * (machines + 1)
    up = machines

    def push(after: float, kind: str) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (now + after, int(number), kind))

    while True:
        while spare and places:
            spare, places = spare - 1, places - 1
            push(life(), "fails")
        while queue and free:
            queue, free = queue - 1, free - 1
            push(repair(), "repaired")
        time, _, kind = heapq.heappop(events)
        time_up[up] += min(time, span) - now
        now = time
        if now >= span:
            return [each / span for each in time_up]
        if kind == "fails":
            up, queue, places = up - 1, queue + 1, places + 1
        else:
            up, spare, free = up + 1, spare + 1, free + 1
