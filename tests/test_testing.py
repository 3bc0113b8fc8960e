"""The kit for policies of one's own: every built-in passes it, and broken ones are told what is wrong."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import (
    Action,
    ClusterView,
    PoolObservation,
    Preempt,
    Reject,
    Start,
    autoscalers,
    placers,
    schedulers,
)
from simulator.policies.order import by
from simulator.policies.placement.pack import Pack
from simulator.testing import (
    AutoscalerContract,
    PlacerContract,
    SchedulerContract,
    check_autoscaler,
    check_placer,
    check_scheduler,
    replay,
)
from simulator.workload.jobs import BatchJob, Job, Placement


def ageing(view: ClusterView) -> Iterator[Action]:
    """Smallest first, with ageing."""
    free = view.free
    for job in sorted(view.queue, key=lambda j: j.size - 10 * (view.now - j.submit)):
        if job.accelerators <= free:
            free -= job.accelerators
            yield Start(job)


# -- every built-in -------------------------------------------------------------------------------------------------


class BuiltIn:
    """Gives ``make`` the name that a test is run for."""

    @pytest.fixture(autouse=True)
    def named(self, name: str) -> None:
        self.name = name

    def make(self) -> Any:
        return self.name


@pytest.mark.parametrize("name", schedulers.names())
class TestSchedulers(BuiltIn, SchedulerContract):
    """Each scheduler of the registry keeps each promise."""


@pytest.mark.parametrize("name", placers.names())
class TestPlacers(BuiltIn, PlacerContract):
    """Each placement of the registry keeps each promise."""


@pytest.mark.parametrize("name", autoscalers.names())
class TestAutoscalers(BuiltIn, AutoscalerContract):
    """Each autoscaler of the registry keeps each promise."""


class TestOneObject(SchedulerContract):
    """The same object may be given each time."""

    policy = schedulers.get("las")(quantum=7.0)

    def make(self) -> Any:
        return self.policy


def test_functions_keys_and_classes_are_checked_alike() -> None:
    check_scheduler(ageing)
    check_scheduler(by(lambda job: job.sequence))
    check_scheduler(schedulers.get("easy-backfill"))
    check_placer(Pack)
    check_placer(Pack())
    check_autoscaler(autoscalers.get("target-tracking")(target=0.5))


def test_a_contract_without_make_says_so() -> None:
    for contract in (SchedulerContract, PlacerContract, AutoscalerContract):
        with pytest.raises(NotImplementedError, match=r"^return your .* from make\(\)$"):
            contract().make()


# -- broken schedulers ----------------------------------------------------------------------------------------------


def overallocating(view: ClusterView) -> Iterator[Action]:
    for job in view.queue:
        yield Start(job)


def blind(view: ClusterView) -> Iterator[Action]:
    """Compares with what was free before the pass, and forgets to count."""
    free = view.free
    for job in view.queue:
        if job.accelerators <= free:
            yield Start(job)


def double(view: ClusterView) -> Iterator[Action]:
    for job in view.queue:
        if job.accelerators <= view.free:
            yield Start(job)
            yield Start(job)


def never(view: ClusterView) -> Iterator[Action]:
    return iter(())


def only_even(view: ClusterView) -> Iterator[Action]:
    for job in view.queue:
        if job.accelerators % 2 == 0 and job.accelerators <= view.free:
            yield Start(job)


def rejecting(view: ClusterView) -> Iterator[Action]:
    for job in view.queue:
        yield Start(job) if job.accelerators <= view.free else Reject(job)


def largest_first(view: ClusterView) -> Iterator[Action]:
    for job in sorted(view.queue, key=lambda job: -job.accelerators):
        if job.accelerators > view.free:
            return
        yield Start(job)


def naming(view: ClusterView) -> Iterator[Any]:
    yield from (job.id for job in view.queue)


def by_name(view: ClusterView) -> Iterator[Action]:
    for job in sorted(view.queue, key=lambda job: job.id[::-1]):
        if job.accelerators <= view.free:
            yield Start(job)


def yoyo(view: ClusterView) -> Iterator[Action]:
    for job in view.running:
        yield Preempt(job)
        yield Start(job)
    yield from ageing(view)


def stubborn(view: ClusterView) -> Iterator[Action]:
    for job in view.queue:
        while job in view.queue and job.accelerators <= view.free:
            yield Start(job)


def meddling(view: ClusterView) -> Iterator[Action]:
    for job in view.queue:
        job.priority += 1.0
        if job.accelerators <= view.free:
            yield Start(job)


def taking(view: ClusterView) -> Iterator[Action]:
    if view.now == 0 or view.free == view.nodes.capacity > 3:
        view.nodes.take(0, 1.0)
    yield from ageing(view)


def greedy_for_the_first(view: ClusterView) -> Iterator[Action]:
    best = min(view.queue, key=lambda job: job.submit)
    if best.accelerators <= view.free:
        yield Start(best)
    yield from ageing(view)


class Hoarding:
    """Keeps a list of its own, also over runs."""

    def __init__(self) -> None:
        self.waiting: list[Job] = []

    def on_submit(self, job: Job) -> None:
        self.waiting.append(job)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        for job in list(self.waiting):
            if job.accelerators <= view.free:
                self.waiting.remove(job)
                yield Start(job)


class Counting:
    """Favours even passes; never starts to count anew."""

    def __init__(self) -> None:
        self.passes = 0

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.passes += 1
        for job in sorted(view.queue, key=lambda job: job.accelerators * (-1) ** (self.passes // 5)):
            if job.accelerators <= view.free:
                yield Start(job)


class Gambling:
    """Draws from a generator that nobody seeds."""

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        for job in sorted(view.queue, key=lambda job: random.random()):
            if job.accelerators <= view.free:
                yield Start(job)


class Seeded:
    """Draws from the generator that it is given."""

    def reset(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        for job in sorted(view.queue, key=lambda job: self.rng.random()):
            if job.accelerators <= view.free:
                yield Start(job)


@pytest.mark.parametrize(
    ("policy", "test", "told"),
    [
        (overallocating, "acts_legally", "are free. Most likely it starts jobs without counting"),
        (blind, "acts_legally", "are free. Most likely it starts jobs without counting"),
        (double, "acts_legally", "is running, not queued. Most likely it starts one job twice"),
        (
            naming,
            "acts_legally",
            "is not an action; yield Start(job), Preempt(job) or Reject(job). Most likely schedule",
        ),
        (yoyo, "acts_legally", "Most likely it starts a job that it has just stopped"),
        (stubborn, "bears_accelerators", "Most likely it loops until a job has started"),
        (greedy_for_the_first, "lives_through_idle_gaps", "ValueError: min() "),
        (never, "finishes_every_job", "40 of 40 jobs that fit were never finished, 'job-0' for one"),
        (only_even, "finishes_every_job", "never finished"),
        (rejecting, "finishes_every_job", "Most likely schedule yields nothing in some situation"),
        (largest_first, "serves_small_jobs", "a job of 1 s on 1 accelerator waited"),
        (Hoarding(), "keeps_nothing", "Most likely it keeps jobs of an earlier run"),
        (Counting(), "gives_the_same_result_again", "Most likely it keeps state between runs that reset(rng) does not"),
        (Counting(), "keeps_nothing", "it does not do the same after another run"),
        (Gambling(), "gives_the_same_result_again", "draws random numbers from elsewhere"),
        (by_name, "gives_the_same_result_again", "the result changes with the names of the jobs"),
        (meddling, "changes_no_job", "it changed priority of job"),
        (taking, "changes_no_job", "it called view.nodes.take or give itself"),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__) if not isinstance(value, str) else value[:16],
)
def test_broken_schedulers_are_told_what_is_wrong(policy: Any, test: str, told: str) -> None:
    class Given(SchedulerContract):
        def make(self) -> Any:
            return policy

    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_scheduler(policy)


def test_random_numbers_from_reset_are_fine() -> None:
    check_scheduler(Seeded)
    check_scheduler(Seeded())


# -- broken placements ----------------------------------------------------------------------------------------------


class First:
    """Everything on the first server with room, looked at too briefly; subclasses do it wrong in ways of their own."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        return self.answer(job, nodes)

    def answer(self, job: Job, nodes: Allocator) -> Placement | None:
        return ((0, job.accelerators),)


