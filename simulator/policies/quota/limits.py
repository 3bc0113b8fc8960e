"""Limits on what a user, a tenant, or everybody may have running at a time, and on what one job may ask for.

Nouns of Slurm 24.11 (resource limits of associations and QOS): ``MaxTRESPerUser`` and ``MaxJobsPerUser`` are
``per_user``, ``MaxTRESPerAccount`` and ``MaxJobsPerAccount`` are ``per_tenant``, ``GrpTRES`` and ``GrpJobs`` are
``total`` or a limit by name, ``MaxTRESPerJob`` is ``per_job``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from simulator.core.errors import InputError
from simulator.policies.quota.reading import keys, limit, table
from simulator.policies.quota.records import ACCELERATORS, CORES, MEMORY
from simulator.policies.quota.tree import SLACK
from simulator.workload.jobs import Job

JOBS = "jobs"
_COUNTED = (ACCELERATORS, CORES, MEMORY, JOBS)
_SCOPES = ("per_job", "per_user", "per_tenant", "per_user_of_tenant", "total", "users", "tenants")

Group = tuple[str, str, float, float, float]
"""Jobs that the limits treat alike: user, tenant, accelerators, cores, memory (bytes)."""
Holder = tuple[str, ...]


def group_of(job: Job) -> Group:
    """The group of a job."""
    return (job.user, job.tenant, job.accelerators, job.cores, job.memory)


class Limits:
    """What may run at a time, and what runs.

    ``given`` has ``per_job``, ``per_user``, ``per_tenant``, ``per_user_of_tenant`` (a user in each tenant apart) and
    ``total``, each a mapping of ``accelerators``, ``cores``, ``memory`` (bytes) and ``jobs`` to the most of it; and
    ``users`` and ``tenants``, which map names to limits of their own instead of the usual ones. Jobs without a user or
    tenant are not limited by it. Raises ``InputError`` whose text begins with ``limits``.
    """

    def __init__(self, given: Mapping[str, Any] | None) -> None:
        fields = keys("limits", {} if given is None else given, _SCOPES)
        self._usual: dict[str, Mapping[str, float]] = {
            scope: _amounts(f"limits: {scope}", fields[scope]) for scope in _SCOPES[:5] if scope in fields
        }
        self._named: dict[Holder, Mapping[str, float]] = {}
        for scope, kind in (("users", "user"), ("tenants", "tenant")):
            for name, value in table(f"limits: {scope}", fields.get(scope)).items():
                self._named[kind, name] = _amounts(f"limits: {scope}: {name!r}", value)
        if JOBS in self._usual.get("per_job", {}):
            raise InputError("limits: per_job has jobs; one job is always one")
        self._used: dict[Holder, dict[str, float]] = {}
        self._running: dict[Job, Group] = {}
        self._bounds: dict[Group, list[tuple[Holder, Mapping[str, float]]]] = {}
        self._ever: dict[Group, bool] = {}
        self._now: dict[Group, bool] = {}
        """Answers that hold until something starts or stops."""

    def clear(self) -> None:
        """Nothing runs."""
        self._used.clear()
        self._running.clear()
        self._now.clear()

    def admits(self, group: Group) -> bool:
        """Whether one more job of a group may run beside those that do."""
        answer = self._now.get(group)
        if answer is None:
            answer = self._now[group] = self.ever_admits(group) and self._within(group, self._used)
        return answer

    def ever_admits(self, group: Group) -> bool:
        """Whether a job of a group could run if nothing else did."""
        answer = self._ever.get(group)
        if answer is None:
            asked, most = _asked(group), self._usual.get("per_job", {})
            small = all(asked[name] <= amount + SLACK for name, amount in most.items())
            answer = self._ever[group] = small and self._within(group, {})
        return answer

    def start(self, job: Job) -> None:
        """Count a job as running."""
        group = self._running[job] = group_of(job)
        self._count(group, 1.0)

    def stop(self, job: Job) -> None:
        """Count a job as running no more, if it was."""
        group = self._running.pop(job, None)
        if group is not None:
            self._count(group, -1.0)

    def used(self, *holder: str) -> Mapping[str, float]:
        """What a holder has: ``("user", name)``, ``("tenant", name)``, ``("user", name, tenant)`` or ``("total",)``."""
        return dict(self._used.get(holder, {}))

    def _within(self, group: Group, used: Mapping[Holder, Mapping[str, float]]) -> bool:
        asked = _asked(group)
        for holder, most in self._holders(group):
            has = used.get(holder, {})
            for name, amount in most.items():
                if has.get(name, 0.0) + asked[name] > amount + SLACK:
                    return False
        return True

    def _count(self, group: Group, sign: float) -> None:
        self._now.clear()
        asked = _asked(group)
        for holder, most in self._holders(group):
            has = self._used.setdefault(holder, {})
            for name in most:
                left = has.get(name, 0.0) + sign * asked[name]
                has[name] = 0.0 if abs(left) < SLACK else left

    def _holders(self, group: Group) -> list[tuple[Holder, Mapping[str, float]]]:
        if group in self._bounds:
            return self._bounds[group]
        user, tenant = group[0], group[1]
        found: list[tuple[Holder, Mapping[str, float]]] = []
        for kind, name in (("user", user), ("tenant", tenant)):
            if name:
                most = self._named.get((kind, name), self._usual.get(f"per_{kind}"))
                if most is not None:
                    found.append(((kind, name), most))
        if user and tenant and "per_user_of_tenant" in self._usual:
            found.append((("user", user, tenant), self._usual["per_user_of_tenant"]))
        if "total" in self._usual:
            found.append((("total",), self._usual["total"]))
        self._bounds[group] = found
        return found


def _asked(group: Group) -> dict[str, float]:
    return {ACCELERATORS: group[2], CORES: group[3], MEMORY: group[4], JOBS: 1.0}


def _amounts(where: str, given: Any) -> dict[str, float]:
    fields = keys(where, given, _COUNTED)
    amounts = {name: limit(f"{where}: {name}", value) for name, value in fields.items()}
    jobs = amounts.get(JOBS, 1.0)
    if jobs < 1 or math.floor(jobs) != jobs:
        raise InputError(f"{where}: jobs is {jobs:g}; it must be a whole number, 1 or more")
    return amounts
