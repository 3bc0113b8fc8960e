"""Knative's pod autoscaler: rows of its own tests as facts, rows by hand, and laws."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.decision import Decision
from simulator.policies.idling import HOLD, Idling
from simulator.policies.panic import Panic, PanicSpec
from simulator.policies.replicas.kpa import Kpa
from simulator.policies.serving import ServiceObservation
from simulator.testing import check_replica_scaler


def told(ready: int, stable: float, panic: float, coming: int = 0, **more: Any) -> ServiceObservation:
    """What the autoscaler sees, with the means over the 6 s and the 60 s window."""
    values = {"draining": 0, "queued": 0.0, "running": 0.0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0}
    window = {6.0: panic, 60.0: stable}
    return ServiceObservation(ready=ready, coming=coming, outstanding=panic, window=window, **(values | more))


def panic(target: float = 10.0, **more: Any) -> Panic:
    """The decider of the product's own tests: at most ten times, at least a tenth; panic at twice the target."""
    given: dict[str, Any] = {
        "total": target / 0.7, "stable_window": 60.0, "panic_threshold": 2.0, "max_scale_up_rate": 10.0,
        "max_scale_down_rate": 10.0, "scale_down_delay": 0.0, "target_burst_capacity": 100.0, "activation_scale": 0,
    }  # fmt: skip
    return Panic(PanicSpec(target=target, **(given | more)))


def test_it_keeps_the_contract() -> None:
    check_replica_scaler("kpa")
    check_replica_scaler(Kpa(metric="rps", total=20.0, scale_down_delay=60.0, activation_scale=2))


def test_it_asks_for_means_over_both_windows() -> None:
    assert (Kpa().interval, Kpa().windows) == (2.0, (6.0, 60.0))
    assert Kpa(stable_window=50.0, panic_window=0.07).windows == (4.0, 50.0)  # 3.5 s, in whole seconds
    assert Kpa(stable_window=6.0, panic_window=0.01).windows == (1.0, 6.0)
    assert Kpa(metric="rps").windows == ()


@pytest.mark.parametrize(
    ("arguments", "ready", "stable", "fast", "wanted", "rule"),
    [
        ({}, 1, 0.0, 0.0, 0, "stable"),
        ({"target": 181.0, "target_burst_capacity": -1.0}, 1, 21.0, 26.0, 1, "stable"),
        ({}, 1, 50.0, 49.0, 5, "panic"),  # 5 is twice 1 and more
        ({}, 5, 50.0, 50.0, 5, "stable"),
        ({}, 8, 100.0, 100.0, 10, "stable"),
        ({}, 8, 50.0, 50.0, 5, "stable"),
        ({}, 1, 50.0, 100.0, 10, "panic"),  # the fast mean takes precedence
        ({"target": 1.0}, 1, 3.0, 1.0, 3, "stable"),
        ({"target": 1.0, "max_scale_up_rate": 1.1}, 2, 3.0, 3.1, 3, "panic"),  # ceil(1.1 x 2): one more at least
        ({"max_scale_down_rate": 1.1}, 100, 1.0, 1.0, 90, "max scale down rate"),  # floor(100 / 1.1)
        ({}, 1, 1000.0, 1001.0, 10, "panic"),  # ten times 1
        ({}, 10, 1000.0, 1001.0, 100, "panic"),
        ({}, 100, 1.0, 1.0, 10, "max scale down rate"),
        ({}, 10, 1.0, 1.0, 1, "stable"),
        ({}, 0, 1000.0, 888.0, 10, "panic"),  # none is counted as one
        ({}, 8, 100.0, 159.0, 16, "panic"),  # ceil(15.9) / 8 is exactly the threshold
        ({}, 8, 100.0, 150.0, 10, "stable"),  # 15 / 8 is below it
        ({}, 4, 40.0, 40.0, 4, "stable"),  # exactly the target
        ({}, 4, 40.1, 40.0, 5, "stable"),
        ({"activation_scale": 2}, 1, 0.0, 0.0, 0, "stable"),
        ({"activation_scale": 2}, 1, 1.0, 0.0, 2, "activation scale"),
        ({"activation_scale": 4}, 1, 1.0, 1.0, 4, "activation scale"),
        ({"activation_scale": 2}, 4, 55.0, 10.0, 6, "stable"),
        ({"max_scale_down_rate": 2.0}, 7, 1.0, 1.0, 3, "max scale down rate"),
    ],
)
def test_one_decision(arguments: Any, ready: int, stable: float, fast: float, wanted: int, rule: str) -> None:
    decider = panic(**arguments)
    decider.step(-100.0, 1, 0.0, 0.0)  # it has begun with one pod, so it is calm
    got = decider.step(0.0, ready, stable, fast)
    assert (int(got), got.rule) == (wanted, rule)


