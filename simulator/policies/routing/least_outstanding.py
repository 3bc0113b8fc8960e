"""Fewest requests that have not ended."""

from __future__ import annotations

from simulator.policies.routing import least_loaded
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("least-outstanding")
class LeastOutstanding:
    """The replica with the fewest requests that have not ended; ties by number.

    The rule of Envoy's ``LEAST_REQUEST`` with ``selection_method: FULL_SCAN``, of NGINX's ``least_conn`` and of Vidur's
    ``lor``; NGINX goes round among ties, and each of them counts only what it has sent itself.
    """

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return that replica."""
        return least_loaded(view.replicas)
