"""Quotas as a scenario writes them, turned into records; what is wrong is said with names, numbers, nearest choices.

A queue is a number (its nominal quota of accelerators of any type) or a mapping::

    nominal: 16                      # or {accelerators: 16, cores: 512}
    borrowing-limit: 8               # most beyond nominal; no limit unless given
    lending-limit: 4                 # most that others may take; all unless given
    flavors: {nvidia/a100-sxm4-80gb: {nominal: 8}, nvidia/h100-sxm: {nominal: 8}}     # instead of the above, by type
    cohort: research
    weight: 2
    preemption: {within: lower-priority, reclaim: any, borrow: never}
    strategy: strict-fifo
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from simulator.core.errors import InputError, did_you_mean, nearest
from simulator.policies.quota.records import (
    ACCELERATORS,
    ANY,
    RESOURCES,
    ClusterQueue,
    Cohort,
    Flavoured,
    Preemption,
    Quota,
    choice,
)

_AMOUNTS = ("nominal", "borrowing_limit", "lending_limit")
_QUEUE = (*_AMOUNTS, "flavors", "cohort", "weight", "preemption", "strategy")
_COHORT = (*_AMOUNTS, "flavors", "parent", "weight")
_PREEMPTION = ("within", "reclaim", "borrow", "threshold")


def queues_of(
    given: Mapping[str, Any] | None, preemption: Any = None, strategy: str = "", cohorts: Collection[str] = ()
) -> tuple[ClusterQueue, ...]:
    """Return the queues that a mapping describes; ``preemption`` and ``strategy`` are for those that say nothing.

    Where ``cohorts`` are given, a queue must be in one of them or in none. Raises ``InputError``.
    """
    usual = preemption_of(preemption) if preemption is not None else Preemption()
    queues = []
    for name, value in table("queues", given).items():
        with_name = f"queues: {name!r}"
        fields = keys(with_name, value if isinstance(value, Mapping) else {"nominal": value}, _QUEUE)
        cohort = str(fields.get("cohort") or "")
        if cohort and cohorts and cohort not in cohorts:
            raise InputError(f"{with_name} is in cohort {cohort!r}. {did_you_mean(cohort, cohorts)}")
        try:
            own = fields.get("preemption")
            queues.append(
                ClusterQueue(
                    name,
                    _quotas(fields),
                    cohort,
                    fields.get("weight", 1.0),
                    usual if own is None else preemption_of(own),
                    fields.get("strategy") or strategy or "best-effort-fifo",
                )
            )
        except InputError as error:
            raise InputError(f"{with_name}: {error}") from None
    return tuple(queues)


def cohorts_of(given: Mapping[str, Any] | None) -> tuple[Cohort, ...]:
    """Return the cohorts that a mapping describes: ``parent``, ``weight``, and quotas of their own as queues have."""
    described = table("cohorts", given)
    cohorts = []
    for name, value in described.items():
        with_name = f"cohorts: {name!r}"
        fields = keys(with_name, {} if value is None else value, _COHORT)
        parent = str(fields.get("parent") or "")
        if parent and parent not in described:
            raise InputError(f"{with_name} has the parent {parent!r}. {did_you_mean(parent, described)}")
        try:
            quotas = _quotas(fields) if {"nominal", "flavors"} & set(fields) else {}
            cohorts.append(Cohort(name, parent, quotas, fields.get("weight", 1.0)))
        except InputError as error:
            raise InputError(f"{with_name}: {error}") from None
    return tuple(cohorts)


def preemption_of(value: Any) -> Preemption:
    """Return who may be stopped; ``never`` and ``any`` stand for both of ``within`` and ``reclaim``."""
    if isinstance(value, str):
        choice("preemption", value, ("never", "any"))
        return Preemption() if value == "never" else Preemption("lower-priority", "any")
    fields = keys("preemption", value, _PREEMPTION)
    policies = {name: str(part) for name, part in fields.items() if name != "threshold"}
    made: dict[str, Any] = {**policies, "threshold": _threshold(fields.get("threshold"))}
    return Preemption(**made)


def table(name: str, given: Any) -> dict[str, Any]:
    """Return a parameter that maps names; ``InputError`` when it is something else."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(f"{name} are {given!r}; they must be a mapping from names")
    return {str(key): value for key, value in given.items()}


