"""Optimus and equal numbers: greedy choices against enumeration, and the order in which the fewest are given."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.policies.api import ClusterView, schedulers
from simulator.policies.elastic.pace import left, pace
from simulator.policies.elastic.rounds import Wish
from simulator.policies.scheduling.elastic_max_min import ElasticMaxMin
from simulator.policies.scheduling.optimus import Optimus
from simulator.testing import replay
from simulator.testing.situations import servers
from simulator.workload.generate import generate
from simulator.workload.goodput import Goodput, model
from simulator.workload.jobs import BatchJob, Job, State
from simulator.workload.speedup import ByCount, Given


def elastic(name: str, submit: float, duration: float, pace: dict[float, float], **more: Any) -> BatchJob:
    fields = {"minimum": 1.0, "maximum": float(len(pace)), "accelerators": 2.0} | more
    return BatchJob(id=name, submit=submit, duration=duration, speedup=ByCount(duration, pace), **fields)


def held_at(jobs: list[BatchJob], scheduler: Any, time: float, accelerators: int = 8) -> dict[str, float]:
    """What each job has just after ``time``."""
    seen: dict[str, float] = {}

    class Seen(type(scheduler)):  # type: ignore[misc]
        def wishes(self, view: ClusterView, jobs: list[Job]) -> Mapping[Job, Wish]:
            found: Mapping[Job, Wish] = super().wishes(view, jobs)
            if view.now <= time:
                seen.update({job.id: float(wish.size) for job, wish in found.items()})
            return found

    replay(jobs, Seen(), topology=accelerators, until=time + 1)
    return seen


CONCAVE = st.lists(st.floats(0.05, 1.0), min_size=8, max_size=8).map(lambda gains: sorted(gains, reverse=True))


@given(st.lists(st.tuples(CONCAVE, st.floats(1e5, 1e6)), min_size=1, max_size=3))
@settings(max_examples=30)
def test_where_every_gain_is_less_than_the_one_before_the_sum_of_remaining_times_is_least(
    work: list[tuple[list[float], float]],
) -> None:
    """Greedy is exact there (Fox 1966): 1 / pace of a concave pace is convex."""
    paces = [dict(enumerate(np.cumsum([1.0, *gains[:7]]).tolist(), 1)) for gains, _ in work]
    jobs = [
        elastic(f"job-{index}", 0, length, {float(size): value for size, value in own.items()})
        for index, (own, (_, length)) in enumerate(zip(paces, work, strict=True))
    ]
    found = held_at(jobs, Optimus(), 0.0)

    def total(sizes: Any) -> float:
        return float(sum(length / own[int(size)] for own, (_, length), size in zip(paces, work, sizes, strict=True)))

    choices = (each for each in itertools.product(range(1, 9), repeat=len(jobs)) if sum(each) <= 8)
    assert total(found.values()) == pytest.approx(min(total(each) for each in choices))


def test_nobody_gets_more_than_helps() -> None:
    jobs = [elastic("a", 0, 1e5, {1.0: 1.0, 2.0: 1.9, 3.0: 1.5, 4.0: 4.0})]
    # from 2 to 3 it would lose, so the gain of 4 is never seen: a plain greedy search
    assert held_at(jobs, Optimus(), 0.0) == {"a": 2.0}


def test_the_fewest_come_first_and_in_the_order_of_submission() -> None:
    pace = {float(size): float(size) for size in range(1, 9)}

    def jobs(slim: int) -> list[BatchJob]:
        wide = elastic("wide", 0, 1e5, pace, minimum=6.0, accelerators=6.0, maximum=8.0)
        return [wide, *[elastic(f"slim-{index}", 0, 1e5, pace) for index in range(slim)]]

    many = held_at(jobs(3), Optimus(), 0.0)
    assert (many["wide"], sum(many.values())) == (0.0, 8.0)
    assert held_at(jobs(2), Optimus(), 0.0) == {"wide": 6.0, "slim-0": 1.0, "slim-1": 1.0}


def test_equal_numbers_are_max_min_fair_within_what_each_can_use() -> None:
    pace = {float(size): 1.0 for size in range(1, 9)}
    jobs = [
        elastic("one", 0, 1e5, pace, maximum=1.0, accelerators=1.0),
        elastic("two", 0, 1e5, pace),
        elastic("three", 0, 1e5, pace),
        BatchJob(id="rigid", submit=0, duration=1e5, accelerators=2),
    ]
    assert held_at(jobs, ElasticMaxMin(), 0.0) == {"one": 1.0, "two": 3.0, "three": 2.0, "rigid": 2.0}


def test_a_pace_is_that_of_the_present_phase_and_the_rest_what_is_left() -> None:
    speedup = Goodput(model("cifar10"), 2048)
    job = BatchJob(id="a", submit=0, duration=1, accelerators=4, minimum=1, maximum=8, speedup=speedup)
    on = Given(4, 1, "")
    for phase, fraction in ((0, 0.02), (3, 0.5), (5, 0.9)):
        wanted = speedup.model.goodput(on, phase, 2048) / speedup.model.examples
        assert pace(job, on, fraction) == pytest.approx(wanted)
    assert left(None, job, on, 0.5) == pytest.approx(speedup.seconds(on) - speedup.seconds(on, 0.5))  # type: ignore[arg-type]
    assert pace(job, Given(4, 1, "unknown"), 0.5) == 0.0
    assert pace(BatchJob(id="b", submit=0, duration=1, accelerators=4, estimate=50.0), on, 0.3) == 0.02


@pytest.mark.parametrize("name", ["optimus", "elastic-max-min"])
def test_all_accelerators_are_used_and_all_jobs_end(name: str) -> None:
    jobs = list(generate("pollux-like", jobs=60, seed=2, load=2.0, batch="tuned").jobs())
    replay(jobs, name, topology=servers(8, 4))
    assert all(job.state is State.COMPLETED for job in jobs)


@pytest.mark.parametrize("name", ["optimus", "elastic-max-min"])
def test_an_interval_that_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^interval is -5 s; it must be a finite number above 0$"):
        schedulers.get(name)(interval=-5)
