"""LoRA adapters in the memory of replicas: loaded for the request that needs them, dropped for others."""

from __future__ import annotations

from simulator.core.clock import Clock, Phase
from simulator.runtime.serving.replica import Replica
from simulator.workload.requests import Request


class Adapters:
    """Brings adapters into memory, in ``seconds`` each; of more than ``most`` the least recently used makes room."""

    def __init__(self, clock: Clock, most: int, seconds: float) -> None:
        self._clock, self._most, self._seconds = clock, most, seconds
        self._waiting: dict[Request, Replica] = {}

    def add(self, request: Request, replica: Replica) -> None:
        """Put a request into the queue of a replica as soon as its adapter is in memory there."""
        now, adapters = self._clock.now, replica.fresh
        due = adapters.pop(request.adapter, None)
        if due is None:
            due = now + self._seconds
            while len(adapters) >= self._most:
                del adapters[next(iter(adapters))]
        adapters[request.adapter] = due
        if due <= now:
            replica.add(request)
        else:
            self._waiting[request] = replica
            self._clock.at(due, self._loaded, request, replica, phase=Phase.ARRIVALS)

    def forget(self, request: Request) -> bool:
        """Forget a request that waits for its adapter; False if it does not."""
        return self._waiting.pop(request, None) is not None

    def _loaded(self, request: Request, replica: Replica) -> None:
        if self._waiting.get(request) is replica:
            del self._waiting[request]
            replica.add(request)