def keys(where: str, given: Any, known: Collection[str]) -> dict[str, Any]:
    """Return the fields of one entry, ``-`` and ``_`` alike; ``InputError`` for one that is not ``known``."""
    if not isinstance(given, Mapping):
        raise InputError(f"{where} is {given!r}; it must be a mapping with " + ", ".join(known))
    fields = {str(key).replace("-", "_"): value for key, value in given.items()}
    for key in fields:
        if key not in known:
            raise InputError(f"{where} has an unknown key {key!r}. {did_you_mean(key, known)}")
    return fields


def limit(where: str, value: Any) -> float:
    """Return a number that limits something; ``InputError`` when it is none, or below 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InputError(f"{where} is {value!r}; it must be a number, 0 or more")
    return float(value)


def oversubscription(queues: Collection[ClusterQueue], cohorts: Collection[Cohort], capacity: float) -> list[str]:
    """Say it when nominal quotas add up to more accelerators than the cluster has; ``capacity`` counts those.

    It is allowed, as quotas are promises, but jobs may then wait for room within their quota.
    """
    parts = [(queue.name, queue.nominal()) for queue in queues]
    for cohort in cohorts:
        own = (quota.nominal for (_, resource), quota in cohort.quotas.items() if resource == ACCELERATORS)
        parts.append((cohort.name, sum(own)))
    total = sum(amount for _, amount in parts)
    if total <= capacity + 1e-9:
        return []
    shown = ", ".join(f"{name} {amount:g}" for name, amount in parts if amount)
    excess = f"The quotas add up to {total:g} accelerators, the cluster has {capacity:g} ({shown})"
    return [f"{excess}: jobs may wait for room within their quota."]


def strangers(came: Mapping[str, int], quotas: Sequence[str], guests: bool) -> list[str]:
    """Say it when jobs came whose tenants have no quota, and when nobody came who has one: often a misspelt name.

    ``came`` counts jobs by tenant; ``guests`` says whether those without a quota ran on what the others left.
    """
    strange = {name: count for name, count in came.items() if name not in quotas}
    absent = [name for name in quotas if name not in came]
    notes = []
    if strange and guests:
        share = f"{sum(strange.values()):,} of {sum(came.values()):,} jobs"
        notes.append(f"{share} are of tenants without a quota ({_some(strange)}): they ran on what the others left.")
    if absent and came:
        close = {name: near for name in absent if (near := nearest(name, list(strange)))}
        hint = "".join(f" {name!r} may be {near!r}." for name, near in list(close.items())[:3])
        notes.append(f"No job came of {len(absent):,} tenants with a quota ({_some(absent)}).{hint}")
    return notes


def _some(names: Iterable[str], most: int = 5) -> str:
    shown = [name or "no name" for name in names]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")


def _threshold(value: Any) -> float:
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InputError(f"preemption: threshold is {value!r}; it must be a priority, a number")
    return float(value)


def _quotas(fields: Mapping[str, Any]) -> dict[Flavoured, Quota]:
    flavors = fields.get("flavors")
    if flavors is None:
        return _quotas_of(ANY, fields)
    if any(name in fields for name in _AMOUNTS):
        raise InputError("give flavors, or nominal and its limits, not both")
    quotas: dict[Flavoured, Quota] = {}
    for flavour, value in table("flavors", flavors).items():
        part = keys(f"flavors: {flavour!r}", value if isinstance(value, Mapping) else {"nominal": value}, _AMOUNTS)
        quotas |= _quotas_of(flavour, part)
    return quotas


def _quotas_of(flavour: str, fields: Mapping[str, Any]) -> dict[Flavoured, Quota]:
    amounts = {name: _by_resource(name, fields[name]) for name in _AMOUNTS if fields.get(name) is not None}
    nominal = amounts.get("nominal")
    if nominal is None:
        raise InputError("nominal is missing: the quota of accelerators")
    for name, parts in amounts.items():
        for resource in parts:
            if resource not in nominal:
                raise InputError(f"{name.replace('_', '-')} names {resource!r}, of which there is no nominal quota")
    return {
        (flavour, resource): Quota(
            quota,
            amounts.get("borrowing_limit", {}).get(resource, math.inf),
            amounts.get("lending_limit", {}).get(resource, math.inf),
        )
        for resource, quota in nominal.items()
    }


def _by_resource(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {ACCELERATORS: value}
    for resource in value:
        choice(f"a resource of {name.replace('_', '-')}", resource, RESOURCES)
    return dict(value)