class Whole(First):
    """Never splits a gang."""

    def answer(self, job: Job, nodes: Allocator) -> Placement | None:
        fitting = np.flatnonzero(nodes.fits(job.accelerators, job.cores, job.memory, job.accelerator_types))
        return ((int(fitting[0]), job.accelerators),) if len(fitting) else None


class Shy(First):
    """Passes over servers that are partly used."""

    def answer(self, job: Job, nodes: Allocator) -> Placement | None:
        wanted = nodes.fits(job.accelerators, job.cores, job.memory, job.accelerator_types)
        fitting = np.flatnonzero(wanted & (nodes.free == nodes.total))
        return ((int(fitting[0]), job.accelerators),) if len(fitting) else None


class Forgetful(First):
    """Looks at accelerators only."""

    def answer(self, job: Job, nodes: Allocator) -> Placement | None:
        fitting = np.flatnonzero(nodes.free >= job.accelerators)
        return ((int(fitting[0]), job.accelerators),) if len(fitting) else None


class Rotating(Whole):
    """Goes on from where it was the last time."""

    last = 0

    def answer(self, job: Job, nodes: Allocator) -> Placement | None:
        fitting = np.flatnonzero(nodes.fits(job.accelerators, job.cores, job.memory, job.accelerator_types))
        self.last += 1
        return ((int(fitting[self.last % len(fitting)]), job.accelerators),) if len(fitting) else None


