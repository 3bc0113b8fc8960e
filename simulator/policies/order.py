"""The order of a queue: what every order offers, orders made of a key, and the three policy tiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from simulator.core.errors import InputError
from simulator.policies.api import Action, ClusterView, Scheduler, Start
from simulator.workload.jobs import Job

Key = Callable[[Job], Any]
Limit = Callable[[float], float]
"""Longest estimate (s) that may pass, by accelerators; minus infinity for none."""


class Order:
    """Who goes first: base class of what ``Composed`` takes as its order.

    ``waiting`` is all that an order must have. One that may stop running jobs has ``rank`` as well, and does better
    with a ``worst`` of its own. Optional are the hooks and times of a scheduler: ``on_submit``, ``on_finish``,
    ``on_tick``, ``reset``, ``interval``, ``wake``, ``notes``; and
    ``after_pass(view, waiting)``, called when a pass has acted, with whether any job waits now.
    """

    name = "order"

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, who goes first in front."""
        raise NotImplementedError(f"{type(self).__name__} has no waiting(view)")

    def fitting(
        self, view: ClusterView, limit: Limit, after: Job | None = None, length: Key | None = None
    ) -> Iterator[Job]:
        """Loop over the waiting jobs behind ``after`` with ``length(job) <= limit(job.accelerators)``, in order.

        ``limit`` may fall while the loop goes on, and must not rise.
        """
        jobs = self.waiting(view)
        if after is not None:
            for job in jobs:
                if job is after:
                    break
        for job in jobs:
            most = limit(job.accelerators)
            if most > _NEVER and (length is None or length(job) <= most):
                yield job

    def rank(self, view: ClusterView) -> Key:
        """Return a function that compares jobs that wait and run: the smaller goes first, at a tie who runs stays."""
        raise InputError(f"order {self.name!r} does not say how jobs that run compare with those that wait: no preempt")

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, who would be stopped first in front."""
        found = sorted(view.running, key=self.rank(view))
        return reversed(found)


_NEVER = float("-inf")


class Keyed(Order):
    """The order of a key of a job, smallest first, ties in the order of submission.

    The key must not change for a job while it waits, nor while it runs.
    """

    def __init__(self, key: Key, name: str = "") -> None:
        self.key = key
        self.name = name or getattr(key, "__name__", type(key).__name__)

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait in the order of the key."""
        return view.queue.by(self.key)

    def fitting(
        self, view: ClusterView, limit: Limit, after: Job | None = None, length: Key | None = None
    ) -> Iterator[Job]:
        """As ``Order.fitting``, without looking at the jobs that do not fit."""
        return view.queue.fitting(self.key, limit, after, length)

    def rank(self, view: ClusterView) -> Key:
        """The key, for jobs that run too."""
        return self.key

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, the largest key first."""
        return view.running.by(self.key, backwards=True)


def turn(job: Job) -> Any:
    """Order of submission; among jobs of the same instant the shorter, then the smaller one goes first."""
    return (job.submit, job.estimate, job.accelerators)


def in_order(view: ClusterView, jobs: Iterable[Job]) -> Iterator[Action]:
    """Start jobs in the order given until one does not fit: the head of the queue blocks the rest."""
    for job in jobs:
        placement = view.place(job)
        if placement is None:
            return
        yield Start(job, placement)


def soonest(view: ClusterView, backwards: bool = False) -> Iterable[Job]:
    """Running jobs, those that are expected to end first in front; ``backwards`` those that end last."""
    if not view.topology.has_network:
        return view.running.by(_expected_end, backwards)
    now = view.now

    def left(job: Job) -> float:
        """Seconds to run, below 0 if overdue: ``view.remaining`` written out, as every job that runs is asked."""
        if job.restarting:
            return view.remaining(job)
        return job.estimate - job.done - (now - job.since) * job.speed

    found = sorted(view.running, key=left)  # contention moves the ends, so there is no order to keep up
    return reversed(found) if backwards else found


def _expected_end(job: Job) -> float:
    """When a job ends that nothing slows, as on a cluster without a network."""
    return job.since + job.restarting + job.estimate - job.done


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
