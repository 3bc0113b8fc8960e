"""The kit for policies of one's own: every built-in passes it, and broken ones are told what is wrong."""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.policies.api import (
    Action,
    ClusterView,
    Preempt,
    Reject,
    Resize,
    Start,
    interferences,
    placers,
    schedulers,
)
from simulator.policies.backfill import backfills
from simulator.policies.order import Keyed, Order, by
from simulator.policies.orders import orders
from simulator.policies.placement.pack import Pack
from simulator.policies.supply import SupplyObservation, autoscalers
from simulator.testing import (
    AutoscalerContract,
    BackfillContract,
    FormatContract,
    GeneratorContract,
    InterferenceContract,
    OrderContract,
    PlacerContract,
    SchedulerContract,
    check_autoscaler,
    check_backfill,
    check_format,
    check_generator,
    check_interference,
    check_order,
    check_placer,
    check_scheduler,
    replay,
)
from simulator.workload.generate import generators
from simulator.workload.jobs import BatchJob, Job, Placement, State
from simulator.workload.sampling import Draws
from simulator.workload.trace import SetAside, Trace


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

    @property
    def turns_away(self) -> bool:  # type: ignore[override]
        """One is a loss system."""
        return self.name == "one-shot"


@pytest.mark.parametrize("name", placers.names())
class TestPlacers(BuiltIn, PlacerContract):
    """Each placement of the registry keeps each promise."""


@pytest.mark.parametrize("name", [name for name in autoscalers.names() if name != "fixed"])
class TestAutoscalers(BuiltIn, AutoscalerContract):
    """Each autoscaler of the registry keeps each promise, but the one that never grows or shrinks."""


@pytest.mark.parametrize("name", orders.names())
class TestOrders(BuiltIn, OrderContract):
    """Each order of the registry keeps each promise."""


@pytest.mark.parametrize("name", backfills.names())
class TestBackfills(BuiltIn, BackfillContract):
    """Each way of backfilling of the registry keeps each promise."""


@pytest.mark.parametrize("name", interferences.names())
class TestInterferences(BuiltIn, InterferenceContract):
    """Each model of interference of the registry keeps each promise."""


INTERLEAVED = ("chronus-like", "helios-like", "muri-like", "muri-wide-like", "pai-like", "philly-vc-like", "spot-like")
"""Presets that lay classes of jobs over each other, or bring them in sessions: the rate says which job is next."""


@pytest.mark.parametrize("name", generators.names())
class TestGenerators(BuiltIn, GeneratorContract):
    """Each generator of the registry keeps each promise."""

    @property
    def steady(self) -> tuple[str, ...]:  # type: ignore[override]
        """Nothing of a job is fixed where classes are interleaved."""
        return () if self.name in INTERLEAVED else ("duration", "accelerators")


FILES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "philly": (
        "timestamp,duration,num_gpus,gpu_time,cluster\n"
        "2017-10-01 09:30:00,60,1,60,a\n2017-10-01 09:00:00,90,2,180,b\n2017-10-01 09:00:00,0,2,0,b\n", 3, {},
    ),
    "openb": (
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
        "a,4000,1024,1,500,,LS,Succeeded,10,70,12\nb,4000,1024,2,1000,V100M16,BE,Running,20,90,20\n"
        "c,1000,512,0,0,,BE,Pending,30,95,\n", 3, {},
    ),
    "helios": (
        "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"
        "1,u1,v1,8,32,1,COMPLETED,2020-04-01 00:00:10,2020-04-01 00:00:20,2020-04-01 00:01:20,60,10\n"
        "2,u2,v1,1,4,1,FAILED,2020-04-01 00:00:05,2020-04-01 00:00:05,2020-04-01 00:00:35,30,0\n", 2, {},
    ),
    "gaia": ("arrival_time,length,cpus\n5,60,1\n0,90,2\n", 2, {}),
    "tiresias": (
        "job_id,num_gpu,submit_time,iterations,model_name,duration,interval\n"
        "1,4,100,1000,resnet50,600,0\n2,1,50,10,vgg16,60,0\n", 2, {},
    ),
    "generic": ("id,submit,duration,accelerators\na,10,60,1\nb,5,30,2\n", 2, {}),
    "swf": (
        "; Computer: a small one\n; MaxProcs: 8\n"
        "1 0 5 60 4 -1 -1 4 120 -1 1 1 1 1 1 1 -1 -1\n2 10 0 30 1 -1 -1 1 60 -1 5 2 1 1 1 1 -1 -1\n", 2, {},
    ),
    "slurm": (
        "JobID|User|Account|Submit|Start|End|Elapsed|State|ReqTRES|AllocTRES|Timelimit\n"
        "1|u|a|2024-01-01T00:00:10|2024-01-01T00:00:20|2024-01-01T00:01:20|00:01:00|COMPLETED|gres/gpu=2|gres/gpu=2|01:00:00\n"
        "2|v|a|2024-01-01T00:00:05|Unknown|Unknown|00:00:00|CANCELLED by 7|gres/gpu=2||01:00:00\n", 2, {},
    ),
}  # fmt: skip
"""A small file of several formats: its text, its rows, and the options that it needs."""


