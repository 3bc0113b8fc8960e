"""Fewest requests that have not ended."""

from __future__ import annotations

from simulator.policies.routing import least_outstanding
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("least-outstanding")
class LeastOutstanding:
    """The replica with the fewest requests that have not ended; ties by number."""

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return it."""
        return least_outstanding(view)
