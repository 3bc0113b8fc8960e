"""LoRA adapters in the memory of replicas: loaded for the request that needs them, dropped for others."""

from __future__ import annotations

from collections.abc import Callable

from simulator.core.clock import Clock, Phase
from simulator.runtime.serving.replica import Replica
from simulator.workload.requests import Request


class Adapters:
    """Brings adapters into memory, in ``seconds`` each; of more than ``most`` the least recently used makes room.

    ``ready(request, replica)`` is called when the adapter that a request waits for is there.
    """

    def __init__(self, clock: Clock, most: int, seconds: float, ready: Callable[[Request, Replica], None]) -> None:
        self._clock, self._most, self._seconds, self._ready = clock, most, seconds, ready
        self._waiting: dict[Request, Replica] = {}

    def use(self, request: Request, replica: Replica) -> bool:
        """Have a request's adapter in memory; False if the request has to wait for that."""
        now, adapters = self._clock.now, replica.fresh
        due = adapters.pop(request.adapter, None)
        if due is None:
            due = now + self._seconds
            while len(adapters) >= self._most:
                del adapters[next(iter(adapters))]
        adapters[request.adapter] = due
        if due <= now:
            return True
        self._waiting[request] = replica
        self._clock.at(due, self._loaded, request, replica, phase=Phase.ARRIVALS)
        return False

    def forget(self, request: Request) -> bool:
        """Forget a request that waits for its adapter; False if it does not."""
        return self._waiting.pop(request, None) is not None

    def _loaded(self, request: Request, replica: Replica) -> None:
        if self._waiting.get(request) is replica:
            del self._waiting[request]
            self._ready(request, replica)
