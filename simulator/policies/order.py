"""Building blocks of schedulers: run jobs in an order, with and without preemption, and the three policy tiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from typing import Any

from simulator.core.errors import InputError
from simulator.policies.api import Action, ClusterView, Preempt, Scheduler, Start
from simulator.workload.jobs import Job, State

Key = Callable[[Job], Any]


def in_order(view: ClusterView, jobs: Iterable[Job]) -> Iterator[Action]:
    """Start jobs in the order given until one does not fit: the head of the queue blocks the rest."""
    for job in jobs:
        placement = view.place(job)
        if placement is None:
            return
        yield Start(job, placement)


def soonest(view: ClusterView) -> Iterable[Job]:
    """Running jobs, those that are expected to end first in front."""
    if not view.topology.has_network:
        return view.running.by(_expected_end)
    now = view.now

    def left(job: Job) -> float:
        """Seconds to run, below 0 if overdue: ``view.remaining`` written out, as every job that runs is asked."""
        if job.restarting:
            return view.remaining(job)
        return job.estimate - job.done - (now - job.since) * job.speed

    return sorted(view.running, key=left)  # contention moves the ends, so there is no order to keep up


def _expected_end(job: Job) -> float:
    """When a job ends that nothing slows, as on a cluster without a network."""
    return job.since + job.restarting + job.estimate - job.done


def preferring(view: ClusterView, running: Iterable[Job], queued: Iterable[Job], key: Key) -> Iterator[Action]:
    """Let the jobs with the smallest ``key`` have the cluster, stopping others where needed.

    ``running`` and ``queued`` come sorted by ``key``. Each job in turn is chosen if it fits in what the better ones
    leave. Running jobs that were not chosen are stopped, worst first, only as far as the chosen ones that wait need
    their accelerators.
    """
    if sum(job.accelerators for job in view.queue) <= view.free:
        yield from (Start(job) for job in view.queue)
        return
    budget = float(view.nodes.capacity)
    others = list(running)
    starts: list[Job] = []
    kept: dict[Job, None] = {}
    for job in merge(others, queued, key=key):
        if budget <= 0 and view.gangs_only:
            break
        if job.accelerators <= budget:
            budget -= job.accelerators
            if job.state is State.QUEUED:
                starts.append(job)
            else:
                kept[job] = None
    needed = sum(job.accelerators for job in starts) - view.free if starts else 0.0
    losers = [job for job in others if job not in kept]
    while needed > 0 and losers:
        loser = losers.pop()
        needed -= loser.accelerators
        yield Preempt(loser)
    for job in starts:
        if job.accelerators < 1 or job.accelerators <= view.free:
            yield Start(job)


class Ordered:
    """Starts jobs in the order of a key; the head of the queue blocks the rest."""

    def __init__(self, key: Key, name: str = "") -> None:
        self.key = key
        self.name = name or getattr(key, "__name__", "ordered")

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Start jobs from the head of the order while they fit."""
        return in_order(view, view.queue.by(self.key))


class FromFunction:
    """A scheduler made of one function ``(view) -> Iterable[Action]``."""

    def __init__(self, function: Callable[[ClusterView], Iterable[Action]]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", "function")

    def schedule(self, view: ClusterView) -> Iterable[Action]:
        """Ask the function."""
        return self.function(view)


def by(key: Key, name: str = "") -> Ordered:
    """Make a scheduler that runs jobs in the order of ``key(job)``, smallest first, ties in the order of submission.

    The key must not change while a job waits.
    """
    return Ordered(key, name)


def as_scheduler(policy: Any) -> Scheduler:
    """Return ``policy`` as a scheduler: an object with ``schedule``, a class of such, or a function of the view."""
    if isinstance(policy, type):
        try:
            policy = policy()
        except TypeError as error:
            raise InputError(f"{policy.__name__} cannot be made without arguments ({error}): give an object") from error
    if isinstance(policy, Scheduler):
        return policy
    if callable(policy):
        return FromFunction(policy)
    raise InputError(
        f"{policy!r} is not a scheduler: give a function (view) -> actions, an object with schedule(view), or by(key)"
    )
