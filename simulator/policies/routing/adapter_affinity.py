"""Where the LoRA adapter is loaded."""

from __future__ import annotations

from simulator.policies.routing import least_loaded
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("adapter-affinity")
class AdapterAffinity:
    """The least loaded replica that has the LoRA adapter in memory, unless another is far less loaded.

    ``imbalance`` is how many outstanding requests more it may have than the least loaded replica of all, which is taken
    beyond that, and when no replica has the adapter. Ours. The LoRA-affinity scorer of the llm-d router of May 2026 has
    the same aim; it adds a score for the adapter to others (see ``weighted``) and knows how many adapters have room.
    """

    def __init__(self, imbalance: int = 16) -> None:
        if imbalance < 0:
            raise ValueError(f"imbalance is {imbalance}; it must be 0 or more")
        self.imbalance = imbalance

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return that replica."""
        replicas, adapter = view.replicas, request.adapter
        least = least_loaded(replicas)
        adapted = [replica for replica in replicas if replica.adapted(adapter)] if adapter else []
        if not adapted:
            return least
        best = least_loaded(adapted)
        return best if best.outstanding - least.outstanding <= self.imbalance else least
