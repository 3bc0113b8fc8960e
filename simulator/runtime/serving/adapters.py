"""LoRA adapters in the memory of replicas: loaded for the requests that need them, one after the other."""

from __future__ import annotations

from simulator.core.clock import Clock, Phase
from simulator.runtime.serving.replica import Replica
from simulator.workload.requests import Request


class Memory:
    """The adapters of one replica. ``users`` counts the requests in its queue and batch by adapter in memory."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        """Adapters in memory, the least recently asked for first."""
        self.waiting: dict[Request, None] = {}
        self.loading = ""


class Adapters:
    """Lets a request into the queue of its replica when its adapter is in memory there.

    A replica holds ``most`` adapters (vLLM's ``max_loras``) and loads one at a time, in ``seconds``; the least recently
    used that nobody needs makes room. A request whose adapter is there passes those who wait for theirs.
    """

    def __init__(self, clock: Clock, most: int, seconds: float) -> None:
        self._clock, self._most, self._seconds = clock, most, seconds
        self._memories: dict[Replica, Memory] = {}
        self._at: dict[Request, Replica] = {}

    def add(self, request: Request, replica: Replica) -> None:
        """Put a request into the queue of a replica as soon as its adapter is in memory there."""
        memory = self._memories.setdefault(replica, Memory())
        self._at[request] = replica
        if request.adapter in memory.users:
            self._admit(request, replica, memory)
        else:
            memory.waiting[request] = None
            self._load(replica, memory)

    def forget(self, request: Request) -> bool:
        """A request has left its replica; return whether it was waiting for its adapter."""
        replica = self._at.pop(request, None)
        if replica is None:
            return False
        memory = self._memories[replica]
        waited = request in memory.waiting
        if waited:
            del memory.waiting[request]
        else:
            memory.users[request.adapter] -= 1
        if replica.down:
            if not any(memory.users.values()) and not memory.waiting:
                del self._memories[replica]
        else:
            self._load(replica, memory)
        return waited

    def _admit(self, request: Request, replica: Replica, memory: Memory) -> None:
        memory.users[request.adapter] = memory.users.pop(request.adapter) + 1
        replica.add(request)

    def _load(self, replica: Replica, memory: Memory) -> None:
        """Begin to load the adapter of who has waited longest, if there is room for one."""
        if memory.loading or not memory.waiting:
            return
        if len(memory.users) >= self._most:
            idle = next((adapter for adapter, users in memory.users.items() if not users), None)
            if idle is None:
                return
            del memory.users[idle], replica.adapters[idle]
        memory.loading = next(iter(memory.waiting)).adapter
        if self._seconds:
            self._clock.after(self._seconds, self._loaded, replica, memory, phase=Phase.ARRIVALS)
        else:
            self._loaded(replica, memory)

    def _loaded(self, replica: Replica, memory: Memory) -> None:
        if replica.down:
            return
        adapter, memory.loading = memory.loading, ""
        memory.users[adapter] = 0
        replica.adapters[adapter] = self._clock.now
        for request in [each for each in memory.waiting if each.adapter == adapter]:
            del memory.waiting[request]
            self._admit(request, replica, memory)
        self._load(replica, memory)
