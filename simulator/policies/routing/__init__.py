"""Routers: which replica of a service a request is sent to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from simulator.policies.serving import ReplicaView, Router, RoutingView
from simulator.workload.requests import Request

RoutingRule = Callable[[Request, RoutingView], ReplicaView]
"""A plain function that serves as a router."""


class Ruled:
    """A router made of a plain function."""

    def __init__(self, rule: RoutingRule) -> None:
        self.name = getattr(rule, "__name__", type(rule).__name__)
        self._rule = rule

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return what the function returns."""
        return self._rule(request, view)


def as_router(thing: Any) -> Router:
    """Make a router of a function ``(request, view) -> replica``, of a class without arguments, or of an object.

    Raises ``TypeError`` for anything else.
    """
    made = thing() if isinstance(thing, type) else thing
    if hasattr(made, "route"):
        return cast(Router, made)
    if callable(made):
        return Ruled(made)
    raise TypeError(f"{thing!r} is no router; give a function (request, view) -> replica, or a class with route")


def outstanding(replica: ReplicaView) -> int:
    """Requests that were sent to a replica and have not ended."""
    return replica.outstanding


def least_loaded(replicas: Sequence[ReplicaView]) -> ReplicaView:
    """Return the replica with the fewest requests that have not ended; ties by number."""
    return min(replicas, key=outstanding)


def overlap(request: Request, replica: ReplicaView) -> float:
    """Share of a prompt, 0 to 1, whose keys and values the prefix cache of a replica holds, as far as hashes tell."""
    if not request.hashes or request.input < 1:
        return 0.0
    return min(1.0, replica.prefix(request) * request.hash_block / request.input)