@pytest.mark.parametrize("name", FILES)
class TestFormats(BuiltIn, FormatContract):
    """The formats of a table keep each promise; those of several files, or of records, have tests of their own."""

    @pytest.fixture(autouse=True)
    def filed(self, name: str) -> None:
        self.text, self.rows, self.options = FILES[name]


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
    check_order(orders.get("las")(quantum=20.0))
    check_order(lambda job: (-job.priority, job.sequence))
    check_backfill(backfills.get("easy"))
    check_interference(interferences.get("mps")(limited=True))


def test_a_contract_without_make_says_so() -> None:
    for contract in (
        SchedulerContract, PlacerContract, AutoscalerContract, OrderContract, BackfillContract, InterferenceContract,
        GeneratorContract, FormatContract,
    ):  # fmt: skip
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


class Nostalgic:
    """Keeps the view of its first pass."""

    def __init__(self) -> None:
        self.view: ClusterView | None = None

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        self.view = self.view or view
        for job in self.view.queue:
            if job.accelerators <= self.view.free:
                yield Start(job)


class Shuffling:
    """Stops the largest whenever somebody waits."""

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        largest = max(view.running, key=lambda job: job.accelerators, default=None)
        if largest is not None and largest.preemptions < 3:
            yield Preempt(largest)
        yield from ageing(view)


class Restless:
    """Wants to be asked a moment later, as long as somebody waits."""

    wake = 0.0

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        yield from ageing(view)
        self.wake = view.now + 1e-3 if len(view.queue) else float("inf")


class Memorising:
    """Looks again only when another number of accelerators is free."""

    def __init__(self) -> None:
        self.in_vain = -1.0

    def reset(self, rng: np.random.Generator) -> None:
        self.in_vain = -1.0

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        if view.free == self.in_vain:
            return
        for job in view.queue:
            if view.place(job) is not None:
                yield Start(job)
        self.in_vain = view.free if len(view.queue) else -1.0


def growing(view: ClusterView) -> Iterator[Action]:
    yield from ageing(view)
    for job in view.running:
        yield Resize(job, job.accelerators + 1.0)


def stretching(view: ClusterView) -> Iterator[Action]:
    yield from ageing(view)
    for job in view.running:
        if job.maximum:
            yield Resize(job, 9.0)


