"""What the autoscalers of a service are told: how it is now, and what has happened since they last asked."""

from __future__ import annotations

from collections.abc import Callable

from simulator.core.clock import Clock
from simulator.policies.serving import ServiceObservation
from simulator.runtime.serving.fleet import Fleet


class Readings:
    """Reads a service for one fleet at a time. ``counts`` returns (outstanding, without a replica, came so far)."""

    def __init__(self, clock: Clock, counts: Callable[[], tuple[int, int, int]]) -> None:
        self._clock, self._counts = clock, counts
        self._before: dict[Fleet, tuple[float, float, float, int]] = {}

    def __call__(self, fleet: Fleet) -> ServiceObservation:
        """Return how things are, and rates since the last call for this fleet."""
        now, ready = self._clock.now, fleet.ready
        outstanding, waiting, came = self._counts()
        before, held, busy, came_before = self._before.get(fleet, (0.0, 0.0, 0.0, 0))
        held_now, busy_now = fleet.seconds()
        self._before[fleet] = (now, held_now, busy_now, came)
        return ServiceObservation(
            ready=len(ready),
            coming=fleet.coming,
            draining=fleet.draining,
            outstanding=outstanding,
            queued=sum([replica.queued for replica in ready]) + waiting,
            running=sum([replica.running for replica in ready]),
            kv=sum([replica.kv for replica in ready]) / len(ready) if ready else 0.0,
            busy=min(1.0, (busy_now - busy) / (held_now - held)) if held_now > held else 0.0,
            arrivals=(came - came_before) / (now - before) if now > before else 0.0,
        )
