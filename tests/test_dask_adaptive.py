"""Adaptive deployments of Dask: rows by hand from the rules of its source, and laws."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.decision import Decision
from simulator.policies.executors import idle
from simulator.policies.replicas.dask_adaptive import DaskAdaptive
from simulator.policies.serving import PodReading, ServiceObservation
from simulator.testing import check_replica_scaler


def seen(ready: int, queued: float, running: float = 0.0, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0, "outstanding": queued + running}
    return ServiceObservation(ready=ready, coming=coming, queued=queued, running=running, **(values | more))


def test_it_keeps_the_contract() -> None:
    check_replica_scaler("dask-adaptive")
    check_replica_scaler(DaskAdaptive(slots=4, minimum=2, maximum=9, task_seconds=30.0))


@pytest.mark.parametrize(
    ("arguments", "observation", "wanted", "rule"),
    [
        ({}, seen(0, 0), 0, "target duration"),  # nothing to do
        ({}, seen(0, 1), 1, "target duration"),  # somebody waits
        ({}, seen(0, 10), 1, "target duration"),  # 10 x 0.5 s / 5 s: exactly one
        ({}, seen(0, 11), 2, "target duration"),
        ({}, seen(0, 100), 10, "target duration"),
        ({}, seen(2, 98, running=2), 10, "target duration"),  # what runs counts with what waits
        ({"task_seconds": 60.0}, seen(1, 3, running=1), 4, "target duration"),  # 48 cores, but only 4 tasks
        ({"task_seconds": 5.0}, seen(1, 3, running=1), 4, "target duration"),  # exactly as many
        ({"slots": 4}, seen(1, 76, running=4), 2, "target duration"),  # 8 cores are two workers
        ({"slots": 4}, seen(1, 86, running=4), 3, "target duration"),  # 9 cores are three
        ({"slots": 4}, seen(0, 80), 8, "target duration"),  # without workers it does not know their threads
        ({"target_duration": 1.0}, seen(1, 19, running=1), 10, "target duration"),
        ({}, seen(4, 0, running=4, kv=0.6), 4, "idle workers"),  # exactly 60 % is not above
        ({}, seen(4, 0, running=4, kv=0.61), 8, "memory"),  # twice as many
        ({}, seen(2, 98, running=2, kv=0.61), 10, "target duration"),  # the larger of both
        ({"maximum": 6}, seen(2, 98, running=2), 6, "maximum"),
        ({"minimum": 3}, seen(0, 0), 3, "minimum"),
        ({"minimum": 3}, seen(3, 0), 3, "minimum"),
        ({}, seen(2, 18, running=2, coming=0), 2, "target duration"),
    ],
    ids=str,
)
def test_the_target(arguments: Any, observation: ServiceObservation, wanted: int, rule: str) -> None:
    got = DaskAdaptive(**arguments).step(0.0, observation)
    assert isinstance(got, Decision)
    assert (int(got), got.rule) == (wanted, rule)


@pytest.mark.parametrize(
    ("observation", "left"),
    [
        (seen(10, 0, running=0), 0),  # all idle, nothing stored
        (seen(10, 0, running=4), 4),  # only idle ones are closed
        (seen(10, 0, running=10), 10),  # all at work
        (seen(10, 0, kv=0.1), 2),  # the rest must hold twice what is stored
        (seen(10, 0, kv=0.25), 5),
        (seen(10, 0, running=7, kv=0.25), 7),
        (seen(10, 0, kv=0.5), 10),  # exactly: nothing can be spared
        (seen(10, 0, kv=0.6), 10),
        (seen(10, 10, running=10), 10),
        (seen(2, 0, kv=1e-15), 1),  # whatever is stored needs a worker
    ],
    ids=str,
)
def test_which_workers_can_be_spared(observation: ServiceObservation, left: int) -> None:
    assert DaskAdaptive(wait_count=1).step(0.0, observation) == left


def rows(scaler: DaskAdaptive, given_: list[tuple[ServiceObservation, int, str]]) -> None:
    for second, (observation, wanted, rule) in enumerate(given_):
        got = scaler.step(float(second), observation)
        assert (int(got), got.rule) == (wanted, rule), f"second {second}"


def test_a_worker_goes_at_the_third_ask_in_a_row() -> None:
    scaler = DaskAdaptive()
    table = [
        (seen(5, 0, running=3), 5, "wait count"),  # two are named
        (seen(5, 0, running=2), 5, "wait count"),  # and a third
        (seen(5, 0, running=2), 3, "idle workers"),  # the first two for the third time
        (seen(3, 0, running=2), 2, "idle workers"),  # the other one
        (seen(2, 0, running=1), 2, "wait count"),
        (seen(2, 18, running=2), 2, "target duration"),  # nobody is named: counts begin anew
        (seen(2, 0, running=1), 2, "wait count"),
        (seen(2, 0, running=1), 2, "wait count"),
        (seen(2, 0, running=1), 1, "idle workers"),
    ]
    rows(scaler, table)
    scaler.reset()
    rows(scaler, table)


def test_a_worker_that_is_not_named_once_is_counted_from_the_start() -> None:
    rows(
        DaskAdaptive(),
        [
            (seen(5, 0, running=2), 5, "wait count"),  # three
            (seen(5, 0, running=4), 5, "wait count"),  # only one
            (seen(5, 0, running=2), 4, "idle workers"),  # three again, but only the first was named in between
            (seen(4, 0, running=2), 4, "wait count"),
            (seen(4, 0, running=2), 2, "idle workers"),
        ],
    )


def test_those_that_have_not_arrived_go_too() -> None:
    rows(
        DaskAdaptive(wait_count=2),
        [
            (seen(1, 99, running=1), 10, "target duration"),
            (seen(1, 1, running=1, coming=9), 10, "wait count"),
            (seen(1, 1, running=1, coming=9), 1, "target duration"),
        ],
    )


@pytest.mark.parametrize(
    ("arguments", "table"),
    [
        ({"minimum": 1, "maximum": 4}, [(seen(0, 0), 1), (seen(0, 100, coming=1), 4)]),
        (  # four asked for, three arrived, two wanted: the one that has not come and one that has go at the second ask
            {"minimum": 1, "maximum": 4, "wait_count": 2},
            [(seen(0, 100), 4), (seen(3, 0, 2, coming=1), 4), (seen(3, 0, 2, coming=1), 2), *[(seen(2, 0, 2), 2)] * 4],
        ),
        ({"wait_count": 0}, [(seen(2, 20), 2), (seen(2, 0), 0)]),
        ({"task_seconds": 1000.0}, [(seen(0, 10), 10), (seen(0, 200), 200)]),  # long ones: no more than there are
        ({"task_seconds": 1000.0, "slots": 5}, [(seen(1, 5, 5), 2), (seen(1, 195, 5), 40)]),
        ({"task_seconds": 10.0, "target_duration": 0.1}, [(seen(1, 0, 1), 1)]),
        ({"task_seconds": 1.0, "slots": 8, "minimum": 2}, [(seen(2, 184, 16), 5)]),
        ({"task_seconds": 1.0, "slots": 8, "minimum": 2, "target_duration": 1.0}, [(seen(2, 24, 16), 5)]),
        ({"maximum": 2}, [*[(seen(5, 995, 5), 5)] * 2, (seen(5, 995, 5), 2)]),  # a maximum closes busy ones too
        ({"wait_count": 5}, [(seen(0, 1), 1), *[(seen(1, 0, 1), 1), (seen(1, 0), 1)] * 10]),  # pauses are no churn
        ({}, [(seen(0, 0), 0), (seen(0, 30), 3), *[(seen(0, 0, coming=3), 3)] * 2, (seen(0, 0, coming=3), 0)]),
    ],
    ids=str,
)
def test_situations_of_its_own_tests(arguments: Any, table: Any) -> None:
    """Numbers of distributed/deploy/tests/test_adaptive.py, test_adaptive_core.py and tests/test_scheduler.py."""
    scaler = DaskAdaptive(**arguments)
    assert [int(scaler.step(float(second), row)) for second, (row, _) in enumerate(table)] == [
        want for _, want in table
    ]


def test_idle_ones_are_those_that_say_so() -> None:
    pods = [PodReading({"running": count}) for count in (2.0, 0.0, 1.0, 0.0)]
    assert idle(seen(4, 0, running=3, pods=pods), slots=4) == 2
    assert idle(seen(4, 0, running=3), slots=4) == 3
    assert idle(seen(4, 0, running=4.5), slots=2) == 1
    assert idle(seen(2, 0, running=9), slots=2) == 0
    assert DaskAdaptive(slots=4, wait_count=1).step(0.0, seen(4, 0, running=3, pods=pods)) == 2


@given(
    steps=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 1)), min_size=1, max_size=50),
    wait=st.integers(1, 4),
    bounds=st.tuples(st.integers(0, 3), st.integers(3, 40)),
)
def test_it_never_shrinks_before_so_many_asks_nor_leaves_its_bounds(
    steps: list[tuple[int, int]], wait: int, bounds: tuple[int, int]
) -> None:
    scaler, have, asks = DaskAdaptive(wait_count=wait, minimum=bounds[0], maximum=bounds[1]), bounds[0], 0
    for second, (tasks, memory) in enumerate(steps):
        observation = seen(have, max(0, tasks - have), min(tasks, have), kv=0.7 * memory)
        got = scaler.step(float(second), observation)
        asks = asks + 1 if got < have or got.rule == "wait count" else 0
        assert bounds[0] <= got <= max(bounds[1], have)
        assert got >= have or asks >= wait
        have = int(got)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"minimum": -1}, "minimum is -1; it must be 0 or more"),
        ({"minimum": 5, "maximum": 4}, "maximum is 4; it must be at least 5"),
        ({"maximum": 0}, "maximum is 0; it must be at least 1"),
        ({"slots": 0}, "slots is 0; it must be 1 or more"),
        ({"wait_count": -1}, "wait_count is -1; it must be 0 or more"),
        ({"target_duration": 0.0}, "target_duration is 0 s; it must be above 0"),
        ({"task_seconds": math.nan}, "task_seconds is nan s; it must be above 0"),
        ({"interval": -1.0}, "interval is -1 s; it must be above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        DaskAdaptive(**arguments)
    assert str(caught.value) == text