def blind_to_types(view: ClusterView) -> Iterator[Action]:
    """Head first, wherever accelerators are free; the others wait until the head could start on any server."""
    for job in view.queue:
        if job.accelerators > view.free or job.partition:
            return
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
            "Share, Hold or Reject. Most likely schedule must yield Start(job)",
        ),
        (yoyo, "acts_legally", "Most likely it starts a job that it has just stopped"),
        (stubborn, "bears_accelerators", "Most likely it loops until a job has started"),
        (greedy_for_the_first, "lives_through_idle_gaps", "ValueError: min() "),
        (never, "finishes_every_job", "40 of 40 jobs that fit were never finished, 'job-0' for one"),
        (only_even, "finishes_every_job", "never finished"),
        (rejecting, "finishes_every_job", "Most likely schedule yields nothing in some situation"),
        (largest_first, "serves_small_jobs", "a job of 1 s on 1 accelerator waited"),
        (Hoarding(), "keeps_nothing", "Most likely it keeps jobs of an earlier run"),
        (Nostalgic(), "keeps_no_view", "Most likely it keeps the view of an earlier run; use the one that schedule is"),
        (
            Shuffling(),
            "heeds_limits",
            "Most likely it stops or moves whatever runs; leave a job alone whose preemptible",
        ),
        (
            Memorising,
            "goes_on_when_servers",
            "Most likely it remembers that a job found no place, and looks again only",
        ),
        (growing, "bears_elastic", "Most likely it resizes every job; one may be resized whose minimum or maximum"),
        (stretching, "bears_elastic", "Most likely it does not keep to job.minimum and job.maximum"),
        (blind_to_types, "bears_servers_of_several_kinds", "were never finished on servers of two types"),
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

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        fitting = np.flatnonzero(nodes.fits_for(job))
        self.last += 1
        return ((int(fitting[self.last % len(fitting)]), job.accelerators),) if len(fitting) else None


class Beyond(Pack):
    """Names an accelerator that the server does not have."""

    def device(self, job: Job, server: int, nodes: Allocator) -> int:
        return int(nodes.total[server])


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
        (Forgetful, "places_only_where", "or not nodes.up, cores, memory, types, labels, taints"),
        (Shy, "finds_the_room", "a server that is partly used is passed over"),
        (Whole, "fills_an_empty_cluster", "Most likely a gang is never split over servers"),
        (Rotating, "gives_the_same_place", "Most likely it remembers earlier jobs"),
        (Beyond, "chooses_accelerators", "device is 16 on a server of 16 accelerators; it must be -1 for any"),
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

    def step(self, now: float, observation: SupplyObservation) -> Any:
        return self.wanted


class Rising(Fixed):
    """Wants more at each step, run after run."""

    counter = itertools.count()

    def __deepcopy__(self, memo: Any) -> Rising:
        return self

    def step(self, now: float, observation: SupplyObservation) -> Any:
        return next(self.counter)