@pytest.mark.parametrize(
    ("capacity", "ready", "fast", "spare"),
    [
        (0.0, 1, 49.0, 0.0),  # only at none is the activator in the path
        (-1.0, 50, 0.0, -1.0),  # always
        (100.0, 1, 50.0, math.floor(10 / 0.7 - 150)),
        (100.0, 10, 20.0, math.floor(100 / 0.7 - 120)),
        (100.0, 0, 0.0, -100.0),
    ],
)
def test_excess_burst_capacity(capacity: float, ready: int, fast: float, spare: float) -> None:
    decider = panic(target_burst_capacity=capacity)
    decider.step(0.0, ready, 0.0, fast)
    assert decider.spare == spare


def run(decider: Panic, rows: list[tuple[float, int, float, float, int, bool]]) -> None:
    for now, ready, stable, fast, wanted, panicking in rows:
        got = decider.step(now, ready, stable, fast)
        assert (int(got), decider.panicking) == (wanted, panicking), f"{now:g} s"


def test_it_panics_and_calms_down_after_a_slow_increase() -> None:
    decider = panic(target=1.0)
    decider.step(-100.0, 1, 0.0, 0.0)
    run(
        decider,
        [
            (0.0, 10, 11.0, 25.0, 25, True),
            (30.0, 40, 30.0, 41.0, 41, True),  # not over the threshold any more, so the minute runs from 0 s
            (60.0, 40, 30.0, 30.0, 41, True),  # a whole window: not yet past it
            (62.0, 55, 50.0, 56.0, 50, False),
        ],
    )


def test_a_surge_that_goes_on_extends_the_panic() -> None:
    decider = panic(target=1.0)
    decider.step(-100.0, 1, 0.0, 0.0)
    run(decider, [(0.0, 10, 11.0, 25.0, 25, True), (30.0, 40, 30.0, 80.0, 80, True), (90.0, 80, 1.0, 1.0, 80, True)])
    run(decider, [(90.1, 80, 1.0, 1.0, 8, False)])


def test_nothing_shrinks_in_panic_and_everything_after_it() -> None:
    decider = panic()
    run(
        decider,
        [
            (0.0, 1, 100.0, 100.0, 10, True),
            (2.0, 10, 100.0, 1000.0, 100, True),
            (32.0, 10, 1.0, 1.0, 100, True),
            (63.0, 10, 1.0, 1.0, 1, False),
        ],
    )


def test_it_starts_in_panic_with_more_than_one_pod() -> None:
    run(panic(), [(0.0, 2, 0.0, 0.0, 2, True), (60.0, 2, 0.0, 0.0, 2, True), (60.5, 2, 0.0, 0.0, 0, False)])
    run(panic(), [(0.0, 1, 0.0, 0.0, 0, False)])
    again = panic()
    run(again, [(0.0, 5, 0.0, 0.0, 5, True)])
    again.reset()
    run(again, [(0.0, 1, 0.0, 0.0, 0, False)])


