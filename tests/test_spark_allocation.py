"""Dynamic allocation of Spark: rows by hand from the rules of its source, and laws."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.decision import Decision
from simulator.policies.replicas.spark_dynamic_allocation import SparkDynamicAllocation
from simulator.policies.serving import ServiceObservation
from simulator.testing import check_replica_scaler

Row = tuple[float, ServiceObservation, int, str]


def seen(ready: int, queued: float, running: float = 0.0, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0, "outstanding": queued + running}
    return ServiceObservation(ready=ready, coming=coming, queued=queued, running=running, **(values | more))


def follow(scaler: SparkDynamicAllocation, rows: list[Row]) -> None:
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert isinstance(got, Decision)
        assert (int(got), got.rule) == (wanted, rule), f"{now:g} s"


def test_it_keeps_the_contract() -> None:
    check_replica_scaler("spark-dynamic-allocation")
    check_replica_scaler(SparkDynamicAllocation(minimum=2, maximum=9, initial=4, slots=4))


def test_it_asks_for_1_2_4_8_and_up_to_what_is_needed() -> None:
    scaler = SparkDynamicAllocation()
    rows: list[Row] = [
        (0.0, seen(0, 20), 0, "backlog timeout"),  # a stage begins: the first second runs
        (0.9, seen(0, 20), 0, "backlog timeout"),
        (1.0, seen(0, 20), 1, "backlog"),
        (1.9, seen(0, 20, coming=1), 1, "backlog timeout"),
        (2.0, seen(0, 20, coming=1), 3, "backlog"),
        (3.0, seen(0, 20, coming=3), 7, "backlog"),
        (4.0, seen(0, 20, coming=7), 15, "backlog"),
        (5.0, seen(0, 20, coming=15), 20, "backlog"),  # 16 more would be too many
        (6.0, seen(0, 20, coming=20), 20, "enough"),
        (7.0, seen(20, 4, running=20), 21, "backlog"),  # and doubling has begun anew
        (8.0, seen(21, 4, running=20), 23, "backlog"),
        (9.0, seen(23, 4, running=20), 24, "backlog"),
    ]
    follow(scaler, rows)
    scaler.reset()
    follow(scaler, rows)


def test_an_empty_queue_resets_doubling_and_the_timer() -> None:
    follow(
        SparkDynamicAllocation(),
        [
            (0.0, seen(0, 50), 0, "backlog timeout"),
            (1.0, seen(0, 50), 1, "backlog"),
            (2.0, seen(1, 50), 3, "backlog"),
            (2.5, seen(3, 0, running=50), 3, "no backlog"),
            (3.0, seen(3, 50, running=3), 3, "backlog timeout"),
            (4.0, seen(3, 50, running=3), 4, "backlog"),  # one again, a whole second later
            (5.0, seen(4, 50, running=3), 6, "backlog"),
        ],
    )


def test_the_target_begins_with_what_there_is() -> None:
    """Six are there though only one was asked for: the next is the seventh, and six more than asked is not the one."""
    follow(
        SparkDynamicAllocation(),
        [
            (0.0, seen(6, 40), 6, "not idle for long enough"),
            (1.0, seen(6, 40), 7, "backlog"),
            (2.0, seen(7, 40), 8, "backlog"),
            (3.0, seen(8, 40), 10, "backlog"),
        ],
    )


def test_bounds_and_the_sustained_timeout() -> None:
    follow(
        SparkDynamicAllocation(
            minimum=2, maximum=5, scheduler_backlog_timeout=3.0, sustained_scheduler_backlog_timeout=1.0
        ),
        [
            (0.0, seen(0, 0), 2, "initializing"),
            (10.0, seen(2, 90), 2, "backlog timeout"),
            (12.9, seen(2, 90), 2, "backlog timeout"),
            (13.0, seen(2, 90), 3, "backlog"),
            (14.0, seen(3, 90), 5, "backlog"),
            (15.0, seen(5, 90), 5, "maximum"),
            (16.0, seen(5, 0, running=5), 5, "no backlog"),
            (17.0, seen(5, 0, running=1), 5, "not idle for long enough"),
            (76.9, seen(5, 0, running=1), 5, "not idle for long enough"),
            (77.0, seen(5, 0, running=1), 2, "executor idle timeout"),  # not below two
        ],
    )


@pytest.mark.parametrize(
    ("slots", "ratio", "tasks", "needed"),
    [
        (1, 1.0, 20, 20),
        (4, 1.0, 20, 5),  # exactly
        (4, 1.0, 21, 6),
        (4, 0.5, 20, 3),  # 2.5
        (4, 0.5, 16, 2),
        (3, 1.0, 1, 1),
        (8, 0.1, 1, 1),  # 0.0125
        (10, 0.7, 100, 7),  # 7, though 0.7 x 100 / 10 is more by a hair
        (2, 1.0, 0, 0),
    ],
)
def test_how_many_are_needed(slots: int, ratio: float, tasks: int, needed: int) -> None:
    scaler = SparkDynamicAllocation(slots=slots, executor_allocation_ratio=ratio)
    for second in range(40):
        got = scaler.step(float(second), seen(0, tasks))
    assert got.inputs["needed"] == needed
    assert got == needed


def test_what_is_not_needed_is_taken_back_at_once_and_executors_stay_until_they_idled() -> None:
    follow(
        SparkDynamicAllocation(initial=8),
        [
            (0.0, seen(0, 0), 8, "initializing"),  # until the first stage
            (5.0, seen(5, 0, coming=3), 8, "initializing"),
            (6.0, seen(5, 4, coming=3), 5, "not idle for long enough"),  # the three that come are not needed
            (7.0, seen(5, 0, running=4), 5, "not idle for long enough"),
            (64.9, seen(5, 0, running=4), 5, "not idle for long enough"),
            (65.0, seen(5, 0, running=4), 4, "executor idle timeout"),  # all were idle from 5 s, one is until now
        ],
    )


def test_initial_executors_that_nobody_uses_time_out() -> None:
    follow(
        SparkDynamicAllocation(initial=3, minimum=1),
        [
            (0.0, seen(3, 0), 3, "initializing"),
            (59.9, seen(3, 0), 3, "initializing"),
            (60.0, seen(3, 0), 1, "executor idle timeout"),
            (61.0, seen(1, 0), 1, "minimum"),
        ],
    )


def test_an_executor_has_to_idle_for_all_of_the_timeout() -> None:
    follow(
        SparkDynamicAllocation(),
        [
            (0.0, seen(4, 0, running=4), 4, "not idle for long enough"),
            (10.0, seen(4, 0, running=1), 4, "not idle for long enough"),  # three idle
            (30.0, seen(4, 0, running=3), 4, "not idle for long enough"),  # two of them got tasks
            (40.0, seen(4, 0, running=1), 4, "not idle for long enough"),
            (69.9, seen(4, 0, running=1), 4, "not idle for long enough"),
            (70.0, seen(4, 0, running=1), 3, "executor idle timeout"),  # the one that idled since 10 s
            (99.9, seen(3, 0, running=1), 3, "not idle for long enough"),
            (100.0, seen(3, 0, running=1), 1, "executor idle timeout"),  # the two that did since 40 s
        ],
    )


def test_an_executor_that_is_asked_for_is_not_removed() -> None:
    """Three timed out, but two tasks wait that want them: only one goes."""
    follow(
        SparkDynamicAllocation(initial=3, executor_idle_timeout=10.0),
        [(0.0, seen(3, 0), 3, "initializing"), (10.0, seen(3, 2), 2, "executor idle timeout")],
    )


def test_executors_with_cached_blocks_stay() -> None:
    scaler = SparkDynamicAllocation(cached=True)
    assert [int(scaler.step(now, seen(4, 0))) for now in (0.0, 100.0, 1e7)] == [4, 4, 4]
    some = SparkDynamicAllocation(cached=True, cached_executor_idle_timeout=600.0)
    assert [int(some.step(now, seen(4, 0))) for now in (0.0, 60.0, 599.0, 600.0)] == [4, 4, 4, 0]


@given(
    steps=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=80),
    slots=st.integers(1, 4),
    bounds=st.tuples(st.integers(0, 3), st.integers(3, 20)),
)
def test_laws(steps: list[tuple[int, int]], slots: int, bounds: tuple[int, int]) -> None:
    """It keeps its bounds, asks for no more than is needed, at most doubles what it adds, removes only idle ones."""
    scaler = SparkDynamicAllocation(minimum=bounds[0], maximum=bounds[1], slots=slots, executor_idle_timeout=5.0)
    have, added = bounds[0], 1
    for second, (tasks, queued) in enumerate(steps):
        running = min(tasks, have * slots)
        got = scaler.step(float(second), seen(have, queued, running))
        needed = math.ceil((queued + running) / slots)
        assert bounds[0] <= got <= bounds[1]
        assert got <= max(needed, have, bounds[0])
        assert got >= min(have, math.ceil(running / slots))
        assert got - have <= max(2 * added, 1)
        added = max(1, int(got) - have)
        have = int(got)


SUITE = {"sustained_scheduler_backlog_timeout": 2.0, "executor_idle_timeout": 3.0}
"""Timeouts of ExecutorAllocationManagerSuite; the first is 1 s there too."""


@pytest.mark.parametrize(
    ("bounds", "rows"),
    [
        pytest.param(
            (1, 10, 1),
            [
                (0.0, seen(1, 1000), 1), (1.0, seen(1, 1000), 2), (3.0, seen(1, 1000, coming=1), 4),
                (5.0, seen(1, 1000, coming=3), 8), (7.0, seen(1, 1000, coming=7), 10), (9.0, seen(4, 996, 4), 10),
            ],
            id="add executors",
        ),
        pytest.param(  # five tasks need five; a stage of three more need eight; of three more ten, the most
            (0, 10, 0),
            [
                (0.0, seen(0, 5), 0), (1.0, seen(0, 5), 1), (3.0, seen(0, 5), 3), (5.0, seen(0, 5), 5),
                (7.0, seen(1, 7, 1), 6), (9.0, seen(1, 7, 1), 8), (11.0, seen(1, 7, 1), 8), (11.1, seen(1, 9, 3), 9),
                (13.1, seen(1, 9, 3), 10), (15.1, seen(1, 8, 4), 10),
            ],
            id="capped by tasks that wait",
        ),
        pytest.param(
            (0, 10, 0),
            [
                (0.0, seen(0, 5), 0), (1.0, seen(0, 5), 1), (3.0, seen(0, 5), 3), (5.0, seen(1, 4, 1), 5),
                (5.1, seen(1, 3), 3),
            ],
            id="cancel pending executors",
        ),
        pytest.param((0, 20, 0), [(at, seen(0, 0), 0) for at in (0.0, 0.1, 1.1, 11.1)], id="polling: no events"),
        pytest.param(
            (0, 20, 0),
            [
                (0.0, seen(0, 1000), 0), (0.5, seen(0, 1000), 0), (1.5, seen(0, 1000), 1), (2.5, seen(0, 1000), 1),
                (4.5, seen(0, 1000), 3), (6.5, seen(0, 1000), 7), (8.5, seen(0, 0, 1000), 7),
                (10.5, seen(0, 0, 1000), 7), (10.6, seen(0, 1000), 7), (11.6, seen(0, 1000), 8),
                (13.6, seen(0, 1000), 10), (15.6, seen(0, 1000), 14), (17.6, seen(0, 1000), 20),
            ],
            id="polling: add",
        ),
        pytest.param(  # three idle time out, one stays; of two idle among five that one goes as soon as more are there
            (1, 20, 1),
            [(0.0, seen(3, 0), 3), (1.5, seen(3, 0), 3), (4.5, seen(3, 0), 1), (4.6, seen(5, 0, 3), 4)],
            id="polling: remove",
        ),
        pytest.param((2, 5, 3), [(0.0, seen(0, 0), 3), (0.1, seen(0, 2), 2)], id="initial ones until the first job"),
        pytest.param((2, 5, 3), [(0.0, seen(3, 0), 3), (3.0, seen(3, 0), 2)], id="initial ones until one timed out"),
        pytest.param((1, 5, 3), [(0.0, seen(3, 0), 3), (3.0, seen(3, 0), 1)], id="SPARK-26758"),
        pytest.param(
            (0, 100_000, 0),
            [
                (0.0, seen(0, 1000), 0), (1.0, seen(0, 1000), 1), (3.0, seen(0, 1000), 3), (5.0, seen(0, 1000), 7),
                (7.0, seen(0, 1000), 15), (7.1, seen(15, 0), 15), (7.2, seen(15, 1000), 15),
                (8.2, seen(15, 985, 15), 16),
            ],
            id="no ramp below what runs",
        ),
        pytest.param(
            (1, 2, 1),
            [
                (0.0, seen(1, 2), 1), (1.0, seen(1, 2), 2), (1.1, seen(2, 0, 2), 2), (1.2, seen(2, 0, 1), 2),
                (2.1, seen(2, 0, 1), 2), (4.2, seen(2, 0, 1), 1),
            ],
            id="SPARK-23365",
        ),
        pytest.param(
            (5, 12, 5),
            [
                (0.0, seen(5, 8), 5), (1.0, seen(5, 8), 6), (3.0, seen(5, 8), 8), (3.1, seen(8, 0, 8), 8),
                (3.2, seen(8, 0, 5), 8), (6.2, seen(8, 0, 5), 5), (6.3, seen(5, 0, 4), 5), (9.3, seen(5, 0, 4), 5),
            ],
            id="removing, by the target",
        ),
        pytest.param((5, 10, 5), [(0.0, seen(10, 0), 10), (3.0, seen(10, 0), 5), (7.0, seen(5, 0), 5)], id="remove"),
        pytest.param(  # twelve of which eight are wanted: four of the idle ones go
            (5, 12, 5),
            [
                (0.0, seen(5, 1000), 5), (1.0, seen(5, 1000), 6), (3.0, seen(5, 1000), 8), (3.5, seen(12, 1000), 8),
                (5.0, seen(10, 1000), 12), (7.0, seen(10, 1000), 12),
            ],
            id="adding and removing in turn",
        ),
        pytest.param((1, 5, 1), [(0.0, seen(0, 1), 1), (1.0, seen(1, 0, 1), 1), (2.0, seen(1, 1), 1)], id="SPARK-8366"),
        pytest.param(
            (2, 10, 2),
            [
                (0.0, seen(2, 1, 9), 2), (0.3, seen(2, 1, 9), 2), (0.4, seen(2, 0, 9), 2), (1.4, seen(2, 1, 9), 2),
                (2.3, seen(2, 1, 9), 2), (2.4, seen(2, 1, 9), 3),
            ],
            id="the timer begins anew",
        ),
    ],
)  # fmt: skip
def test_situations_of_its_own_suite(bounds: tuple[int, int, int], rows: list[tuple[float, Any, int]]) -> None:
    """Numbers of core/src/test/scala/org/apache/spark/ExecutorAllocationManagerSuite.scala."""
    scaler = SparkDynamicAllocation(*bounds, **SUITE)
    assert [int(scaler.step(now, row)) for now, row, _ in rows] == [want for _, _, want in rows]


@pytest.mark.parametrize(
    ("slots", "ratio", "target"),
    [(1, 0.5, 10), (1, 1 / 3, 7), (2, 1 / 3, 4), (1, 0.385, 8), (1, 1.0, 15), (4, 1 / 3, 3)],
)
def test_allocation_ratios_of_its_own_suite(slots: int, ratio: float, target: int) -> None:
    scaler = SparkDynamicAllocation(3, 15, slots=slots, executor_allocation_ratio=ratio)
    assert [int(scaler.step(float(second), seen(0, 20))) for second in range(8)][-1] == target


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"minimum": -1}, "minimum is -1; it must be 0 or more"),
        ({"maximum": 0}, "maximum is 0; it must be at least 1"),
        ({"minimum": 3, "maximum": 2}, "maximum is 2; it must be at least 3"),
        ({"initial": 9, "maximum": 4}, "initial is 9; it must be at most maximum, 4"),
        ({"slots": 0}, "slots is 0; it must be 1 or more"),
        ({"executor_allocation_ratio": 0.0}, "executor_allocation_ratio is 0; it must be above 0 and at most 1"),
        ({"executor_allocation_ratio": 1.1}, "executor_allocation_ratio is 1.1; it must be above 0 and at most 1"),
        ({"scheduler_backlog_timeout": 0.0}, "scheduler_backlog_timeout is 0 s; it must be above 0"),
        (
            {"sustained_scheduler_backlog_timeout": 0.0},
            "sustained_scheduler_backlog_timeout is 0 s; it must be above 0",
        ),
        ({"executor_idle_timeout": -1.0}, "executor_idle_timeout is -1 s; it must be 0 or more"),
        ({"cached_executor_idle_timeout": math.nan}, "cached_executor_idle_timeout is nan s; it must be 0 or more"),
        ({"interval": 0.0}, "interval is 0 s; it must be above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        SparkDynamicAllocation(**arguments)
    assert str(caught.value) == text
