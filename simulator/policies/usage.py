"""What tenants and their users have used lately: decayed accelerator-seconds, held against their shares."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.policies.api import ClusterView
from simulator.workload.jobs import Job, State

Group = tuple[str, str]
"""Tenant and user."""


def group(job: Job) -> Group:
    """Whose job it is."""
    return (job.tenant, job.user)


class Usage:
    """Accelerator-seconds by tenant and user, of which half is forgotten every ``half_life`` seconds (0: nothing is).

    Jobs are charged when ``update`` is called, for what they have run since the time before, and when they end.
    """

    def __init__(self, half_life: float) -> None:
        if not 0 <= half_life < math.inf:
            raise ValueError(f"half_life is {half_life:g} s; it must be a finite number, 0 or more (0: no decay)")
        self.half_life = half_life
        self.clear()

    def clear(self) -> None:
        """Forget the run before."""
        self.of: dict[Group, float] = {}
        """Decayed accelerator-seconds of everybody who came so far, in the order of coming."""
        self._charged: dict[Job, float] = {}
        self._updated = 0.0

    def join(self, job: Job) -> None:
        """Note that somebody is here, and charge what a job that comes back has run."""
        self.of.setdefault(group(job), 0.0)
        if job.ran > 0:
            self._charge(job, job.ran)

    def leave(self, job: Job) -> None:
        """Charge what a job that has ended ran since the last update."""
        self._charge(job, job.ran)
        self._charged.pop(job, None)

    def update(self, view: ClusterView) -> None:
        """Let usage decay, and charge the jobs that run."""
        now = view.now
        if self.half_life:
            keep = 0.5 ** ((now - self._updated) / self.half_life)
            for each in self.of:
                self.of[each] *= keep
        self._updated = now
        for job in view.running:
            self._charge(job, job.ran + (now - job.since))

    def _charge(self, job: Job, ran: float) -> None:
        new = ran - self._charged.get(job, 0.0)
        self._charged[job] = ran
        key = group(job)
        self.of[key] = self.of.get(key, 0.0) + (job.held or job.accelerators) * new


def classic(usage: Mapping[Group, float], shares: Mapping[str, float], dampening: float) -> dict[Group, float]:
    """Fair-share factor of each user, 0 to 1: F = 2^(-U / (S d)).

    S is the share of the tenant among those seen times an equal part for each of its users. U is the effective usage
    of Slurm's classic algorithm: the user's own part of all usage, and that share of what its tenant used beyond it.
    Source: Slurm documentation, "Classic Fairshare Algorithm" (24.05).
    """
    tenants, users = _tenants(usage), _users(usage)
    total = sum(usage.values())
    weight = sum(shares.get(tenant, 1.0) for tenant in tenants)
    factors = {}
    for (tenant, user), used in usage.items():
        inside = 1.0 / users[tenant]
        share = shares.get(tenant, 1.0) / weight * inside
        own, above = (used / total, tenants[tenant] / total) if total > 0 else (0.0, 0.0)
        effective = own + (above - own) * inside
        factors[tenant, user] = 2.0 ** (-effective / (share * dampening)) if share > 0 else 0.0
    return factors


def fair_tree(usage: Mapping[Group, float], shares: Mapping[str, float]) -> dict[Group, float]:
    """Fair-share factor of each user, rank / users: tenants by share / usage, then the users of each likewise.

    Whoever has the larger level fair-share ranks higher, and so do all below it; what is equal shares a rank. Tenants
    that are equal are merged, their users ranked together. Source: Slurm documentation, "Fair Tree Fairshare Algorithm"
    (default since 19.05), for the two levels of tenants and users.
    """
    tenants, users = _tenants(usage), _users(usage)
    total = sum(usage.values())
    weight = sum(shares.get(tenant, 1.0) for tenant in tenants)

    def level(share: float, used: float) -> float:
        if used <= 0:
            return math.inf if share > 0 else 0.0
        return share / used

    def standing(each: Group) -> tuple[float, float]:
        tenant = each[0]
        above = level(shares.get(tenant, 1.0) / weight, tenants[tenant] / total if total > 0 else 0.0)
        inside = usage[each] / tenants[tenant] if tenants[tenant] > 0 else 0.0
        return above, level(1.0 / users[tenant], inside)

    ranked = sorted(usage, key=standing, reverse=True)
    factors: dict[Group, float] = {}
    rank, last = len(ranked), None
    for place, each in enumerate(ranked):
        if standing(each) != last:
            rank, last = len(ranked) - place, standing(each)
        factors[each] = rank / len(ranked)
    return factors


def _tenants(usage: Mapping[Group, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for (tenant, _), used in usage.items():
        found[tenant] = found.get(tenant, 0.0) + used
    return found


def _users(usage: Mapping[Group, float]) -> dict[str, int]:
    found: dict[str, int] = {}
    for tenant, _ in usage:
        found[tenant] = found.get(tenant, 0) + 1
    return found


def finished(job: Job) -> bool:
    """Whether a job ran to its own end, so that it tells how long such jobs take."""
    return job.state is State.COMPLETED
