"""Transfers of finite size on the fabric, bundled by their ways through it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappush

from simulator.cluster.routing import Way
from simulator.runtime.crowd import Crowd, PhasedStream
from simulator.runtime.fabric import Fabric, Stream


class Message:
    """One transfer under way: ``bytes`` left when it took its ``way``; ``done()`` is called when the last has arrived.

    A message that is split into several flows is done when all are; they are equal, and keep pace with the slowest.
    ``limit`` is the most bytes/s that it gets, whatever the links would carry.
    """

    __slots__ = ("bytes", "done", "limit", "way")

    def __init__(self, way: Way, size: float, done: Callable[[], None], limit: float = math.inf) -> None:
        self.way, self.bytes, self.done, self.limit = way, size, done, limit


class Bundle:
    """Transfers over the same way, with the same limit: they progress alike, so one counter of bytes serves them all.

    The stream counts flows: a message of n flows puts n times its usage on a link, and has n flows' share of it.
    """

    __slots__ = ("_heap", "_pushes", "_split", "key", "stream", "way")

    def __init__(self, way: Way, limit: float) -> None:
        self.way, self.key = way, (way, limit)
        self._split = float(way.flows)
        usage = tuple(usage * self._split for usage in way.usage)
        self.stream = Stream(way.links, usage, limit=limit / self._split, changed=None)
        self._heap: list[tuple[float, int, Message]] = []
        self._pushes = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, message: Message, sent: float) -> None:
        """Take one more transfer on, when each flow of the others has ``sent`` so many bytes."""
        self._pushes += 1
        heappush(self._heap, (sent + message.bytes / self._split, self._pushes, message))

    def next_end(self) -> float:
        """Bytes sent by a flow at which the shortest transfer ends."""
        return self._heap[0][0]

    def take_finished(self) -> list[Message]:
        """Remove and return the transfers that end with the shortest."""
        end, finished = self._heap[0][0], []
        while self._heap and self._heap[0][0] <= end:
            finished.append(heappop(self._heap)[2])
        return finished

    def take(self, leaves: Callable[[Message], bool], sent: float) -> list[Message]:
        """Remove and return the transfers of which ``leaves`` says so, in the order in which they came."""
        leaving = sorted((item for item in self._heap if leaves(item[2])), key=lambda item: item[1])
        if leaving:
            gone = {item[1] for item in leaving}
            self._heap = [item for item in self._heap if item[1] not in gone]
            heapify(self._heap)
        for end, _, message in leaving:
            message.bytes = max(0.0, end - sent) * self._split
        return [message for _, _, message in leaving]


class Transfers:
    """Transfers of finite size on a fabric, bundled by way, among the jobs of a crowd."""

    def __init__(self, fabric: Fabric, crowd: Crowd) -> None:
        self._fabric, self._crowd = fabric, crowd
        self._bundles: dict[tuple[Way, float], Bundle] = {}
        self._members: dict[Bundle, PhasedStream] = {}

    def begin(self, message: Message) -> None:
        """Put a transfer on the fabric now; one without bytes or links is done at once."""
        if message.bytes <= 0 or not message.way.links:
            message.done()
            return
        bundle = self._bundles.get((message.way, message.limit))
        if bundle is None:
            bundle = self._bundles[message.way, message.limit] = Bundle(message.way, message.limit)
            bundle.stream.reached = partial(self._finish, bundle)
            self._members[bundle] = self._crowd.join(bundle.stream)
            bundle.add(message, 0.0)
        else:
            bundle.add(message, self._fabric.sent(bundle.stream))
        self._follow(bundle)

    def reroute(self, again: Callable[[Message], Way]) -> None:
        """Let each transfer go on by the way that ``again`` gives for it, with the bytes that are left."""
        moving: list[tuple[Message, Way]] = []
        for bundle in list(self._bundles.values()):
            ways: dict[Message, Way] = {}

            def leaves(message: Message, way: Way = bundle.way, ways: dict[Message, Way] = ways) -> bool:
                ways[message] = again(message)
                return ways[message] != way

            leaving = bundle.take(leaves, self._fabric.sent(bundle.stream))
            if leaving:
                moving += [(message, ways[message]) for message in leaving]
                self._follow(bundle)
        for message, way in moving:
            message.way = way
            self.begin(message)

    def _follow(self, bundle: Bundle) -> None:
        """Let the fabric know how many transfers a bundle has, and when the next one ends."""
        if len(bundle):
            if len(bundle) != bundle.stream.count:
                self._crowd.resize(self._members[bundle], float(len(bundle)))
            self._fabric.aim(bundle.stream, bundle.next_end())
        else:
            del self._bundles[bundle.key]
            self._crowd.leave(self._members.pop(bundle))

    def _finish(self, bundle: Bundle) -> None:
        finished = bundle.take_finished()
        self._follow(bundle)
        for message in finished:
            message.done()
