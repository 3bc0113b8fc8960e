"""Static partitions: each tenant has a cluster of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from simulator.core.errors import InputError
from simulator.policies.api import schedulers
from simulator.policies.quota.admitting import QuotaAdmission
from simulator.policies.quota.lines import ORDERS
from simulator.policies.quota.preemption import Claim
from simulator.policies.quota.reading import limit, table
from simulator.policies.quota.records import ACCELERATORS, ANY, STRICT, ClusterQueue, Quota, choice
from simulator.policies.quota.turns import turn


@schedulers.register("virtual-clusters")
class VirtualClusters(QuotaAdmission):
    """A fixed part of the cluster for each tenant, nothing lent; the head of each tenant's queue blocks its own.

    ``clusters`` maps tenants to accelerators. ``order`` within a tenant, after priority, is ``fifo`` or ``shortest``
    (by estimate). A job larger than the virtual cluster of its tenant is turned away (``oversized: reject``) or waits
    for good and lets others pass (``hold``). Tenants without one share what the others leave, as ``unknown`` says.

    Source: the virtual clusters of Philly (Jeon et al., USENIX ATC 2019) and Helios (Hu et al., SC 2021), where a group
    has a quota of accelerators. Unlike there, a part is a number of accelerators, not of servers.
    """

    name = "virtual-clusters"

    def __init__(
        self,
        clusters: Mapping[str, Any] | None = None,
        order: str = "fifo",
        oversized: str = "reject",
        unknown: str = "best-effort",
    ) -> None:
        sizes = {name: limit(f"clusters: {name!r}", value) for name, value in table("clusters", clusters).items()}
        choice("order", order, ORDERS)
        queues = [
            ClusterQueue(name, {(ANY, ACCELERATORS): Quota(size)}, strategy=STRICT) for name, size in sizes.items()
        ]
        super().__init__(queues, (), unknown, oversized, ORDERS[order])
        if clusters is not None and not sizes:
            raise InputError("clusters are empty; give each tenant its number of accelerators, or leave them out")

    def _turns(self, heads: dict[str, Claim]) -> Iterable[Claim]:
        return sorted(heads.values(), key=turn)
