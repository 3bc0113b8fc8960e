"""LoRA adapters in the memory of replicas: loaded for the requests that need them, one after the other."""

from __future__ import annotations

from simulator.core.clock import Clock, Phase
from simulator.runtime.serving.replica import Replica
from simulator.workload.requests import Request


class Shelf:
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
        self._shelves: dict[Replica, Shelf] = {}
        self._at: dict[Request, Replica] = {}

    def add(self, request: Request, replica: Replica) -> None:
        """Put a request into the queue of a replica as soon as its adapter is in memory there."""
        shelf = self._shelves.setdefault(replica, Shelf())
        self._at[request] = replica
        if request.adapter in shelf.users:
            self._admit(request, replica, shelf)
        else:
            shelf.waiting[request] = None
            self._load(replica, shelf)

    def forget(self, request: Request) -> bool:
        """A request has left its replica; return whether it was waiting for its adapter."""
        replica = self._at.pop(request, None)
        if replica is None:
            return False
        shelf = self._shelves[replica]
        waited = request in shelf.waiting
        if waited:
            del shelf.waiting[request]
        else:
            shelf.users[request.adapter] -= 1
        if replica.down:
            if not any(shelf.users.values()) and not shelf.waiting:
                del self._shelves[replica]
        else:
            self._load(replica, shelf)
        return waited

    def _admit(self, request: Request, replica: Replica, shelf: Shelf) -> None:
        shelf.users[request.adapter] = shelf.users.pop(request.adapter) + 1
        replica.add(request)

    def _load(self, replica: Replica, shelf: Shelf) -> None:
        """Begin to load the adapter of who has waited longest, if there is room for one."""
        if shelf.loading or not shelf.waiting:
            return
        if len(shelf.users) >= self._most:
            idle = next((adapter for adapter, users in shelf.users.items() if not users), None)
            if idle is None:
                return
            del shelf.users[idle], replica.fresh[idle]
        shelf.loading = next(iter(shelf.waiting)).adapter
        if self._seconds:
            self._clock.after(self._seconds, self._loaded, replica, shelf, phase=Phase.ARRIVALS)
        else:
            self._loaded(replica, shelf)

    def _loaded(self, replica: Replica, shelf: Shelf) -> None:
        if replica.down:
            return
        adapter, shelf.loading = shelf.loading, ""
        shelf.users[adapter] = 0
        replica.fresh[adapter] = self._clock.now
        for request in [each for each in shelf.waiting if each.adapter == adapter]:
            del shelf.waiting[request]
            self._admit(request, replica, shelf)
        self._load(replica, shelf)
