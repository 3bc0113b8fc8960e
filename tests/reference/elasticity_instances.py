"""An instance for each request, as function platforms have it: event by event, nothing of the simulator.

Semantics of SimFaaS (pacslab/simfaas, ServerlessSimulator.py): a request goes to the newest idle instance by its time
of creation, or, without one, to a new instance, whose first response takes a cold service time. An instance that was
idle for the expiration threshold is gone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Use:
    """Share of requests that met a cold start, and mean numbers of instances."""

    cold: float
    instances: float
    running: float
    requests: int

    @property
    def idle(self) -> float:
        return self.instances - self.running


def simulate(
    gap: Callable[[], float],
    warm: Callable[[], float],
    cold: Callable[[], float],
    expiry: float,
    span: float,
    warmup: float = 0.0,
) -> Use:
    """Serve requests for ``span`` seconds; what happens before ``warmup`` is not counted."""
    now, created, requests, starts = 0.0, 0, 0, 0
    running = 0
    idle: dict[int, float] = {}
    area_all = area_running = 0.0
    events: list[tuple[float, str, int, float]] = [(gap(), "arrival", -1, 0.0)]
    while True:
        time, kind, instance, since = heapq.heappop(events)
        end = min(time, span)
        if end > warmup:
            area_all += (running + len(idle)) * (end - max(now, warmup))
            area_running += running * (end - max(now, warmup))
        if time >= span:
            counted = span - warmup
            return Use(starts / requests, area_all / counted, area_running / counted, requests)
        now = time
        if kind == "arrival":
            heapq.heappush(events, (now + gap(), "arrival", -1, now))
            requests += now >= warmup
            running += 1
            if idle:
                newest = max(idle)
                del idle[newest]
                heapq.heappush(events, (now + warm(), "end", newest, now))
            else:
                starts += now >= warmup
                heapq.heappush(events, (now + cold(), "end", created, now))
                created += 1
        elif kind == "end":
            running -= 1
            idle[instance] = now
            heapq.heappush(events, (now + expiry, "expires", instance, now))
        elif idle.get(instance) == since:
            del idle[instance]
