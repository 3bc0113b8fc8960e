"""Fewest prompt tokens to compute."""

from __future__ import annotations

from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


def _work(replica: ReplicaView) -> tuple[int, int]:
    return replica.pending, replica.outstanding


@routers.register("least-tokens")
class LeastTokens:
    """The replica with the fewest prompt tokens yet to be computed; ties by outstanding requests, then by number.

    The prompt side of what the token-load scorer of the llm-d router of May 2026 and the join-the-shortest-queue in
    tokens of SplitwiseSim count. Ours among ties: most replicas have no prompt pending most of the time.
    """

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return that replica."""
        return min(view.replicas, key=_work)