@pytest.mark.parametrize(
    ("autoscaler", "test", "told"),
    [
        (Fixed(1, interval=0), "has_an_interval", "interval is 0; it must be a finite number of seconds above 0"),
        (Fixed(1.0), "answers_with", "step returned 1.0 for SupplyObservation"),
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


# -- broken orders --------------------------------------------------------------------------------------------------


class Stale(Order):
    """A list of its own that forgets who came back."""

    def __init__(self) -> None:
        self.mine: list[Job] = []

    def on_submit(self, job: Job) -> None:
        if not job.preemptions:
            self.mine.append(job)

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        return (job for job in list(self.mine) if job.state is State.QUEUED and not job.preemptions)


class Loose(Keyed):
    """Lets everything through."""

    def __init__(self) -> None:
        super().__init__(lambda job: job.sequence, "loose")

    def fitting(self, view: ClusterView, limit: Any, after: Job | None = None, length: Any = None) -> Iterator[Job]:
        return self.waiting(view)


class Turned(Keyed):
    """Ranks the other way round than it orders."""

    def __init__(self) -> None:
        super().__init__(lambda job: job.sequence, "turned")

    def rank(self, view: ClusterView) -> Any:
        return lambda job: -job.sequence


class Learning(Keyed):
    """Turns over after every job that it has seen, and never forgets."""

    def __init__(self) -> None:
        super().__init__(lambda job: job.sequence, "learning")
        self.count = 0

    def on_finish(self, job: Job) -> None:
        self.count += 1
        turn = (-1) ** (self.count // 7)
        self.key = lambda job: turn * job.sequence


@pytest.mark.parametrize(
    ("order", "test", "told"),
    [
        (Stale, "shows_every", "misses jobs which were stopped and came back"),
        (Loose, "fits_what", "fitting behind None shows ["),
        (Turned, "ranks_as", "waiting shows 'job-0' before"),
        (Learning(), "gives_the_same", "it does not do the same after another run"),
        (lambda job: job.id[::-1], "gives_the_same", "the result changes with the names of the jobs"),
    ],
    ids=["stale", "loose", "turned", "learning", "by name"],
)
def test_broken_orders_are_told_what_is_wrong(order: Any, test: str, told: str) -> None:
    class Given(OrderContract):
        def make(self) -> Any:
            return order

    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_order(order)


# -- broken backfills -----------------------------------------------------------------------------------------------


class Filling:
    """What the broken ones have in common."""

    name = "mine"
    greedy: Any = False

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        for job in order.waiting(view):
            if view.place(job) is not None:
                yield Start(job)


class Vague(Filling):
    greedy = None


class Stopping(Filling):
    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        for job in view.running:
            if not job.preemptions:
                yield Preempt(job)
        yield from super().fill(view, order)


class Headless(Filling):
    greedy = True

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        head = next(order.waiting(view), None)
        for action in super().fill(view, order):
            if getattr(action, "job", None) is not head or not len(view.running):
                yield action


@pytest.mark.parametrize(
    ("backfill", "test", "told"),
    [
        (Vague, "says_whether", "greedy is None; it must be True or False"),
        (Stopping, "only_starts", "fill yields Preempt; it may yield Start and Hold"),
        (Headless, "starts_the_head", "is first in the order and has a place at"),
        (Filling, "does_not_starve", "if that is meant, say greedy = True"),
    ],
)
def test_broken_backfills_are_told_what_is_wrong(backfill: Any, test: str, told: str) -> None:
    class Given(BackfillContract):
        def make(self) -> Any:
            return backfill

    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_backfill(backfill)


# -- broken interference, generators, formats -----------------------------------------------------------------------


class Pace:
    """A model of interference made of a function of the number of neighbours."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> Any:
        return self.answer(share, [part for _, part in neighbours])


class Tiring(Pace):
    """Slower every time that it is asked; copies share the count."""

    counter = itertools.count(1)

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> Any:
        return 1.0 if not neighbours else 1.0 / next(self.counter)


@pytest.mark.parametrize(
    ("model", "test", "told"),
    [
        (
            Pace(lambda share, others: 1.5),
            "answers",
            "pace is 1.5 for a share of 0.25 beside 1 others; it must be 0 to 1",
        ),
        (Pace(lambda share, others: "fast"), "answers", "pace is 'fast' for a share"),
        (
            Pace(lambda share, others: 0.9),
            "lets_a_job",
            "a job alone on the share of 0.25 that it asked for has pace 0.9",
        ),
        (
            Pace(lambda share, others: min(1.0, 0.2 + 0.2 * len(others)) if others else 1.0),
            "slows",
            "is faster than 0.4",
        ),
        (Tiring(None), "gives_the_same", "the same question has another answer"),
    ],
    ids=["above 1", "text", "alone", "faster", "tiring"],
)
def test_broken_models_of_interference_are_told_what_is_wrong(model: Any, test: str, told: str) -> None:
    class Given(InterferenceContract):
        def make(self) -> Any:
            return model

    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_interference(model)


def steady_stream(draws: Draws, jobs: int, accelerators: float = 1.0, load: float = 1.0) -> Trace:
    """A generator that does as it should."""
    if load <= 0:
        raise InputError(f"load: {load!r} is not a number above 0")
    lengths = draws.stream("length").exponential(60.0, jobs)
    submit = np.cumsum(draws.stream("gap").exponential(60.0 / (load * accelerators), jobs))
    return Trace("mine", {"submit": submit, "duration": lengths, "accelerators": np.ones(jobs)})


def unseeded(draws: Draws, jobs: int, accelerators: float = 1.0, load: float = 1.0) -> Trace:
    trace = steady_stream(draws, jobs, accelerators, load)
    trace.columns["duration"][:] = np.random.default_rng().random(jobs)
    return trace


def one_stream(draws: Draws, jobs: int, accelerators: float = 1.0, load: float = 1.0) -> Trace:
    trace = steady_stream(draws, jobs, accelerators, load)
    trace.columns["duration"][:] = draws.stream("all").permutation(jobs)
    return trace


def deaf(draws: Draws, jobs: int, accelerators: float = 1.0, load: float = 1.0) -> Trace:
    steady_stream(draws, jobs, accelerators, load)
    return steady_stream(draws, jobs)


def endless(draws: Draws, jobs: int, accelerators: float = 1.0, load: float = 1.0) -> Trace:
    trace = steady_stream(draws, jobs, accelerators, load)
    trace.columns["accelerators"][3] = 1.5
    return trace


def gullible(draws: Draws, jobs: int, accelerators: float = 1.0, load: float = 1.0) -> Trace:
    return steady_stream(draws, jobs, accelerators, abs(load))


@pytest.mark.parametrize(
    ("generator", "test", "told"),
    [
        (endless, "makes_jobs", "accelerators is 1.5; it must be a whole number, or a share below 1"),
        (unseeded, "draws_the_same", "random numbers come from elsewhere than the draws"),
        (one_stream, "a_longer", "duration of a longer workload begins otherwise than of a shorter one"),
        (deaf, "load_sets", "at twice the load jobs come 1.00 times as often, not twice"),
        (gullible, "refuses", "it takes {'load': -1.0} without a word"),
    ],
)
def test_broken_generators_are_told_what_is_wrong(generator: Any, test: str, told: str) -> None:
    class Given(GeneratorContract):
        def make(self) -> Any:
            return generator

    check_generator(steady_stream)
    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_generator(generator)


TEXT = "at,for,gpus\n0,60,1\n5,90,2\n5,0,2\n"


def careful(path: Path) -> Trace:
    """A reader that does as it should, of a format of three columns."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    data = path.read_bytes()
    lines = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode().split()
    if not lines or lines[0] != "at,for,gpus":
        raise InputError(f"{path}: the header is not at,for,gpus")
    rows = np.array([line.split(",") for line in lines[1:]], dtype=float)
    kept = rows[:, 1] > 0
    aside = SetAside.of("of no length", np.flatnonzero(~kept) + 1)
    at, length, gpus = rows[kept].T
    return Trace("mine", {"submit": at, "duration": length, "accelerators": gpus}, set_aside=(aside,))


def silent(path: Path) -> Trace:
    return replace(careful(path), set_aside=())


def failing(path: Path) -> Trace:
    path.open().close()
    return careful(path)


def early(path: Path) -> Trace:
    trace = careful(path)
    trace.columns["submit"][:] -= 10.0
    return trace


@pytest.mark.parametrize(
    ("format", "test", "told"),
    [
        (silent, "keeps_or_sets", "Most likely rows are skipped without a word"),
        (early, "makes_jobs", "times of submission are below 0"),
        (failing, "refuses_what", "for a file that is not there it fails with FileNotFoundError"),
    ],
)
def test_broken_formats_are_told_what_is_wrong(format: Any, test: str, told: str) -> None:
    class Given(FormatContract):
        text, rows = TEXT, 3

        def make(self) -> Any:
            return format

    check_format(careful, TEXT, 3)
    name = next(name for name in dir(Given) if name.startswith(f"test_{test}"))
    with pytest.raises(AssertionError) as caught:
        getattr(Given(), name)()
    assert told in str(caught.value)
    with pytest.raises(AssertionError):
        check_format(format, TEXT, 3)


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


def test_a_scheduler_that_knows_the_truth_is_told_so() -> None:
    with pytest.raises(AssertionError, match=r"Most likely it looks at job\.duration; take job\.estimate"):
        check_scheduler(by(lambda job: job.duration))
