"""Emptiest KV cache."""

from __future__ import annotations

from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


def _fullness(replica: ReplicaView) -> tuple[float, int]:
    return replica.kv, replica.outstanding


@routers.register("least-kv")
class LeastKv:
    """The replica whose KV cache requests hold the smallest share of; ties by outstanding requests, then by number.

    What the kv-cache-utilization scorer of the llm-d router of May 2026 goes by (``score = 1 - usage``), alone; there,
    ties are drawn at random. Requests that still wait hold nothing, so a burst goes to one replica until some are let
    in.
    """

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return that replica."""
        return min(view.replicas, key=_fullness)
