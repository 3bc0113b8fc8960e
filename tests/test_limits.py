"""Jobs that run out of time: killed at their limit, restarts included, and not a moment before."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.policies.api import ClusterView, Preempt, Start
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import Job, State, TrainingJob


def test_a_job_is_killed_at_its_limit_and_others_take_its_place() -> None:
    jobs = [job("long", 1.0, 10.0, 4.0, limit=4.0), job("next", 2.0, 3.0, 4.0)]
    record = replay(jobs, topology=4)
    assert [(each.state, each.start, each.end) for each in jobs] == [
        (State.TIMEOUT, 1.0, 5.0), (State.COMPLETED, 5.0, 8.0),
    ]  # fmt: skip
    table = record.tables["jobs"]
    row = {name: table[name].tolist()[0] for name in ("state", "end", "wait", "compute", "service", "accelerators")}
    assert row == {"state": "TIMEOUT", "end": 5.0, "wait": 0.0, "compute": 4.0, "service": 16.0, "accelerators": 4.0}
    assert math.isnan(table["jct"][0])
    events = record.tables["events"]
    assert (5.0, "timeout", "long") in zip(
        *(events[name].tolist() for name in ("time", "event", "subject")), strict=True
    )


@pytest.mark.parametrize("duration", [0.0, 0.1, 1.0, 1 / 3, 1e9])
def test_a_job_that_ends_exactly_at_its_limit_completes(duration: float) -> None:
    jobs = [job(f"{submit}", submit, duration, 1.0, limit=duration) for submit in (0.0, 0.7, 12345.678)]
    replay(jobs)
    assert {each.state for each in jobs} == {State.COMPLETED}


def test_a_job_with_no_time_at_all_is_killed_as_it_starts() -> None:
    jobs = [job("none", 0.0, 1.0, 4.0, limit=0.0), job("next", 0.0, 1.0, 4.0)]
    replay(jobs, topology=4)
    assert [(each.state, each.end) for each in jobs] == [(State.TIMEOUT, 0.0), (State.COMPLETED, 1.0)]


class StopAt:
    """Starts what fits, and stops everything at the times given."""

    def __init__(self, *times: float) -> None:
        self.times = times
        self.wake = math.inf
        self.always = True

    def schedule(self, view: ClusterView) -> Any:
        self.wake = min((time for time in self.times if time > view.now), default=math.inf)
        if view.now in self.times:
            yield from (Preempt(each) for each in view.running)
        yield from (Start(each) for each in view.queue if each.accelerators <= view.free)


def test_restarts_and_lost_work_count_toward_the_limit() -> None:
    one = job("one", 0.0, 10.0, 1.0, limit=12.0, checkpoint=3.0)
    blocker = job("other", 4.0, 1.0, 8.0)
    replay([one, blocker], StopAt(4.0), topology=8, restart=2.0)
    # 4 s run, 1 of them lost; from 5 on 2 s of restart and 6 of work: 12 s of running are over at 13
    assert (one.state, one.end, one.overhead, one.lost) == (State.TIMEOUT, 13.0, 2.0, 1.0)


def test_a_stop_of_a_job_at_its_limit_is_no_stop() -> None:
    one = job("one", 0.0, 10.0, 1.0, limit=4.0)
    replay([one], StopAt(4.0))
    assert (one.state, one.end, one.preemptions) == (State.TIMEOUT, 4.0, 0)


def test_training_and_traffic_are_killed_too() -> None:
    links = [{"src": a, "dst": b, "capacity": 1e9} for a, b in (("x", "y"), ("y", "x"))]
    pair = Topology.from_links(links, {"x": {"accelerators": 1}, "y": {"accelerators": 1}})
    jobs: list[Job] = [
        TrainingJob(id="t", submit=0.0, accelerators=2.0, iterations=100, compute=0.1, gradient=1e8, limit=5.0),
        job("b", 6.0, 10.0, 2.0, communication=0.5, limit=5.0),
    ]
    for fidelity in ("fluid", "steady", "flow"):
        for each in jobs:
            each.__init__(**{name: getattr(each, name) for name in _said(each)})  # type: ignore[misc]
        replay(jobs, topology=pair, fidelity=fidelity)
        assert [(each.state, each.end) for each in jobs] == [(State.TIMEOUT, 5.0), (State.TIMEOUT, 11.0)], fidelity


def _said(each: Job) -> list[str]:
    from dataclasses import fields

    return [field.name for field in fields(each) if field.init]


@pytest.mark.parametrize("limit", [-1.0, math.nan, "1 h"])
def test_a_limit_that_makes_no_sense_is_refused(limit: Any) -> None:
    with pytest.raises(InputError) as caught:
        replay([job("a", 0.0, 1.0, 1.0, limit=limit)])
    assert str(caught.value) == f"job 'a': limit is {limit!r}; it must be a number, 0 or more, or infinite"


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 20), st.integers(0, 9), st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0]), st.integers(0, 9)
        ),
        max_size=12,
    ),
    st.sampled_from(["fifo", "sjf", "srtf", "las", "easy-backfill"]),
)  # fmt: skip
def test_who_runs_its_limit_is_killed_and_who_needs_less_completes(drawn: Any, policy: str) -> None:
    jobs = [job(f"{i}", float(a), float(b), c, limit=float(d)) for i, (a, b, c, d) in enumerate(drawn)]
    replay(jobs, policy, topology=servers(2, 2))
    for each in jobs:
        assert each.state is (State.COMPLETED if each.duration <= each.limit else State.TIMEOUT)
        assert each.ran == min(each.duration, each.limit)
        assert each.end - each.submit == pytest.approx(each.waited + each.ran)


def test_a_deadline_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="deadline is nan; it must be a number, 0 or more, or infinite"):
        replay([job("a", 0.0, 1.0, 1.0, deadline=math.nan)], topology=1)
