"""Where the session is at home."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

import numpy as np

from simulator.policies.routing import least_loaded
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("session-sticky")
class SessionSticky:
    """All requests of a session to one replica, as long as it takes requests; others to the least loaded one.

    ``first`` says where a session begins: ``least-outstanding`` is the replica with the fewest requests that have not
    ended, as with cookies (NGINX Plus' ``sticky cookie`` beside ``least_conn``); ``hash`` is CRC-32 of its name modulo
    the number of replicas, which is blind to load, as is the ``session`` router of vLLM's production stack 0.1. That
    one looks up a ring of hashes for every request, so some sessions move when a replica comes; here none moves. A
    session whose replica takes no more requests begins anew.
    """

    def __init__(self, first: Literal["least-outstanding", "hash"] = "least-outstanding") -> None:
        if first not in ("least-outstanding", "hash"):
            raise ValueError(f"first is {first!r}; it must be 'least-outstanding' or 'hash'")
        self.first = first
        self._homes: dict[str, int] = {}

    def reset(self, rng: np.random.Generator) -> None:
        """Forget all sessions."""
        self._homes.clear()

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return the home of the session, or find one."""
        replicas = view.replicas
        if not request.session:
            return least_loaded(replicas)
        home = self._homes.get(request.session, -1)
        place = bisect_left(replicas, home, key=_number)
        if place < len(replicas) and replicas[place].number == home:
            return replicas[place]
        chosen = self._begin(request.session, replicas)
        self._homes[request.session] = chosen.number
        return chosen

    def _begin(self, session: str, replicas: Sequence[ReplicaView]) -> ReplicaView:
        if self.first == "least-outstanding":
            return least_loaded(replicas)
        return replicas[zlib.crc32(session.encode()) % len(replicas)]


def _number(replica: ReplicaView) -> int:
    return replica.number