def test_the_delay_of_shrinking() -> None:
    """Five minutes in buckets of 2 s: what was wanted at 2 s counts until 5:00 and no longer at 5:02."""
    decider = panic(panic_threshold=10.0, scale_down_delay=300.0)
    decider.step(-1000.0, 1, 0.0, 0.0)
    rows = [
        (2.0, 40.0, 4), (300.0, 0.0, 4), (302.0, 0.0, 0),
        (540.0, 40.0, 4), (600.0, 30.0, 4), (660.0, 0.0, 4), (840.0, 0.0, 3), (900.0, 0.0, 0),
    ]  # fmt: skip
    for now, load, wanted in rows:
        got = decider.step(now, 1, load, load)
        assert int(got) == wanted, now
    assert decider.step(901.0, 1, 30.0, 30.0) == 3
    assert decider.step(901.9, 1, 10.0, 10.0) == 3, "the larger of two in one bucket"
    at_once = panic(panic_threshold=10.0)
    assert [int(at_once.step(now, 1, load, load)) for now, load in ((0.0, 40.0), (0.5, 20.0))] == [4, 2]


LAST = {
    "grace": ({}, ["0 3 3 5 3", "59 0 9 5 1", "60 0 1 5 hold", "89 0 1 5 hold", "90 0 1 5 0"]),
    "behind the activator for a minute": ({}, ["0 1 1 -9 1", "60 0 1 -9 hold", "62 0 1 -9 0"]),
    "behind it later": ({}, ["0 1 1 5 1", "40 1 1 -9 1", "60 0 1 -9 hold", "69 0 1 -9 hold", "70 0 1 -9 0"]),
    "retention": ({"retention": 60.0}, ["0 1 1 -9 1", "60 0 1 -9 hold", "119 0 1 -9 hold", "120 0 1 -9 0"]),
    "short retention": ({"retention": 20.0}, ["0 1 1 -9 1", "60 0 1 -9 hold", "79 0 1 -9 hold", "80 0 1 -9 0"]),
    "not to zero": ({"to_zero": False}, ["0 1 1 5 1", "900 0 1 5 1"]),
    "never ready": ({}, ["0 1 0 -9 1", "2 0 0 -9 hold", "630 0 0 -9 hold", "631 0 0 -9 0"]),
    "work again": ({}, ["0 1 1 5 1", "60 0 1 5 hold", "70 2 1 5 2", "80 0 2 5 1", "130 0 1 5 hold"]),
}
"""Rows of time, wanted, ready and excess burst capacity, and the pods to have."""


@pytest.mark.parametrize(("options", "rows"), LAST.values(), ids=LAST)
def test_the_last_pod(options: dict[str, Any], rows: list[str]) -> None:
    idling = Idling(**({"stable_window": 60.0, "grace": 30.0, "retention": 0.0, "to_zero": True} | options))
    for row in rows:
        now, wanted, ready, spare, pods = row.split()
        got, _ = idling.settle(float(now), int(wanted), int(ready), float(spare))
        assert got == (HOLD if pods == "hold" else int(pods)), row


