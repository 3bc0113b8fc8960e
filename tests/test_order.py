"""The three tiers of policies, and the building blocks of schedulers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.policies.api import Action, ClusterView, Start
from simulator.policies.order import FromFunction, Ordered, as_scheduler, by, in_order, soonest
from simulator.policies.scheduling.fifo import Fifo
from simulator.testing import replay
from simulator.workload.jobs import BatchJob


def job(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return BatchJob(id=name, submit=submit, duration=duration, accelerators=accelerators, **more)


def some() -> list[BatchJob]:
    return [
        job("runs", 0.0, 10.0, 4.0),
        job("big", 1.0, 5.0, 4.0, priority=1.0),
        job("small", 2.0, 5.0, 1.0, priority=2.0),
        job("urgent", 3.0, 5.0, 4.0, priority=9.0),
    ]


def starts(jobs: list[BatchJob], policy: Any) -> list[float]:
    replay(jobs, policy, topology=4)
    return [each.start for each in jobs]


def test_a_key_makes_a_strict_order() -> None:
    assert starts(some(), by(lambda each: -each.priority)) == [0.0, 20.0, 15.0, 10.0]
    assert starts(some(), by(lambda each: each.size)) == [0.0, 15.0, 10.0, 20.0]


def test_equal_keys_go_by_submission() -> None:
    assert starts(some(), by(lambda each: 0)) == [0.0, 10.0, 15.0, 20.0]


def test_a_function_is_a_policy() -> None:
    def last_come(view: ClusterView) -> Iterator[Action]:
        yield from in_order(view, reversed(list(view.queue)))

    assert starts(some(), last_come) == [0.0, 20.0, 15.0, 10.0]


def test_a_class_and_an_object_are_policies() -> None:
    assert starts(some(), Fifo) == starts(some(), Fifo()) == [0.0, 10.0, 15.0, 20.0]


def test_names_of_policies() -> None:
    def mine(view: ClusterView) -> None: ...

    assert as_scheduler(mine).name == "mine"  # type: ignore[attr-defined]
    assert isinstance(as_scheduler(mine), FromFunction)
    assert by(len).name == "len"  # type: ignore[arg-type]
    assert by(lambda each: 0, "flat").name == "flat"
    assert isinstance(by(lambda each: 0), Ordered)
    assert as_scheduler(Fifo).name == "fifo"  # type: ignore[attr-defined]
    names = [replay([], policy).facts["scheduler"] for policy in (mine, Fifo, by(lambda each: 0, "flat"))]
    assert names == ["mine", "fifo", "flat"]


def test_a_policy_without_a_name_goes_by_its_class() -> None:
    class Nameless:
        def schedule(self, view: ClusterView) -> tuple[Action, ...]:
            return ()

    assert replay([], Nameless()).facts["scheduler"] == "Nameless"


@pytest.mark.parametrize("thing", ["fifo", 5, None, dict])
def test_other_things_are_no_policies(thing: Any) -> None:
    with pytest.raises(InputError, match=r"is not a scheduler: give a function \(view\) -> actions, an object with"):
        as_scheduler(thing)


def test_a_class_that_wants_arguments() -> None:
    class Demanding:
        def __init__(self, level: int) -> None: ...

        def schedule(self, view: ClusterView) -> tuple[Action, ...]:
            return ()

    with pytest.raises(InputError, match=r"^Demanding cannot be made without arguments \(.*'level'\): give an object$"):
        as_scheduler(Demanding)


def cable() -> Topology:
    links = [{"src": a, "dst": b, "capacity": 10.0} for a, b in ("ab", "ba")]
    return Topology.from_links(links, {"a": {"accelerators": 4}, "b": {"accelerators": 4}})


@pytest.mark.parametrize("topology", [8, cable()], ids=["pool", "network"])
def test_soonest_goes_by_expected_end_whatever_the_network_does(topology: Any) -> None:
    orders: list[list[str]] = []

    def look(view: ClusterView) -> Iterator[Action]:
        for each in view.queue:
            yield Start(each)
        orders.append([each.id for each in soonest(view)])
        remaining = [view.remaining(each) for each in soonest(view)]
        assert remaining == sorted(remaining)

    # the two crossing jobs slow each other to 2/3, so that in the end "plain" is sooner
    jobs = [
        job("x", 0.0, 30.0, 2.0, communication=0.5),
        job("y", 0.0, 31.0, 2.0, communication=0.5),
        job("plain", 0.0, 32.0, 2.0),
        job("late", 20.0, 50.0, 2.0),
    ]
    replay(jobs, look, topology=topology, placer="spread")
    assert orders[0] == ["x", "y", "plain"]
    assert orders[1] == (["x", "y", "plain", "late"] if topology == 8 else ["plain", "x", "y", "late"])


def test_preferring_counts_and_keeps_running_jobs_that_are_not_in_the_way() -> None:
    jobs = [job("long", 0.0, 100.0, 2.0), job("longer", 0.0, 200.0, 2.0), job("short", 10.0, 5.0, 2.0)]
    starts(jobs, "srtf")
    assert [each.preemptions for each in jobs] == [0, 1, 0]
    assert jobs[1].end == 205.0


@pytest.mark.parametrize("policy", ["srtf", "las"])
def test_preferring_leaves_scattered_accelerators_to_later_passes(policy: str) -> None:
    """A gang for one server that finds no whole one waits, and the run goes on."""
    servers = Topology.from_links([], {"a": {"accelerators": 4}, "b": {"accelerators": 4}})
    jobs = [job(f"{i}", 0.0, 20.0 + i, 2.0) for i in range(4)] + [job("pod", 1.0, 5.0, 4.0, max_servers=1)]
    replay(jobs, policy, topology=servers, placer="spread")
    assert not any(math.isnan(each.end) for each in jobs)
