"""Where the prompt's beginning is cached, unless the load is uneven."""

from __future__ import annotations

from simulator.core.units import Ratio
from simulator.policies.routing import least_loaded, overlap
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("prefix-affinity")
class PrefixAffinity:
    """The replica that has most of the prompt cached, or the least loaded one if little is, or loads are uneven.

    The rule and the defaults of ``cache_aware`` in SGLang's model gateway (sgl-project/sglang at 053b63f,
    ``sgl-model-gateway/src/policies/cache_aware.rs``, and its command line): loads are uneven when ``max - min >
    absolute`` and ``max > relative * min``, in outstanding requests; then, or when at most the share ``threshold`` of
    the prompt is cached anywhere, the least loaded replica is taken. Among replicas that have as much cached, ours
    takes the least loaded.

    The gateway guesses at caches from what it sent where; this sees them as they are, or were at the last
    ``staleness``, as the gateway does with KV events.
    """

    def __init__(self, threshold: Ratio = 0.3, absolute: int = 64, relative: float = 1.5) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is {threshold:g}; it must be a share, 0 to 1")
        if absolute < 0:
            raise ValueError(f"absolute is {absolute}; it must be 0 or more")
        if not relative >= 1:
            raise ValueError(f"relative is {relative:g}; it must be 1 or more")
        self.threshold, self.absolute, self.relative = threshold, absolute, relative

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return that replica."""
        replicas = view.replicas
        least = least_loaded(replicas)
        if not request.hashes:
            return least
        low, high = least.outstanding, max(replica.outstanding for replica in replicas)
        if high - low > self.absolute and high > self.relative * low:
            return least
        shares = [overlap(request, replica) for replica in replicas]
        most = max(shares)
        if most <= self.threshold:
            return least
        return least_loaded([each for each, share in zip(replicas, shares, strict=True) if share == most])