def test_defaults_aim_at_70_of_100_requests() -> None:
    scaler = Kpa()
    rows = [
        (0.0, told(0, 0.0, 0.0), 1, "initial scale"),
        (2.0, told(0, 0.0, 0.0, coming=1), 1, "activating"),
        (4.0, told(1, 70.0, 70.0), 1, "stable"),
        (6.0, told(1, 71.0, 71.0), 2, "panic"),  # 2 is twice the one that is ready
        (8.0, told(1, 10.0, 10.0, coming=1), 2, "panic: no scale down"),
        (66.0, told(2, 10.0, 10.0), 2, "panic: no scale down"),
        (68.0, told(2, 10.0, 10.0), 1, "stable"),
        (70.0, told(1, 0.0, 0.0), 1, "becomes inactive"),  # active since 4 s
        (72.0, told(1, 0.0, 0.0), 0, "stable"),  # 1 x 100 - 211 is below 0: long behind the activator
        (74.0, told(0, 0.0, 0.0), 0, "stable"),
        (76.0, told(0, 1.0, 5.0), 1, "stable"),
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert isinstance(got, Decision)
        assert (int(got), got.rule) == (wanted, rule), now
    assert got.inputs["target"] == 70.0


def test_requests_per_second_are_averaged_by_itself() -> None:
    scaler = Kpa(metric="rps", panic_threshold=10.0)
    scaler.step(0.0, told(1, 0.0, 0.0))
    for tick in range(1, 30):
        got = scaler.step(2.0 * tick, told(1, 0.0, 0.0, arrivals=140.0))
    assert got.inputs["target"] == 140.0
    assert got.inputs["panic"] == 140.0
    assert got.inputs["stable"] == pytest.approx(140.0 * 29 / 30)
    got = scaler.step(60.0, told(1, 0.0, 0.0, arrivals=700.0))
    assert got.inputs["panic"] == pytest.approx((140 + 140 + 700) / 3)


def test_without_windows_it_averages_what_it_sees() -> None:
    scaler = Kpa()
    plain = {"draining": 0, "queued": 0, "running": 0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0}
    loads = (0.0, 60.0, 60.0, 60.0)
    got = [scaler.step(2.0 * at, ServiceObservation(1, 0, outstanding=load, **plain)) for at, load in enumerate(loads)]
    assert [each.inputs["panic"] for each in got] == [0.0, 30.0, 40.0, 60.0]
    assert got[-1].inputs["stable"] == 45.0


def test_without_data_it_keeps_what_there_is() -> None:
    got = Kpa().step(0.0, told(3, 0.0, 0.0, coming=1, missing={"outstanding": "no scrape"}))
    assert (int(got), got.rule) == (4, "no data")


STEPS = st.lists(st.tuples(st.floats(0.0, 2000.0), st.floats(0.0, 2000.0)), min_size=1, max_size=60)


@given(steps=STEPS, down=st.sampled_from([1.5, 2.0, 10.0]), up=st.sampled_from([2.0, 1000.0]))
def test_panic_never_shrinks_and_rates_are_kept(steps: list[tuple[float, float]], down: float, up: float) -> None:
    decider = panic(max_scale_up_rate=up, max_scale_down_rate=down)
    have, was_panicking = 1, False
    for tick, (stable, fast) in enumerate(steps):
        wanted = decider.step(2.0 * tick, have, stable, fast)
        pods = max(1, have)
        assert wanted <= max(math.ceil(up * pods), have)
        assert wanted >= math.floor(pods / down)
        if decider.panicking:
            assert wanted >= math.ceil(min(stable, up * pods * 10.0) / 10.0 - 1e-6) or wanted == math.ceil(up * pods)
            if was_panicking:
                assert wanted >= have
        was_panicking, have = decider.panicking, int(wanted)


@given(steps=STEPS)
def test_a_delay_only_ever_raises_the_number(steps: list[tuple[float, float]]) -> None:
    plain, late = panic(), panic(scale_down_delay=20.0)
    for tick, (stable, fast) in enumerate(steps):
        one, other = (each.step(2.0 * tick, 5, stable, fast) for each in (plain, late))
        assert other >= one


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"metric": "cpu"}, "metric is 'cpu'; it must be concurrency or rps"),
        ({"total": 0.0}, "total is 0; it must be above 0"),
        ({"utilization": 1.5}, "utilization is 1.5; it must be above 0 and at most 1"),
        ({"stable_window": 5.0}, "stable_window is 5 s; it must be 6 s to 1 h"),
        ({"panic_window": 0.0}, "panic_window is 0; it must be 1 % to 100 % of the stable window"),
        ({"panic_threshold": 1.0}, "panic_threshold is 1; it must be 1.1 to 10"),
        ({"max_scale_up_rate": 1.0}, "max_scale_up_rate is 1; it must be above 1"),
        ({"max_scale_down_rate": 0.5}, "max_scale_down_rate is 0.5; it must be above 1"),
        ({"scale_down_delay": -1.0}, "scale_down_delay is -1 s; it must be 0 s to 1 h"),
        ({"target_burst_capacity": -2.0}, "target_burst_capacity is -2; it must be 0 or more, or -1: endless"),
        ({"activation_scale": 1}, "activation_scale is 1; it must be 2 or more, or 0: none"),
        ({"initial_scale": -1}, "initial_scale is -1; it must be 0 or more"),
        ({"scale_to_zero_grace_period": -1.0}, "scale_to_zero_grace_period is -1 s; it must be 0 or more"),
        ({"scale_to_zero_retention": math.nan}, "scale_to_zero_retention is nan s; it must be 0 or more"),
        ({"interval": 0.0}, "interval is 0 s; it must be above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        Kpa(**arguments)
    assert str(caught.value) == text
