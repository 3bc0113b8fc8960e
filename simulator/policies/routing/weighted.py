"""Highest weighted sum of scores."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.policies.routing import overlap
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("weighted")
class Weighted:
    """The replica with the highest weighted sum of scores for cached prefix, queue, KV cache and LoRA adapter.

    The scorers of the llm-d router of May 2026 (``pkg/epp/framework/plugins/scheduling/scorer``) and the weights of its
    default profile (``config/charts/epplib/templates/_config.yaml``): ``prefix`` 3 times the share of the prompt that
    is cached; ``queue`` 2 times ``(max - queued) / (max - min)``, 1 when all are alike; ``kv`` 2 times ``1 - kv``;
    ``adapter`` times 1 where the LoRA adapter is loaded, else 0. There, one that is not loaded but has room scores 0.8,
    and ties are drawn at random; here they go by number.
    """

    def __init__(self, prefix: float = 3.0, queue: float = 2.0, kv: float = 2.0, adapter: float = 0.0) -> None:
        for name, weight in (("prefix", prefix), ("queue", queue), ("kv", kv), ("adapter", adapter)):
            if not 0 <= weight < float("inf"):
                raise ValueError(f"{name} is {weight:g}; a weight must be 0 or more")
        self.prefix, self.queue, self.kv, self.adapter = prefix, queue, kv, adapter

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return that replica."""
        replicas = view.replicas
        scores = self._scores(request, replicas)
        return replicas[scores.index(max(scores))]

    def _scores(self, request: Request, replicas: Sequence[ReplicaView]) -> list[float]:
        queues = [replica.queued for replica in replicas]
        longest = max(queues)
        spread = longest - min(queues)
        return [
            self.prefix * overlap(request, replica)
            + self.queue * ((longest - queued) / spread if spread else 1.0)
            + self.kv * (1.0 - replica.kv)
            + self.adapter * (1.0 if request.adapter and replica.adapted(request.adapter) else 0.0)
            for replica, queued in zip(replicas, queues, strict=True)
        ]
