"""Jobs that share an accelerator slow each other exactly as the model of interference says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import PolicyError
from simulator.policies.api import ClusterView, Preempt, Start
from simulator.testing import replay
from simulator.testing.situations import job, servers
from simulator.workload.jobs import BatchJob, Job


class Halving:
    """Every neighbour halves the pace; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float, list[tuple[str, float]]]] = []

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
        self.asked.append((job.id, share, [(other.id, part) for other, part in neighbours]))
        return float(0.5 ** len(neighbours))


def shares(*sizes: float, **more: Any) -> list[BatchJob]:
    return [job("abcdefgh"[i], 0.0, 8.0, size, **more) for i, size in enumerate(sizes)]


def test_neighbours_slow_each_other_from_coming_to_going() -> None:
    jobs = [job("a", 0.0, 8.0, 0.5), job("b", 2.0, 2.0, 0.5)]
    record = replay(jobs, topology=servers(1, 1), interference=Halving())
    # b takes 4 s at half pace, in which a does 2 s of work
    assert [each.end for each in jobs] == [10.0, 6.0]
    assert record.tables["jobs"]["compute"].tolist() == [4.0, 10.0]
    assert record.tables["jobs"]["slowdown"].tolist() == [2.0, 10.0 / 8.0]


def test_the_model_is_told_who_has_which_share() -> None:
    model = Halving()
    replay(
        [job("a", 0.0, 1.0, 0.5), job("b", 0.0, 4.0, 0.25), job("c", 0.0, 9.0, 0.75)], topology=1, interference=model
    )
    assert model.asked[:3] == [("a", 0.5, []), ("a", 0.5, [("b", 0.25)]), ("b", 0.25, [("a", 0.5)])]
    assert model.asked[-1] == ("c", 0.75, [])


def test_whole_accelerators_and_other_devices_have_no_neighbours() -> None:
    model = Halving()
    jobs = shares(1.0, 0.6, 0.6, 0.0)
    replay(jobs, topology=servers(1, 3), interference=model)
    assert {each.end for each in jobs} == {8.0}
    assert {name for name, _, _ in model.asked} == {"b", "c"}


def test_without_interference_shares_do_not_touch() -> None:
    jobs = shares(0.5, 0.5)
    replay(jobs, topology=1)
    assert [each.end for each in jobs] == [8.0, 8.0]


def test_a_job_that_is_stopped_and_moved_takes_its_pace_of_where_it_is() -> None:
    def swap(view: ClusterView) -> Any:
        if view.now == 4.0:
            yield from (Preempt(each) for each in view.running if each.id == "a")
        for each in view.queue:
            if each.id != "a" or not each.preemptions or not len(view.running):
                yield Start(each)

    jobs = [*shares(0.5, 0.5), job("c", 4.0, 0.0, 0.0)]
    replay(jobs, swap, topology=servers(1, 1), interference=Halving())
    # both at half pace until 4, b alone from then on to 10, then a alone
    assert [each.end for each in jobs] == [16.0, 10.0, 4.0]


def test_a_limit_kills_what_neighbours_have_slowed() -> None:
    jobs = shares(0.5, 0.5, limit=10.0)
    replay(jobs, topology=1, interference=Halving())
    assert [each.state.name for each in jobs] == ["TIMEOUT", "TIMEOUT"]


def test_at_pace_0_a_job_stands_still_until_the_other_is_gone() -> None:
    class Alone:
        def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
            return 0.0 if job.id == "a" and neighbours else 1.0

    jobs = shares(0.5, 0.5)
    replay(jobs, topology=1, interference=Alone())
    assert [each.end for each in jobs] == [16.0, 8.0]


class Says:
    """A model that gives the same answer to everybody."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


OUT_OF_RANGE = "; on 0.5 of an accelerator it must be 0 to 2, which is as fast as on a whole one"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (-1.0, f"interference Says of job 'a': pace is -1.0{OUT_OF_RANGE}"),
        (math.nan, f"interference Says of job 'a': pace is nan{OUT_OF_RANGE}"),
        (math.inf, f"interference Says of job 'a': pace is inf{OUT_OF_RANGE}"),
        (7, f"interference Says of job 'a': pace is 7{OUT_OF_RANGE}"),
        ("fast", "interference Says of job 'a': TypeError: '<=' not supported between instances of 'int' and 'str'"),
        (KeyError("gpt"), "interference Says of job 'a': KeyError: 'gpt'"),
    ],
)
def test_an_answer_that_makes_no_sense_is_the_models_fault(answer: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        replay(shares(0.5), topology=1, interference=Says(answer))
    assert str(caught.value) == message


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 9), st.sampled_from([0.2, 0.3, 0.5, 0.7, 1.0])),
        min_size=1, max_size=10,
    )
)  # fmt: skip
def test_work_done_is_the_sum_of_paces_over_time(drawn: list[tuple[int, int, float]]) -> None:
    """Counted once more, from who was where when: every job ends when its paces add up to its duration."""
    jobs = [job(f"{i}", float(a), float(b), c) for i, (a, b, c) in enumerate(drawn)]
    replay(jobs, topology=servers(1, 2), interference=Halving())
    moments = sorted({moment for each in jobs for moment in (each.start, each.end)})
    for each in jobs:
        done = 0.0
        for since, until in pairwise(moments):
            if each.start <= since and until <= each.end:
                beside = [
                    other
                    for other in jobs
                    if other is not each and other.devices == each.devices != (-1,)
                    and other.start <= since and until <= other.end
                ]  # fmt: skip
                done += (until - since) * 0.5 ** len(beside)
        assert done == pytest.approx(each.duration)
