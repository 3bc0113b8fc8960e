"""What the engine refuses: jobs that make no sense, and placements that do not add up."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import index
from typing import NamedTuple

from simulator.cluster.allocation import Allocator
from simulator.workload.jobs import FOREVER, BatchJob, Job, Placement, ReplicaJob, State, TrainingJob

_INFINITE = math.inf
_PENDING = State.PENDING


class _Rule(NamedTuple):
    holds: Callable[[float], bool]
    wanted: str


_NUMBER = _Rule(lambda value: 0 <= value < _INFINITE, "a finite number, 0 or more")
_SPAN = _Rule(lambda value: value >= 0, "a number, 0 or more, or infinite")
_SHARE = _Rule(lambda value: 0 <= value < 1, "a share from 0 to below 1")
_OVERLAP = _Rule(lambda value: 0 <= value <= 1, "a share from 0 to 1")
_GANG = _Rule(
    lambda value: 0 <= value < _INFINITE and (value < 1 or value == int(value)), "a whole number, or a share below 1"
)
_COMMON = {
    "accelerators": _GANG, "cores": _NUMBER, "memory": _NUMBER, "max_servers": _NUMBER, "begin": _NUMBER,
    "limit": _SPAN, "deadline": _SPAN, "checkpoint": _SPAN, "minimum": _GANG, "maximum": _GANG, "array_limit": _NUMBER,
}  # fmt: skip
_KINDS: tuple[tuple[type[Job], dict[str, _Rule]], ...] = (
    (BatchJob, {"duration": _NUMBER, "communication": _SHARE} | _COMMON | {"estimate": _NUMBER}),
    (
        TrainingJob,
        {"iterations": _NUMBER, "compute": _NUMBER, "gradient": _NUMBER, "overlap": _OVERLAP}
        | _COMMON
        | {"estimate": _NUMBER},
    ),
    (ReplicaJob, _COMMON | {"estimate": _NUMBER}),
)


def expected(job: Job) -> float:
    """Seconds that the scheduler is told when no estimate came with the job: what it takes alone, without the network.

    NaN for a kind of job that has no such time.
    """
    if isinstance(job, BatchJob):
        return job.duration
    if isinstance(job, ReplicaJob):
        return FOREVER
    return job.iterations * job.compute if isinstance(job, TrainingJob) else math.nan


def in_thousandths(share: float) -> float:
    """Round a share of an accelerator as ``Allocator`` hands it out, so that what is told is what is held: at least 1.

    >>> in_thousandths(1 / 3), in_thousandths(0.00001), in_thousandths(0.0)
    (0.333, 0.001, 0.0)
    """
    return max(1, round(share * 1000)) / 1000 if share else 0.0


def fault(job: Job) -> str:
    """Say what is wrong with a job that is being submitted; empty when nothing is."""
    try:
        if (
            type(job) is BatchJob
            and job.state is _PENDING
            and job.accelerators >= 0
            and job.accelerators % 1 == 0
            and 0 <= job.duration < _INFINITE
            and 0 <= job.estimate < _INFINITE
            and not (job.cores or job.memory or job.communication or job.max_servers or job.begin or job.array_limit)
            and not (job.minimum or job.maximum or job.checkpoint)
            and job.limit == job.deadline == _INFINITE
        ):
            return ""  # most jobs of most traces, judged at once
    except TypeError:
        pass
    return _first_fault(job)


def _first_fault(job: Job) -> str:
    if job.state is not State.PENDING:
        return f"it is {job.state.name.lower()} already: a run needs fresh jobs"
    rules = next((rules for kind, rules in _KINDS if isinstance(job, kind)), None)
    if rules is None:
        return f"{type(job).__name__} is none of BatchJob, TrainingJob, ReplicaJob"
    for name, rule in rules.items():
        value = getattr(job, name)
        try:
            good = rule.holds(value)
        except (TypeError, ValueError):
            good = False
        if not good:
            return f"{name} is {value!r}; it must be {rule.wanted}"
    low, high = job.minimum or job.accelerators, job.maximum or job.accelerators
    if high and not job.accelerators:
        return "accelerators is 0; an elastic job asks for some"
    if not low <= job.accelerators <= high:
        return f"it asks for {job.accelerators:g} accelerators, which is not between {low:g} and {high:g} (elastic)"
    return ""


def checked(job: Job, placement: Placement, nodes: Allocator, wanted: float | None = None) -> Placement:
    """Return the placement if it names right servers and adds up to the gang of the job; else raise ``ValueError``.

    ``wanted`` is the number of accelerators where it is known; an elastic job may otherwise have any that it runs on.
    """
    try:
        if len(placement) == 1:
            ((server, taken),) = placement
            right = type(server) is int and 0 <= server < len(nodes.jobs)
            if right and taken == job.accelerators and nodes.constraints.open_to(job):
                return ((server, taken),)
        plain = tuple((index(server), float(taken)) for server, taken in placement)
    except (TypeError, ValueError):
        raise ValueError(f"placement {placement!r} is not ((server index, accelerators), ...)") from None
    mine = dict(job.placement) if job.state is State.RUNNING else {}
    for server, taken in plain:
        if not 0 <= server < len(nodes):
            raise ValueError(f"placed on server {server}, servers are 0 to {len(nodes) - 1}")
        refusal = nodes.constraints.refusal(server, job)
        if refusal and taken > mine.get(server, 0.0):  # who runs on a server that was booked since may stay
            raise ValueError(refusal)
    if len({server for server, _ in plain}) < len(plain):
        raise ValueError(f"placement {plain!r} names a server twice")
    if len(plain) > 1 and any(taken < 1 or taken != int(taken) for _, taken in plain):
        raise ValueError(f"placement {plain!r} splits the gang into other than whole accelerators")
    given = sum(taken for _, taken in plain)
    least = wanted if wanted is not None else job.minimum or job.accelerators
    most = wanted if wanted is not None else job.maximum or job.accelerators
    if not least <= given <= most or not plain:
        told = f"{least:g}" if least == most else f"{least:g} to {most:g}"
        raise ValueError(f"placed on {given:g} accelerators, it wants {told}")
    if job.max_servers and len(plain) > job.max_servers:
        raise ValueError(f"placed on {len(plain)} servers, it takes at most {job.max_servers}")
    return plain
