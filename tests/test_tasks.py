"""Data jobs on the clock: stages, slots, executors that are lost, and the bounds of what is possible."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError, InvariantError
from simulator.metrics.invariants import check
from simulator.metrics.measures import measure
from simulator.policies.serving import replica_scalers
from simulator.runtime.fleets.spec import Step
from simulator.workload.laws import law
from simulator.workload.sampling import Draws
from simulator.workload.taskgraph import Stage, followers
from tests.load_world import application, column, ran
from tests.serving_world import Steps
from tests.test_loads import Stop

ONE = law({"constant": {"value": 1.0}})


def jct(record: Any) -> float:
    return float(record.tables["applications"]["jct"][0])


# -- the graph --------------------------------------------------------------------------------------------------------


def stages(**after: str) -> list[Stage]:
    return [Stage(name, 1, ONE, tuple(each.split())) for name, each in after.items()]


def test_followers_of_a_diamond() -> None:
    assert followers(stages(a="", b="a", c="a", d="b c")) == [[1, 2], [3], [3], []]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (stages(a="a"), "stages wait for each other in a circle: a"),
        (stages(a="", b="c", c="b a"), "stages wait for each other in a circle: b, c"),
        (stages(a="", b="x"), "stage 'b' waits for 'x', which is no stage"),
        ([*stages(a=""), *stages(a="")], "the name 'a' is taken: stage 1 has it already"),
    ],
)
def test_what_is_no_graph(graph: list[Stage], message: str) -> None:
    with pytest.raises(InputError) as caught:
        followers(graph)
    assert caught.value.problems[0].text == message


def test_durations_are_those_of_their_stage() -> None:
    stage = Stage("map", 4000, law({"exponential": {"mean": 3.0}}))
    one, again, other = (stage.durations(Draws(seed, prefix="tasks:etl:1")) for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()
    assert one.mean() == pytest.approx(3.0, rel=0.05)


# -- on the clock -----------------------------------------------------------------------------------------------------


def test_equal_tasks_go_in_waves() -> None:
    """200 tasks of 3 s on 32 slots are 7 waves, then 20 of 5 s in one; the start takes 5 s."""
    record = ran(application([[3.0] * 200, [5.0] * 20], scaler=8, slots=4, steps=(Step("jvm", 5.0),)))
    assert jct(record) == 5 + 7 * 3 + 5
    assert column(record, "applications", "task_seconds") == [700.0]
    assert column(record, "applications", "executor_seconds") == [8 * 31.0]
    facts = record.facts["fleets"]["etl"]
    assert (facts["busy_seconds"], facts["optimum"]) == pytest.approx((175.0, 175.0))
    assert measure(record, "app.jct.mean") == 31.0
    assert measure(record, "app.executor_hours") == pytest.approx(248 / 3600)


def test_a_barrier_waits_for_the_slowest() -> None:
    assert jct(ran(application([[1.0, 9.0], [2.0]], slots=2))) == 11.0


def test_stages_without_a_bar_run_side_by_side() -> None:
    assert jct(ran(application([[4.0], [4.0], [1.0]], followers=[[2], [2], []], slots=2))) == 5.0


def test_tasks_are_taken_in_order() -> None:
    """First in, first out on two slots: 3, 1, 1, 1 end at 3, 1, 2 and 3 s."""
    assert jct(ran(application([[3.0, 1.0, 1.0, 1.0]], slots=2))) == 3.0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1, max_size=4), st.integers(1, 3),
    st.integers(1, 3),
)  # fmt: skip
def test_nothing_is_faster_than_work_and_path_allow(times: list[list[int]], executors: int, slots: int) -> None:
    durations = [[float(each) for each in stage] for stage in times]
    record = ran(application(durations, scaler=executors, slots=slots))
    total = sum(map(sum, durations))
    path = sum(map(max, durations))
    lower = max(path, total / (executors * slots))
    graham = sum(sum(stage) / (executors * slots) + max(stage) for stage in durations)
    assert lower - 1e-9 <= jct(record) <= graham + 1e-9
    assert jct(record) == pytest.approx(by_hand(durations, executors * slots))
    assert column(record, "applications", "task_seconds") == [pytest.approx(total)]


def by_hand(durations: list[list[float]], slots: int) -> float:
    """List scheduling, stage after stage."""
    now = 0.0
    for stage in durations:
        free = [now] * slots
        for seconds in stage:
            first = free.index(min(free))
            free[first] += seconds
        now = max(free)
    return now


def test_tasks_of_a_lost_executor_run_again() -> None:
    """Both executors stop at 2 s, come back at once, and all four tasks begin anew; what had ended is kept."""
    record = ran(application([[1.0] * 4 + [3.0] * 4], scaler=2, slots=2), parts=[Stop(2.0)])
    assert column(record, "applications", "reruns") == [4]
    assert jct(record) == 5.0
    assert column(record, "applications", "task_seconds") == [16.0]
    assert column(record, "applications", "executor_seconds") == [10.0]


def test_an_executor_that_is_let_go_ends_its_tasks() -> None:
    record = ran(application([[10.0] * 8], scaler=Steps(4, 1, interval=5.0), slots=1))
    ends = sorted(column(record, "jobs", "end"))
    assert ends[:3] == [10.0, 10.0, 10.0]
    assert column(record, "applications", "reruns") == [0]
    assert jct(record) == 50.0


def test_autoscalers_are_told_what_is_so() -> None:
    scaler = Steps(2, interval=1.0)
    ran(application([[2.0] * 6, [2.0]], scaler=scaler, slots=2))
    told = scaler.asked[1]
    assert (told.outstanding, told.queued, told.running, told.ready) == (7, 2, 4, 2)
    assert told.busy == pytest.approx(1.0)
    half = scaler.asked[3]
    assert (half.queued, half.running) == (0, 2)
    assert half.busy == pytest.approx(0.5)


def test_spark_begins_with_one_and_doubles() -> None:
    scaler = replica_scalers.get("spark-dynamic-allocation")(slots=2)
    record = ran(application([[30.0] * 64], scaler=scaler, slots=2, maximum=20))
    wanted = [int(each) for each in column(record, "decisions", "applied")]
    grown = list(dict.fromkeys(wanted))
    assert grown[: len([0, 1, 3, 7, 15, 20])] == [0, 1, 3, 7, 15, 20]
    assert column(record, "applications", "done") == [64]


@pytest.mark.parametrize("kind", replica_scalers.names())
def test_every_autoscaler_gets_a_data_job_done(kind: str) -> None:
    rng = np.random.default_rng(4)
    durations = [rng.exponential(20.0, 40).tolist(), rng.exponential(5.0, 10).tolist()]
    record = ran(application(durations, scaler=replica_scalers.get(kind)(), slots=2, minimum=1, maximum=6), until=1e5)
    assert column(record, "applications", "done") == [50]
    assert max(column(record, "decisions", "applied"), default=1) <= 6


def test_several_jobs_have_executors_of_their_own() -> None:
    record = ran(*(application([[4.0] * 4], name=f"etl-{i}", submit=float(i), slots=2) for i in (1, 2)))
    assert column(record, "applications", "name") == ["etl-1", "etl-2"]
    assert column(record, "applications", "jct") == [8.0, 8.0]
    assert record.facts["fleets"]["etl"]["replica_seconds"] == 16.0
    assert sorted(column(record, "jobs", "id")) == ["etl-1/0", "etl-2/0"]


def test_executors_are_no_jobs_of_measures() -> None:
    record = ran(application([[4.0] * 4]))
    assert math.isnan(measure(record, "jct.mean"))
    assert measure(record, "jobs.completed") == 0.0


def test_executors_that_fit_nowhere_are_told() -> None:
    record = ran(application([[4.0]], cores=99.0))
    assert column(record, "applications", "done") == [0]
    assert any(note.startswith("Data job etl-1: an executor can never be placed") for note in record.facts["notes"])


def test_a_job_without_executors_is_told() -> None:
    record = ran(application([[4.0]], scaler=0))
    assert "Data job etl-1: 1 task left: it has no executors." in record.facts["notes"]
    assert math.isnan(column(record, "applications", "end")[0])


def test_the_end_of_a_run_leaves_a_job_undone() -> None:
    record = ran(application([[4.0] * 4]), until=9.0)
    assert column(record, "applications", "done") == [2]
    assert math.isnan(measure(record, "app.jct.mean"))


def test_broken_records_are_told() -> None:
    record = ran(application([[4.0] * 4]))
    record.tables["applications"]["done"][0] = 3
    with pytest.raises(InvariantError, match="a data job ends when all its tasks have"):
        check(record)
