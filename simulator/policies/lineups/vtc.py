"""The tenant that has had least."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush, heapreplace

from simulator.policies.serving import lineups
from simulator.workload.requests import Request


class _Tenant:
    """What one tenant has had, and its requests that wait. ``number`` counts tenants in the order they came."""

    __slots__ = ("counter", "listed", "number", "share", "waiting")

    def __init__(self, number: int, share: float) -> None:
        self.number, self.share = number, share
        self.counter = 0.0
        self.listed = False
        self.waiting: OrderedDict[Request, None] = OrderedDict()


@lineups.register("vtc")
class Vtc:
    """Virtual Token Counter: the earliest request of the tenant that has had the fewest weighted tokens.

    Sheng et al., Fairness in Serving Large Language Models (OSDI 2024), algorithm 2: a tenant's counter grows by ``wp``
    for every token of its prompts that is computed and by ``wq`` for every token that is generated (1 and 2 there),
    divided by its share (``shares`` by name, 1 for all others), as in the weighted variant there. A tenant without
    waiting requests that sends one is lifted to the lowest counter of those who have some, or, when nobody waits, to
    the counter of the tenant whose request left the queue last; so nobody saves up while idle. Counters of tenants that
    keep waiting differ by at most ``max(wp * longest prompt, wq * tokens that a batch can hold)``.

    The paper charges a whole prompt when it is let in; here it is charged as it is computed, less what was cached, and
    again when it is computed again. The paper knows no preemption: who was let in last is preempted first, as in vLLM,
    and goes to the front of its tenant's requests, whose counter is lifted as for one that comes. Each replica counts
    by itself. Ties go by the order in which tenants first came. Every operation takes O(log tenants), mean over many.
    """

    def __init__(self, wp: float = 1.0, wq: float = 2.0, shares: Mapping[str, float] | None = None) -> None:
        for name, weight in (("wp", wp), ("wq", wq)):
            if not 0 <= weight < float("inf"):
                raise ValueError(f"{name} is {weight:g}; a weight must be 0 or more")
        for tenant, share in (shares or {}).items():
            if not 0 < share < float("inf"):
                raise ValueError(f"shares: {tenant} has {share:g}; a share must be above 0")
        self._wp, self._wq, self._shares = wp, wq, dict(shares or {})
        self._tenants: dict[str, _Tenant] = {}
        self._heap: list[tuple[float, int, _Tenant]] = []
        """Tenants by counter, each at most once. What stands there may be less than the counter is by now."""
        self._left: _Tenant | None = None
        """Tenant of the request that left last."""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Request]:
        """Requests tenant by tenant, the one that has had least first; a tenant's in their order."""
        for tenant in sorted(self._tenants.values(), key=lambda tenant: (tenant.counter, tenant.number)):
            yield from tenant.waiting

    def add(self, request: Request) -> None:
        """Take a request that came, behind those of its tenant."""
        self._enter(request)

    def put_back(self, request: Request) -> None:
        """Take a request that was preempted, ahead of those of its tenant."""
        self._enter(request).waiting.move_to_end(request, last=False)

    def head(self) -> Request:
        """Return the earliest request of the tenant with the lowest counter."""
        return next(iter(self._lowest().waiting))

    def remove(self, request: Request) -> None:
        """Take a request out."""
        tenant = self._tenants[request.tenant]
        del tenant.waiting[request]
        self._left = tenant
        self._length -= 1

    def victim(self, running: Sequence[Request]) -> Request:
        """Return who was let in last."""
        return running[-1]

    def charge(self, request: Request, prompt: int, output: int) -> None:
        """Count tokens of a request for its tenant, also of one that never waited here."""
        tenant = self._tenant(request.tenant)
        tenant.counter += (self._wp * prompt + self._wq * output) / tenant.share

    def counter(self, tenant: str) -> float:
        """Weighted tokens that a tenant has had, or was lifted to; 0 for one that never came."""
        return self._tenants[tenant].counter if tenant in self._tenants else 0.0

    def _tenant(self, name: str) -> _Tenant:
        tenant = self._tenants.get(name)
        if tenant is None:
            tenant = self._tenants[name] = _Tenant(len(self._tenants), self._shares.get(name, 1.0))
        return tenant

    def _enter(self, request: Request) -> _Tenant:
        tenant = self._tenant(request.tenant)
        if not tenant.waiting:
            self._lift(tenant)
        tenant.waiting[request] = None
        self._length += 1
        if not tenant.listed:
            tenant.listed = True
            heappush(self._heap, (tenant.counter, tenant.number, tenant))
        return tenant

    def _lift(self, tenant: _Tenant) -> None:
        if self._length:
            tenant.counter = max(tenant.counter, self._lowest().counter)
        elif self._left is not None:
            tenant.counter = max(tenant.counter, self._left.counter)

    def _lowest(self) -> _Tenant:
        """Bring the heap up to date as far as it takes to know its first tenant that waits."""
        heap = self._heap
        while True:
            counter, number, tenant = heap[0]
            if not tenant.waiting:
                heappop(heap)
                tenant.listed = False
            elif counter != tenant.counter:
                heapreplace(heap, (tenant.counter, number, tenant))
            else:
                return tenant
