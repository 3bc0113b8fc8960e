"""Shares of the time of accelerators: an ideal fluid over types, its accounts, and what is illegal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.core.errors import PolicyError
from simulator.policies.api import ClusterView, Share, Start
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import BatchJob, Job, State
from simulator.workload.speedup import ByType

PACES = {"fast": 1.0, "slow": 0.25}


def two_types(fast: int = 4, slow: int = 4) -> Topology:
    return Topology.from_links(
        [], {"f": {"accelerators": fast, "accelerator": "fast"}, "s": {"accelerators": slow, "accelerator": "slow"}}
    )


def paced(name: str, submit: float, duration: float, accelerators: float = 1.0, **more: Any) -> BatchJob:
    return job(name, submit, duration, accelerators, speedup=ByType(duration, PACES), **more)


class Plan:
    """Gives shares by job and time: the last plan that has begun."""

    always = True

    def __init__(self, **plans: Mapping[float, Mapping[str, float]]) -> None:
        self.plans = plans
        self.wake = math.inf

    def schedule(self, view: ClusterView) -> Iterator[Share]:
        times = sorted(time for plan in self.plans.values() for time in plan if time > view.now)
        self.wake = times[0] if times else math.inf
        for each in [*view.queue, *view.running]:
            begun = [time for time in self.plans[each.id] if time <= view.now]
            if begun:
                yield Share(each, self.plans[each.id][max(begun)])


def test_a_fluid_on_two_types_goes_at_the_mean_of_its_paces() -> None:
    one = paced("one", 0.0, 10.0, 2.0)
    record = replay([one], Plan(one={0.0: {"fast": 0.5, "slow": 0.5}}), topology=two_types())
    assert one.end == pytest.approx(10.0 / (0.5 + 0.125))
    assert one.service == pytest.approx(2.0 * one.end)
    assert record.tables["jobs"]["servers"].tolist() == [0]


def test_shares_change_and_the_fraction_that_is_done_stays() -> None:
    one = paced("one", 0.0, 10.0, 2.0)
    plan = Plan(one={0.0: {"fast": 1.0}, 4.0: {"slow": 1.0}, 8.0: {}, 10.0: {"fast": 0.5}})
    record = replay([one], plan, topology=two_types())
    # 4 s of 10, then 4 s at a quarter, 2 s in the queue, and the last 5 s of work at half pace
    assert one.end == pytest.approx(20.0)
    assert (one.waited, one.preemptions, one.overhead) == (2.0, 1, 0.0)
    assert one.service == pytest.approx(2.0 * 4 + 2.0 * 4 + 1.0 * 10)
    series = record.tables["series"]
    assert list(zip(series["time"].tolist(), series["allocated"].tolist(), strict=True)) == [
        (0.0, 2.0), (8.0, 0.0), (10.0, 1.0), (20.0, 0.0),
    ]  # fmt: skip


def test_jobs_without_a_speedup_go_at_their_share() -> None:
    one = job("one", 1.0, 6.0, 3.0)
    replay([one], Plan(one={0.0: {"fast": 0.25, "slow": 0.5}}), topology=two_types())
    assert one.end == pytest.approx(1.0 + 6.0 / 0.75)


def test_jobs_of_no_length_and_of_no_accelerators_have_shares_too() -> None:
    jobs = [job("point", 0.0, 0.0, 2.0), job("none", 0.0, 4.0, 0.0), job("part", 0.0, 4.0, 0.5)]
    plan = Plan(**{each.id: {0.0: {"fast": 0.5}} for each in jobs})
    record = replay(jobs, plan, topology=two_types())
    assert [each.end for each in jobs] == [0.0, 8.0, 8.0]
    assert [each.service for each in jobs] == [0.0, 0.0, 2.0]
    assert record.tables["series"]["allocated"].max() == 0.25


def test_a_limit_counts_the_time_on_the_clock() -> None:
    one = job("one", 0.0, 6.0, 2.0, limit=10.0)
    replay([one], Plan(one={0.0: {"fast": 0.5}}), topology=two_types())
    assert (one.state, one.end, one.service) == (State.TIMEOUT, 10.0, 10.0)


def test_starts_are_legal_again_when_nobody_shares() -> None:
    def first_shared(view: ClusterView) -> Any:
        for each in view.queue:
            yield Share(each, {"fast": 1 / 3}) if each.id == "shared" else Start(each)

    jobs = [job("shared", 0.0, 1.0, 1.0), job("own", 5.0, 1.0, 1.0)]
    replay(jobs, first_shared, topology=two_types())
    assert [each.end for each in jobs] == [3.0, 6.0]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10), st.sampled_from([0.0, 0.4, 1.0, 3.0])), max_size=12))
def test_equal_shares_of_all_there_is_are_processor_sharing(drawn: list[tuple[int, int, float]]) -> None:
    """What jobs get in the fluid adds up, and no job gets on faster than its share."""

    class Fair:
        always = True

        def schedule(self, view: ClusterView) -> Iterator[Share]:
            jobs = [*view.queue, *view.running]
            demand = sum(each.accelerators for each in jobs)
            share = min(1.0, 4.0 / demand) if demand else 1.0
            yield from (Share(each, {"": share}) for each in jobs)

    jobs = [job(f"{i}", float(a), float(b), c) for i, (a, b, c) in enumerate(drawn)]
    replay(jobs, Fair(), topology=servers(2, 2))
    for each in jobs:
        assert each.state is State.COMPLETED
        assert each.waited == 0.0
        assert each.end - each.submit >= each.duration * (1 - 1e-9) - 1e-9
        assert each.service <= each.accelerators * (each.end - each.submit) + 1e-9


# -- what is illegal ------------------------------------------------------------------------------------------------


def shares(**given: float) -> Any:
    def policy(view: ClusterView) -> Any:
        return [Share(each, given) for each in [*view.queue, *view.running]]

    return policy


def shared_then_started(view: ClusterView) -> Any:
    for number, each in enumerate(view.queue):
        yield Start(each) if number else Share(each, {"fast": 1.0})


def started_then_shared(view: ClusterView) -> Any:
    for number, each in enumerate(view.queue):
        yield Share(each, {"fast": 1.0}) if number else Start(each)


class Twice:
    always = True
    wake = 3.0

    def __init__(self, then: Any) -> None:
        self.then = then

    def schedule(self, view: ClusterView) -> Any:
        yield from (Share(each, {"fast": 1.0}) for each in view.queue)
        if view.now == 3.0:
            yield from (self.then(each) for each in view.running)


RANGE = "; it must be 0 to 1"
AT_0, AT_3 = "policy policy at 0 s: illegal Share", "policy Twice at 3 s: illegal"
ILLEGAL: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no such type": (
        shares(fst=1.0),
        {},
        AT_0 + " of job 'a': there are no accelerators 'fst'. Did you mean 'fast'? Known: fast, slow.",
    ),
    "more than all": (shares(fast=1.5), {}, AT_0 + " of job 'a': a share of 1.5 of the time on 'fast'" + RANGE),
    "less than none": (shares(slow=-0.5), {}, AT_0 + " of job 'a': a share of -0.5 of the time on 'slow'" + RANGE),
    "not a number": (shares(slow=math.nan), {}, AT_0 + " of job 'a': a share of nan of the time on 'slow'" + RANGE),
    "together": (
        shares(fast=0.75, slow=0.5), {}, AT_0 + " of job 'a': shares of time that add up to 1.25: at most 1",
    ),
    "another type": (
        shares(slow=0.5), {"accelerator_types": ("fast",)}, AT_0 + " of job 'a': it does not run on 'slow'",
    ),
    "communication": (
        shares(slow=0.5), {"communication": 0.5},
        AT_0 + " of job 'a': only batch jobs without communication can have shares of time",
    ),
    "too much in all": (shares(fast=1.0), {}, AT_0 + ": 6 accelerators 'fast' are given away, 4 are up"),
    "own after shares": (
        shared_then_started, {},
        "policy shared_then_started at 0 s: illegal Start of job 'b': other jobs have shares of the time of "
        "accelerators; give it a Share too",
    ),
    "shares after own": (
        started_then_shared, {},
        "policy started_then_shared at 0 s: illegal Share of job 'b': jobs run on accelerators of their own; a run is "
        "of one kind or the other",
    ),
    "stopped": (
        Twice(lambda each: Share(each, {})), {"preemptible": False, "accelerators": 1.0},
        AT_3 + " Share of job 'a': it may not be stopped (preemptible: false)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ILLEGAL)
def test_illegal_shares_are_named(case: str) -> None:
    policy, more, message = ILLEGAL[case]
    jobs: list[Job] = [job(name, 0.0, 9.0, **({"accelerators": 3.0} | more)) for name in "ab"]
    with pytest.raises(PolicyError) as caught:
        replay(jobs, policy, topology=two_types())
    assert str(caught.value) == message


def test_a_shared_job_can_be_moved_or_resized_by_its_shares_only() -> None:
    from simulator.policies.api import Migrate

    with pytest.raises(PolicyError) as caught:
        replay([job("a", 0.0, 9.0, 3.0)], Twice(Migrate), topology=two_types())
    assert str(caught.value) == (AT_3 + " Migrate of job 'a': it has shares of the time of accelerators, and no place")
