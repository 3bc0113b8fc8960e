"""Quotas, queues and cohorts as an administrator writes them down, checked when they are made.

Nouns and defaults of Kueue v0.19 (kubernetes-sigs/kueue ff69552; concepts "Cluster Queue", "Cohort", "Preemption").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simulator.core.errors import InputError, did_you_mean

ACCELERATORS, CORES, MEMORY = "accelerators", "cores", "memory"
RESOURCES = (ACCELERATORS, CORES, MEMORY)
ANY = ""
"""The flavour of quotas that hold for accelerators of every type."""

Flavoured = tuple[str, str]
"""A flavour (type of accelerator, or ``ANY``) and a resource of it."""
Amounts = Mapping[Flavoured, float]

NEVER, LOWER, LOWER_OR_NEWER, EVERY = "never", "lower-priority", "lower-or-newer-equal-priority", "any"
STRICT, BEST_EFFORT_FIFO = "strict-fifo", "best-effort-fifo"
STRATEGIES = (BEST_EFFORT_FIFO, STRICT)


def choice(what: str, value: object, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``choices``; else raise ``InputError`` with the nearest one.

    >>> choice("strategy", "strict-fifo", STRATEGIES)
    'strict-fifo'
    """
    known = tuple(choices)
    if value not in known:
        raise InputError(f"{what} is {value!r}. {did_you_mean(str(value), known)}")
    return str(value)


@dataclass(frozen=True, slots=True)
class Quota:
    """What one queue, or a cohort beside its queues, has of one resource: accelerators, cores, or bytes of memory.

    ``borrowing_limit`` is the most that it may take beyond ``nominal`` from its cohort, ``lending_limit`` the most of
    ``nominal`` that others may take; infinite unless given.
    """

    nominal: float
    borrowing_limit: float = math.inf
    lending_limit: float = math.inf

    def __post_init__(self) -> None:
        for what, value, finite in (
            ("nominal", self.nominal, True),
            ("borrowing-limit", self.borrowing_limit, False),
            ("lending-limit", self.lending_limit, False),
        ):
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise InputError(f"{what} is {value!r}; it must be a number, 0 or more")
            if finite and math.isinf(value):
                raise InputError(f"{what} is infinite; a quota is a finite number")
        if self.lending_limit > self.nominal and not math.isinf(self.lending_limit):
            excess = f"lending-limit is {self.lending_limit:g}, more than the nominal quota"
            raise InputError(f"{excess} of {self.nominal:g}")


@dataclass(frozen=True, slots=True)
class Preemption:
    """Whom a job that waits in a queue may stop.

    ``within``: jobs of its own queue (``withinClusterQueue``). ``reclaim``: jobs of queues of the cohort that use more
    than their nominal quota, for a job that stays within the nominal quota of its own (``reclaimWithinCohort``).
    ``borrow``: the latter even for a job that borrows itself, if they are of lower priority and of at most
    ``threshold`` (``borrowWithinCohort``, ``maxPriorityThreshold``). All never unless given, as in Kueue.
    """

    within: str = NEVER
    reclaim: str = NEVER
    borrow: str = NEVER
    threshold: float = math.inf

    def __post_init__(self) -> None:
        choice("preemption: within", self.within, (NEVER, LOWER, LOWER_OR_NEWER))
        choice("preemption: reclaim", self.reclaim, (NEVER, LOWER, EVERY))
        choice("preemption: borrow", self.borrow, (NEVER, LOWER))
        if self.borrow != NEVER and self.reclaim == NEVER:
            raise InputError("preemption: borrow needs a reclaim other than 'never': it stops the same jobs")

    @property
    def none(self) -> bool:
        """Whether nobody is ever stopped."""
        return self.within == NEVER and self.reclaim == NEVER


@dataclass(frozen=True, slots=True)
class Cohort:
    """Queues that lend to each other, and perhaps a quota of its own that all of them may use.

    ``parent`` is the cohort that it belongs to itself; ``weight`` its share against its siblings.
    """

    name: str
    parent: str = ""
    quotas: Mapping[Flavoured, Quota] = field(default_factory=dict)
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_weight(self.weight)
        if not self.parent:
            _check_alone(self.quotas, "a parent")


@dataclass(frozen=True, slots=True)
class ClusterQueue:
    """What one tenant may use.

    ``quotas`` by flavour and resource, in the order in which flavours are tried. ``weight`` divides its share where
    sharing is fair; 0 lets it borrow only what nobody else wants.
    """

    name: str
    quotas: Mapping[Flavoured, Quota]
    cohort: str = ""
    weight: float = 1.0
    preemption: Preemption = Preemption()
    strategy: str = BEST_EFFORT_FIFO

    def __post_init__(self) -> None:
        if not self.quotas:
            raise InputError("it has no quota: give nominal, or flavors")
        _check_weight(self.weight)
        choice("strategy", self.strategy, STRATEGIES)
        if not self.cohort:
            _check_alone(self.quotas, "a cohort")

    @property
    def flavours(self) -> tuple[str, ...]:
        """Flavours in the order in which they are tried."""
        return tuple(dict.fromkeys(flavour for flavour, _ in self.quotas))

    def nominal(self, resource: str = ACCELERATORS) -> float:
        """Nominal quota of a resource over all flavours."""
        return sum(quota.nominal for (_, name), quota in self.quotas.items() if name == resource)


def _check_weight(weight: float) -> None:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise InputError(f"weight is {weight!r}; it must be a finite number, 0 or more")


def _check_alone(quotas: Mapping[Flavoured, Quota], missing: str) -> None:
    """Refuse limits on lending and borrowing where there is nobody to lend to."""
    for quota in quotas.values():
        for what, limit in (("borrowing-limit", quota.borrowing_limit), ("lending-limit", quota.lending_limit)):
            if not math.isinf(limit):
                raise InputError(f"{what} is {limit:g}, but it has no {missing.split()[-1]}: it needs {missing}")