class Grabbing(Pack):
    """Takes what it finds."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        placement = super().place(job, nodes, topology)
        if placement and not nodes.free_cores[0] < 1:
            nodes.free_memory[0] -= 1
        return placement


@pytest.mark.parametrize(
    ("placer", "test", "told"),
    [
        (First, "places_only_where", "Most likely nodes.free is not looked at"),
        (Forgetful, "places_only_where", "or not nodes.up, cores, memory or types"),
        (Shy, "finds_the_room", "a server that is partly used is passed over"),
        (Whole, "fills_an_empty_cluster", "Most likely a gang is never split over servers"),
        (Rotating, "gives_the_same_place", "Most likely it remembers earlier jobs"),
        (Grabbing, "changes_nothing", "place changed the servers"),
        (Whole, "carries_a_whole_run", "were never placed"),
    ],
)
def test_broken_placements_are_told_what_is_wrong(placer: Any, test: str, told: str) -> None:
    class Given(PlacerContract):
        def make(self) -> Any:
            return placer

    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_placer(placer)


# -- broken autoscalers ---------------------------------------------------------------------------------------------


class Fixed:
    """Always wants the same number."""

    def __init__(self, wanted: Any, interval: Any = 60.0) -> None:
        self.wanted, self.interval = wanted, interval

    def step(self, now: float, observation: PoolObservation) -> Any:
        return self.wanted


class Rising(Fixed):
    """Wants more at each step, run after run."""

    counter = itertools.count()

    def __deepcopy__(self, memo: Any) -> Rising:
        return self

    def step(self, now: float, observation: PoolObservation) -> Any:
        return next(self.counter)


@pytest.mark.parametrize(
    ("autoscaler", "test", "told"),
    [
        (Fixed(1, interval=0), "has_an_interval", "interval is 0; it must be a finite number of seconds above 0"),
        (Fixed(1.0), "answers_with", "step returned 1.0 for PoolObservation"),
        (Fixed(True), "answers_with", "it must be a whole number of nodes"),
        (Fixed(-1), "answers_with", "there are no negative nodes"),
        (Rising(0), "gives_the_same", "without a method reset() that clears it"),
        (Fixed(1), "grows_for_work", "no second node was asked for"),
        (Fixed(6), "grows_for_work", "after days without work 6 nodes were still up"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_broken_autoscalers_are_told_what_is_wrong(autoscaler: Any, test: str, told: str) -> None:
    class Given(AutoscalerContract):
        def make(self) -> Any:
            return autoscaler

    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_autoscaler(autoscaler)


# -- replay ---------------------------------------------------------------------------------------------------------


def waits(jobs: Sequence[BatchJob], *arguments: Any, **options: Any) -> list[float]:
    replay(jobs, *arguments, **options)
    return [job.waited for job in jobs]


def test_replay_sorts_checks_and_takes_names_and_objects() -> None:
    def jobs() -> list[BatchJob]:
        later = BatchJob(id="later", submit=1.0, duration=1.0, accelerators=2)
        return [later, BatchJob(id="first", submit=0.0, duration=9.0, accelerators=8)]

    assert waits(jobs()) == waits(jobs(), ageing, placer=Pack()) == [8.0, 0.0]
    assert waits(jobs(), topology=16) == [0.0, 0.0]
    record = replay(jobs(), until=5.0)
    assert record.facts["end"] == 5.0
    assert any("wait + compute" in statement for statement in record.facts["invariants"])
