"""Numbers of replicas by the time of day: rows by hand, under another autoscaler, and laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.decision import Decision
from simulator.policies.nested import scaler as nested
from simulator.policies.replicas.kpa import Kpa
from simulator.policies.replicas.queue_length import QueueLength
from simulator.policies.replicas.scheduled import Scheduled
from simulator.policies.schedules import Schedule
from simulator.policies.serving import ServiceObservation
from simulator.testing import check_replica_scaler

HOUR = 3600.0
OFFICE = [{"at": "08:00", "replicas": 4}, {"at": "12:30", "replicas": 6}, {"at": "20 h", "replicas": 1}]


def seen(ready: int, queued: float = 0.0, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "running": 0.0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0, "outstanding": queued}
    return ServiceObservation(ready=ready, coming=coming, queued=queued, **(values | more))


class Wants:
    """An autoscaler that wants what the queue says."""

    interval = 10.0
    windows = (6.0, 60.0)
    per_pod = True

    def __init__(self) -> None:
        self.steps = 0

    def reset(self) -> None:
        self.steps = 0

    def step(self, now: float, observation: ServiceObservation) -> int:
        self.steps += 1
        return int(observation.queued)


def test_it_keeps_the_contract() -> None:
    check_replica_scaler("scheduled")
    check_replica_scaler(Scheduled(OFFICE, base="kpa"))
    check_replica_scaler(Scheduled(OFFICE, base=Wants))


@pytest.mark.parametrize(
    ("hours", "wanted"),
    [
        (0.0, 1),  # before the first entry that of yesterday evening holds
        (7.999, 1),
        (8.0, 4),  # from its very moment on
        (12.499, 4),
        (12.5, 6),
        (19.999, 6),
        (20.0, 1),
        (23.999, 1),
        (24.0, 1),
        (31.9, 1),
        (32.0, 4),  # every day
        (24 * 365 + 13.0, 6),
    ],
)
def test_the_entry_that_holds(hours: float, wanted: int) -> None:
    got = Scheduled(OFFICE).step(hours * HOUR, seen(3))
    assert isinstance(got, Decision)
    assert (int(got), got.rule, got.runner_up) == (wanted, "schedule", 3)


@pytest.mark.parametrize(
    ("hours", "queued", "wanted", "rule"),
    [
        (9.0, 0, 4, "schedule"),  # at least four
        (9.0, 4, 4, "base"),  # as many from both
        (9.0, 5, 5, "base"),  # the larger
        (9.0, 8, 8, "base"),
        (9.0, 9, 8, "schedule: max"),  # at most eight
        (21.0, 0, 1, "schedule"),
        (21.0, 9, 9, "base"),  # no upper bound at night
    ],
)
def test_over_another_the_larger_number_counts(hours: float, queued: int, wanted: int, rule: str) -> None:
    entries = [{"at": 8 * HOUR, "replicas": 4, "max": 8}, {"at": 20 * HOUR, "replicas": 1}]
    got = Scheduled(entries, base=Wants()).step(hours * HOUR, seen(3, queued))
    assert (int(got), got.rule) == (wanted, rule)


def test_a_base_says_what_it_needs_and_keeps_its_reasons() -> None:
    scheduled = Scheduled(OFFICE, base=Wants)
    assert (scheduled.interval, scheduled.windows, scheduled.per_pod) == (10.0, (6.0, 60.0), True)
    assert (Scheduled(OFFICE).interval, Scheduled(OFFICE).windows) == (60.0, ())
    assert Scheduled(OFFICE, base="fixed").interval == 60.0, "one that is asked once only"
    got = Scheduled(OFFICE, base={"kind": "queue-length", "per_replica": 2}).step(21 * HOUR, seen(1, 9))
    assert (int(got), got.rule, got.inputs["backlog"], got.inputs["base"]) == (5, "queue", 9, 5)


def test_a_base_begins_anew_with_each_run() -> None:
    given_ = Wants()
    scheduled = Scheduled(OFFICE, base=given_)
    scheduled.step(0.0, seen(1))
    assert given_.steps == 0, "what the user passed is left alone"
    scheduled.reset()


def test_a_base_may_be_a_name_a_mapping_a_class_or_an_object() -> None:
    assert isinstance(nested("kpa"), Kpa)
    queue = nested({"kind": "queue-length", "interval": "15 s", "latency": "2 min", "task_seconds": 4.0})
    assert isinstance(queue, QueueLength)
    assert (queue.interval, queue.per_replica) == (15.0, 30.0)
    kpa = nested({"kind": "kpa", "utilization": "50 %", "stable_window": "2 min"})
    assert isinstance(kpa, Kpa)
    assert kpa.windows == (12.0, 120.0)
    assert isinstance(nested(Wants), Wants)


@pytest.mark.parametrize(
    ("base", "text"),
    [
        ("kpaa", r"base is 'kpaa', which is no replica autoscaler\. Did you mean 'kpa'\? Known: "),
        ("sundial", r"base is 'sundial', which is no replica autoscaler\. Known: dask-adaptive, "),
        ({"kind": "kpa", "total": "forty"}, "base.total is 'forty'; it must be a number"),
        ({"kind": "kpa", "initial_scale": "two"}, "base.initial_scale is 'two'; it must be a number"),
        ({"target": 3}, "it must have a kind, as {kind: hpa, target: 10}"),
        ({"kind": "queue-length", "lenght": 3}, r"base has no parameter 'lenght'\. "),
        ({"kind": "queue-length", "interval": "15 apples"}, "unknown unit 'apples'"),
        ({"kind": "queue-length", "interval": 0.0}, "interval is 0 s"),
        (7, "base is 7; it must have interval and step"),
    ],
)
def test_a_base_that_is_none(base: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Scheduled(OFFICE, base=base)


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([], "schedule is empty; it must have an entry, as {at: 8 h, replicas: 4}"),
        ([4], r"schedule\[0\] is 4; it must be like {at: 8 h, replicas: 4}"),
        ([{"at": 0}], r"schedule\[0\] has no replicas; an entry has at and replicas, and may have max"),
        ([{"at": 0, "replicas": 1, "min": 2}], r"schedule\[0\] has no key 'min'"),
        ([{"at": "25 h", "replicas": 1}], r"schedule\[0\].at is 90000 s; it must be within the period of 86400 s"),
        ([{"at": "24:00", "replicas": 1}], "must be within the period"),
        ([{"at": -1, "replicas": 1}], "must be within the period"),
        ([{"at": "soon", "replicas": 1}], "'soon' is not a time"),
        ([{"at": 0, "replicas": -1}], "replicas is -1; it must be a whole number, 0 or more"),
        ([{"at": 0, "replicas": 1.5}], "replicas is 1.5; it must be a whole number, 0 or more"),
        ([{"at": 0, "replicas": True}], "replicas is True; it must be a whole number"),
        ([{"at": 0, "replicas": 3, "max": 2}], "max is 2; it must be at least replicas, 3"),
        ([{"at": 60, "replicas": 3}, {"at": "1 min", "replicas": 2}], "schedule has two entries at 60 s"),
    ],
)
def test_schedules_that_make_no_sense(entries: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Scheduled(entries)


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="period is 0 s; it must be above 0"):
        Scheduled(OFFICE, period=0.0)
    with pytest.raises(ValueError, match="interval is 0 s; it must be above 0"):
        Scheduled(OFFICE, interval=0.0)


@given(
    times=st.lists(st.integers(0, 999), min_size=1, max_size=8, unique=True),
    now=st.integers(0, 5000),
    skip=st.integers(0, 9),
)
def test_it_repeats_and_holds_the_latest_entry(times: list[int], now: int, skip: int) -> None:
    schedule = Schedule([{"at": at, "replicas": at} for at in times], 1000.0)
    got = schedule.entry(float(now)).replicas
    assert got == schedule.entry(now + 1000.0 * skip).replicas
    before = [at for at in times if at <= now % 1000]
    assert got == (max(before) if before else max(times))


@given(queued=st.integers(0, 40), hour=st.floats(0.0, 48.0))
def test_it_is_never_below_the_schedule_nor_below_its_base(queued: int, hour: float) -> None:
    got = Scheduled(OFFICE, base=Wants).step(hour * HOUR, seen(1, queued))
    assert got == max(queued, Scheduled(OFFICE).step(hour * HOUR, seen(1)))
