"""What a policy sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, PolicyError
from simulator.policies.api import Action, ClusterView, Preempt, Start
from simulator.policies.order import as_scheduler
from simulator.testing import replay
from simulator.workload.jobs import BatchJob, Job, Placement


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


class Watch:
    """Starts by name what fits, stops ``first`` at the instants given, and notes what the view says of it."""

    interval = 1.0

    def __init__(self, jobs: list[BatchJob], stops: tuple[float, ...] = ()) -> None:
        self.jobs, self.stops = jobs, stops
        self.seen: dict[float, tuple[float, ...]] = {}

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        first = self.jobs[0]
        if view.now in self.stops and first in view.running:
            yield Preempt(first)
        for each in sorted(view.queue, key=lambda each: each.id):
            if each.accelerators <= view.free:
                yield Start(each)
        numbers = view.estimate(first), view.remaining(first), view.attained(first)
        self.seen[view.now] = numbers


def test_estimate_remaining_and_attained_follow_a_job_through_its_life() -> None:
    jobs = [job("first", 0.0, 10.0, 4.0, estimate=6.0), job("second", 2.0, 3.0, 4.0), job("third", 0.0, 99.0, 5.0)]
    watch = Watch(jobs, stops=(2.0,))
    replay(jobs, watch, topology=5, restart=4.0, until=20.0)
    assert jobs[0].preemptions == 1
    # works 0-2, waits until 5, restarts until 9, works until 17; told to need 6 s, so overdue from 13 s on
    seen = {at: numbers for at, numbers in watch.seen.items() if at in (0.0, 1.0, 3.0, 5.0, 6.0, 9.0, 12.0, 14.0)}
    assert seen == {
        0.0: (6.0, 6.0, 0.0),
        1.0: (6.0, 5.0, 1.0),
        3.0: (6.0, 4.0, 2.0),
        5.0: (6.0, 8.0, 2.0),
        6.0: (6.0, 7.0, 3.0),
        9.0: (6.0, 4.0, 6.0),
        12.0: (6.0, 1.0, 9.0),
        14.0: (6.0, 0.0, 11.0),
    }


def test_estimate_is_the_duration_when_none_came_with_the_job() -> None:
    told = []
    replay([job("a", 0.0, 7.0)], lambda view: told.extend(view.estimate(each) for each in view.queue))
    assert told == [7.0]


def test_free_nodes_and_topology_show_the_cluster() -> None:
    servers = Topology.from_links([], {"a": {"accelerators": 4}, "b": {"accelerators": 2}})
    seen: list[Any] = []

    def look(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            yield Start(each)
        seen.append((view.now, view.free, view.nodes.free.tolist(), view.topology is servers, view.gangs_only))

    replay([job("x", 1.0, 5.0, 2.0), job("y", 2.0, 5.0, 0.5)], look, topology=servers)
    assert seen == [(1.0, 4, [4, 0], True, True), (2.0, 3, [3, 0], True, False)]


def test_place_asks_the_placer_and_takes_nothing() -> None:
    servers = Topology.from_links([], {"a": {"accelerators": 4}, "b": {"accelerators": 4}})
    answers: list[Placement | None] = []

    def ask(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            answers.extend((view.place(each), view.place(each)))
            yield Start(each)
            answers.append(view.place(each))

    replay([job("x", 0.0, 5.0, 5.0)], ask, topology=servers)
    assert answers == [((0, 4.0), (1, 1.0)), ((0, 4.0), (1, 1.0)), None]


class Refusing:
    """A placer that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def place(self, each: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        raise self.error


def test_a_placer_that_fails_is_named() -> None:
    two = Topology.from_links([], {"a": {"accelerators": 1}, "b": {"accelerators": 1}})
    with pytest.raises(PolicyError, match=r"^placement Refusing of job 'x': ValueError: nowhere$"):
        replay([job("x", 0.0, 1.0)], "fifo", topology=two, placer=Refusing(ValueError("nowhere")))
    starting = as_scheduler(lambda view: [Start(each) for each in view.queue])
    with pytest.raises(PolicyError, match=r"^placement Refusing of job 'x': ValueError: nowhere$"):
        replay([job("x", 0.0, 1.0)], starting, topology=two, placer=Refusing(ValueError("nowhere")))
    with pytest.raises(InputError, match=r"^a clear message$"):
        replay([job("x", 0.0, 1.0)], "fifo", topology=two, placer=Refusing(InputError("a clear message")))


def test_a_placer_that_gives_too_little_is_noticed() -> None:
    class Stingy:
        def place(self, each: Job, nodes: Allocator, topology: Topology) -> Placement:
            return ((0, each.accelerators - 1),)

    two = Topology.from_links([], {"a": {"accelerators": 4}, "b": {"accelerators": 4}})
    with pytest.raises(PolicyError, match=r"placed on 1 accelerators, it wants 2$"):
        replay([job("x", 0.0, 1.0, 2.0)], "fifo", topology=two, placer=Stingy())
