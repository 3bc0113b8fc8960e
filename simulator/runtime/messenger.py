"""Messages of finite size between two vertices, on the links that everybody shares and by the ways that are open."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from simulator.cluster.routing import Way
from simulator.core.clock import Clock, Phase, Soon
from simulator.runtime.bundles import Message, Transfers
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric
from simulator.runtime.router import Router

Ends = tuple[str, str]


class Messenger:
    """Sends bytes and tells when the last has arrived.

    A message whose way goes down takes another, and one that finds none waits for one. ``alone``: as if nobody shared
    any link.
    """

    def __init__(self, clock: Clock, fabric: Fabric, crowd: Crowd, router: Router, alone: bool = False) -> None:
        self._clock, self._fabric, self._router, self._alone = clock, fabric, router, alone
        self._network = Transfers(fabric, crowd)
        self._ends: dict[Message, Ends] = {}
        self._stranded: list[tuple[Ends, float, Callable[[], None], float]] = []
        router.watch(Soon(clock, self._reroute, Phase.FAILURES))
        self.used: dict[int, None] = {}
        """Links over which something went."""

    def send(self, ends: Ends, size: float, done: Callable[[], None], limit: float = math.inf) -> None:
        """Move ``size`` bytes from one vertex to another, at ``limit`` bytes/s or less, and call ``done()``."""
        way = self._router.way(*ends)
        if way is None:
            self._stranded.append((ends, size, done, limit))
            return
        if self._alone:
            self.used.update(dict.fromkeys(way.links))
            self._clock.after(way.latency + size / self._rate(way, limit), done, phase=Phase.ENDS)
            return
        message = Message(way, size, done, limit)
        message.done = partial(self._done, message, done)
        self._clock.after(way.latency, self._begin, message, ends, phase=Phase.ARRIVALS)

    def _rate(self, way: Way, limit: float) -> float:
        """Bytes/s that a message gets by itself."""
        capacity = self._fabric.capacity
        return min([limit, *(capacity[link] / usage for link, usage in zip(way.links, way.usage, strict=True))])

    def _begin(self, message: Message, ends: Ends) -> None:
        if self._router.down and not all(map(self._router.is_up, message.way.links)):
            message.way = self._router.way(*ends) or message.way
        self.used.update(dict.fromkeys(message.way.links))
        self._ends[message] = ends
        self._network.begin(message)

    def _done(self, message: Message, done: Callable[[], None]) -> None:
        self._ends.pop(message, None)
        done()

    def _reroute(self) -> None:
        def again(message: Message) -> Way:
            ends = self._ends.get(message)
            return message.way if ends is None else self._router.way(*ends) or message.way

        self._network.reroute(again)
        stranded, self._stranded = self._stranded, []
        for each in stranded:
            self.send(*each)
