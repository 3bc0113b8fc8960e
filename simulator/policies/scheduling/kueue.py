"""Quotas with borrowing, as Kueue admits workloads on Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.policies.api import ClusterView, schedulers
from simulator.policies.quota.admitting import QuotaAdmission
from simulator.policies.quota.fair import STRATEGIES, fair_targets, rules_of
from simulator.policies.quota.preemption import Claim, classical_targets
from simulator.policies.quota.reading import cohorts_of, queues_of
from simulator.policies.quota.records import STRATEGIES as QUEUEING
from simulator.policies.quota.records import choice
from simulator.policies.quota.turns import classical_order, fairest


@schedulers.register("kueue")
class Kueue(QuotaAdmission):
    """Quotas by tenant that cohorts lend and borrow, with preemption and fair sharing; gangs start whole (Kueue).

    ``queues`` maps tenants to quotas (see ``policies.quota.reading``), ``cohorts`` describes cohorts that have parents
    or quotas of their own. ``strategy`` is the queueing strategy of queues that say nothing: ``best-effort-fifo`` lets
    later jobs pass one that cannot start, ``strict-fifo`` does not. ``preemption`` likewise. ``fair_sharing`` orders
    and stops by dominant resource share, with ``strategies`` as Kueue's ``preemptionStrategies``. ``unknown`` and
    ``oversized`` are those of ``QuotaAdmission``.

    Source: Kueue v0.19 (kubernetes-sigs/kueue ff69552).
    """

    name = "kueue"

    def __init__(
        self,
        queues: Mapping[str, Any] | None = None,
        cohorts: Mapping[str, Any] | None = None,
        strategy: str = "best-effort-fifo",
        preemption: str | Mapping[str, Any] = "never",
        fair_sharing: bool = False,
        strategies: Sequence[str] = tuple(STRATEGIES),
        unknown: str = "best-effort",
        oversized: str = "reject",
    ) -> None:
        described = cohorts_of(cohorts)
        names = [cohort.name for cohort in described]
        choice("strategy", strategy, QUEUEING)
        super().__init__(queues_of(queues, preemption, strategy, names), described, unknown, oversized)
        self._fair = bool(fair_sharing)
        self._rules = rules_of(strategies)

    def _turns(self, heads: dict[str, Claim]) -> Iterable[Claim]:
        if not self._fair:
            yield from classical_order(self.tree, heads)
        while self._fair and heads:
            claim = fairest(self.tree, heads)
            del heads[claim.queue]
            yield claim

    def _targets(self, view: ClusterView, claim: Claim) -> list[Claim]:
        admitted = {name: claims.values() for name, claims in self._admitted.items()}

        def fits(leaving: Sequence[Claim]) -> bool:
            return self._place_after(view, claim, [each.job for each in leaving])

        if self._fair:
            return fair_targets(self.tree, claim, admitted, fits, self._rules)
        return classical_targets(self.tree, claim, admitted, fits)
