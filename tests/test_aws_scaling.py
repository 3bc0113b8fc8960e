"""Target tracking and step scaling of AWS: tables of the documentation, rows by hand, and laws."""

from __future__ import annotations

import math
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.alarms import Alarm
from simulator.policies.capacity import Capacity
from simulator.policies.decision import Decision
from simulator.policies.replicas.step_scaling import StepScalingOfReplicas
from simulator.policies.replicas.target_tracking import TargetTracking
from simulator.policies.scaling.step_scaling import StepScalingOfNodes
from simulator.policies.serving import ServiceObservation
from simulator.policies.steps import changed, ladder
from simulator.policies.supply import SupplyObservation
from simulator.testing import check_autoscaler, check_replica_scaler


def seen(ready: int, outstanding: float = 0, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "queued": 0, "running": outstanding, "kv": 0.0, "busy": 0.0, "arrivals": 0.0}
    return ServiceObservation(ready=ready, coming=coming, outstanding=outstanding, **(values | more))


def prompt(**more: Any) -> TargetTracking:
    """Target tracking by ten requests a replica whose alarms need one datapoint."""
    return TargetTracking(**({"target": 10.0, "out_periods": 1, "in_periods": 1} | more))


@pytest.mark.parametrize("name", ["target-tracking", "step-scaling"])
def test_they_keep_the_contracts(name: str) -> None:
    check_replica_scaler(name)
    check_autoscaler(name)


# -- alarms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beyond", "periods", "datapoints", "values", "on"),
    [
        (operator.gt, 3, None, (51, 51, 51), [0, 0, 1]),  # in a row
        (operator.gt, 3, None, (51, 51, 50, 51, 51, 51), [0, 0, 0, 0, 0, 1]),  # at the threshold is not above
        (operator.ge, 3, None, (50, 50, 50, 49, 50), [0, 0, 1, 0, 0]),  # at the threshold is at or above
        (operator.lt, 2, None, (49, 49, 49, 50), [0, 1, 1, 0]),  # asks again while it is on
        (operator.gt, 3, 2, (51, 50, 51, 50, 50), [0, 0, 1, 0, 0]),  # two of three
        (operator.gt, 2, None, (51, None, 51), [0, 0, 1]),  # a missing datapoint is passed over
        (operator.gt, 1, None, (None, 51), [0, 1]),
    ],
)
def test_alarms(beyond: Any, periods: int, datapoints: int | None, values: Any, on: list[int]) -> None:
    alarm = Alarm(beyond, 50.0, periods, datapoints)
    assert [alarm.see(value) for value in values] == [bool(each) for each in on]
    alarm.reset()
    assert [alarm.see(value) for value in values] == [bool(each) for each in on]


# -- target tracking -------------------------------------------------------------------------------------------------


def decisions(scaler: Any, rows: list[tuple[ServiceObservation, int, str]], interval: float = 60.0) -> None:
    for index, (observation, wanted, rule) in enumerate(rows):
        got = scaler.step(interval * index, observation)
        assert isinstance(got, Decision)
        assert (int(got), got.rule) == (wanted, rule), f"row {index} at {interval * index:g} s: {observation}"


def test_three_periods_above_grow_and_fifteen_well_below_shrink() -> None:
    scaler = TargetTracking(target=10.0)
    grows = [
        (seen(2, 21), 2, "no alarm"),  # first minute above 10 each
        (seen(2, 30), 2, "no alarm"),
        (seen(2, 41), 5, "alarm high"),  # third: by the last datapoint, ceil(41 / 10)
        (seen(5, 41), 5, "no alarm"),  # 8.2 each: below the target, not below 9
    ]
    shrinks = [(seen(5, 44), 5, "no alarm")] * 14 + [(seen(5, 31), 4, "alarm low")]
    steady = [(seen(4, 36), 4, "no alarm")] * 20  # exactly 90 % of the target is not below it
    decisions(scaler, [*grows[:3], (seen(2, 20, coming=3), 5, "no alarm"), *steady, *shrinks])
    scaler.reset()
    decisions(scaler, grows)


def test_one_datapoint_above_between_low_ones_starts_the_fifteen_again() -> None:
    low, high = (seen(5, 20), 5, "no alarm"), (seen(5, 49), 5, "no alarm")
    decisions(TargetTracking(target=10.0), [*[low] * 14, high, *[low] * 14, (seen(5, 20), 2, "alarm low")])


@pytest.mark.parametrize(
    ("observation", "wanted", "rule"),
    [
        (seen(2, 20), 2, "no alarm"),  # exactly the target
        (seen(2, 20.000001), 3, "alarm high"),
        (seen(2, 18), 2, "no alarm"),  # exactly 90 %
        (seen(2, 17), 2, "rounding"),  # low, but 1.7 replicas are two
        (seen(2, 10), 1, "alarm low"),
        (seen(4, 1), 1, "alarm low"),
        (seen(4, 0), 0, "alarm low"),
        (seen(2, 41, coming=1), 5, "alarm high"),
        (seen(2, 41, coming=3), 5, "coming"),  # what comes is not asked for again
        (seen(2, 25, coming=3), 5, "coming"),
        (seen(0, 0), 0, "no data"),
        (seen(0, 31, coming=1), 1, "no data"),
        (seen(0, 31), 4, "from zero"),  # ours
        (seen(2, 41, missing={"outstanding": "no scrape"}), 2, "no data"),
    ],
    ids=str,
)
def test_target_tracking_by_one_datapoint(observation: ServiceObservation, wanted: int, rule: str) -> None:
    got = prompt().step(0.0, observation)
    assert (int(got), got.rule) == (wanted, rule)


@pytest.mark.parametrize(
    ("metric", "target", "observation", "wanted"),
    [
        ("kv", 0.5, seen(4, 9, kv=0.7), 6),
        ("busy", 0.5, seen(4, 9, coming=1, busy=1.0), 8),
        ("arrivals", 3.0, seen(1, arrivals=10.0), 4),
        ("queued", 5.0, seen(1, 20, queued=11), 3),
    ],
)
def test_target_tracking_by_any_metric(metric: Any, target: float, observation: Any, wanted: int) -> None:
    assert prompt(metric=metric, target=target).step(0.0, observation) == wanted


def test_within_the_cooldown_only_a_larger_growth_adds_anything() -> None:
    scaler = prompt()
    rows = [
        (0.0, seen(2, 31), 4, "alarm high"),  # 2 more
        (60.0, seen(2, 31, coming=2), 4, "cooldown"),  # the same again: they are in it
        (120.0, seen(2, 45, coming=2), 5, "alarm high"),  # 3 more than the 2 there were
        (180.0, seen(5, 61), 5, "cooldown"),  # 2 more than 5, which is fewer than the 3 added
        (240.0, seen(5, 101), 8, "alarm high"),  # 6 more, on top of the 2
        (299.0, seen(8, 131), 8, "cooldown"),
        (300.0, seen(8, 131), 14, "alarm high"),  # over: from what there is
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert (int(got), got.rule) == (wanted, rule), now


def test_scale_in_waits_for_its_own_cooldown_which_growing_ends() -> None:
    scaler = prompt(scale_out_cooldown=0.0, scale_in_cooldown=200.0)
    rows = [
        (0.0, seen(8, 50), 5, "alarm low"),
        (199.0, seen(5, 10), 5, "cooldown"),
        (200.0, seen(5, 31), 4, "alarm low"),
        (260.0, seen(4, 50), 5, "alarm high"),  # during the cooldown
        (261.0, seen(5, 21), 3, "alarm low"),  # which it ended
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert (int(got), got.rule) == (wanted, rule), now


def test_warm_up_as_on_ec2() -> None:
    """The example of an AWS answer (re:Post): 4 instances, one more, the same alarm again, then a larger one."""
    scaler = prompt(scale_out_cooldown=0.0, scale_in_cooldown=0.0, warmup=300.0)
    rows = [
        (0.0, seen(4, 45), 5, "alarm high"),  # +1
        (60.0, seen(4, 45, coming=1), 5, "coming"),  # +1 of 4 again
        (120.0, seen(5, 56), 5, "warm-up"),  # up, but warming: 4 x 11.2 / 10 = 4.48, so 4 + 1
        (180.0, seen(5, 70), 6, "alarm high"),  # 4 x 14 / 10 = 5.6, so 4 + 2
        (240.0, seen(6, 20), 6, "warm-up"),  # nothing shrinks meanwhile
        (419.0, seen(6, 20), 6, "warm-up"),  # the first has been up for 299 s
        (539.0, seen(6, 20), 6, "warm-up"),
        (540.0, seen(6, 20), 2, "alarm low"),  # the second came at 240 s
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert (int(got), got.rule) == (wanted, rule), now


def test_warming_ones_are_thought_to_leave_first() -> None:
    capacity = Capacity(warmup=100.0)
    ready = [(0.0, 4, 4), (10.0, 6, 4), (20.0, 9, 4), (30.0, 7, 4), (40.0, 5, 4), (50.0, 3, 3), (60.0, 4, 3)]
    assert [capacity.warm(now, count) for now, count, _ in ready] == [warm for _, _, warm in ready]
    assert capacity.warm(159.0, 4) == 3
    assert capacity.warm(160.0, 4) == 4


def test_scale_in_may_be_off() -> None:
    assert prompt(scale_in=False).step(0.0, seen(5, 1)).rule == "scale-in disabled"


@given(load=st.floats(0.0, 1e4), ready=st.integers(1, 50), target=st.floats(0.1, 100.0), periods=st.integers(1, 4))
def test_a_growth_is_the_fewest_that_keep_the_target(load: float, ready: int, target: float, periods: int) -> None:
    scaler = TargetTracking(target=target, out_periods=periods)
    got = [scaler.step(60.0 * at, seen(ready, load)) for at in range(periods)]
    assert all(each == ready for each in got[:-1])
    if got[-1] > ready:
        assert load <= got[-1] * target * (1 + 1e-6)
        assert load > (got[-1] - 1) * target * (1 - 1e-6)
    else:
        assert load <= ready * target * (1 + 1e-6)


@given(
    loads=st.lists(st.floats(0.0, 500.0), min_size=1, max_size=60),
    out=st.integers(1, 4),
    into=st.integers(1, 16),
    warmup=st.sampled_from([0.0, 120.0]),
)
def test_it_never_shrinks_before_so_many_low_datapoints(loads: list[float], out: int, into: int, warmup: float) -> None:
    scaler = TargetTracking(target=10.0, out_periods=out, in_periods=into, warmup=warmup)
    have, lows, highs = 3, 0, 0
    for index, load in enumerate(loads):
        mean = load / have if have else 0.0
        lows, highs = (lows + 1 if mean < 9.0 else 0), (highs + 1 if mean > 10.0 else 0)
        empty = have == 0
        wanted = scaler.step(60.0 * index, seen(have, load))
        if not empty:
            assert wanted >= have or lows >= into
            assert wanted <= have or highs >= out
        else:
            lows = highs = 0
            scaler.reset()
        have = int(wanted)


# -- steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("current", "adjustment", "kind", "least", "after"),
    [
        (4, 2, "ChangeInCapacity", 0, 6),
        (4, -6, "ChangeInCapacity", 0, 0),  # never below none
        (4, 7, "ExactCapacity", 0, 7),
        (4, 0, "ExactCapacity", 0, 0),
        (100, 12.7, "PercentChangeInCapacity", 0, 112),  # above 1 it is rounded down
        (100, 0.67, "PercentChangeInCapacity", 0, 101),  # between 0 and 1 to 1
        (100, -0.58, "PercentChangeInCapacity", 0, 99),  # between 0 and -1 to -1
        (100, -6.67, "PercentChangeInCapacity", 0, 94),  # below -1 towards 0
        (100, 1, "PercentChangeInCapacity", 0, 101),  # exactly 1
        (10, 30, "PercentChangeInCapacity", 0, 13),  # 3, though 10 x 0.3 is less by a hair
        (4, 25, "PercentChangeInCapacity", 2, 6),  # MinAdjustmentMagnitude: the example of the API reference
        (4, -25, "PercentChangeInCapacity", 2, 2),
        (4, 0, "PercentChangeInCapacity", 2, 4),
        (0, 50, "PercentChangeInCapacity", 0, 0),
        (0, 50, "PercentChangeInCapacity", 2, 2),
        (4, 25, "ChangeInCapacity", 2, 29),  # the magnitude is for percentages
    ],
)
def test_adjustments(current: int, adjustment: float, kind: Any, least: int, after: int) -> None:
    assert changed(current, adjustment, kind, least) == after


STEPS = {
    "out_threshold": 50.0,
    "out_steps": [
        {"lower": 0, "upper": 10, "adjustment": 0},
        {"lower": 10, "upper": 20, "adjustment": 10},
        {"lower": 20, "adjustment": 30},
    ],
    "in_threshold": 50.0,
    "in_steps": [
        {"lower": -10, "upper": 0, "adjustment": 0},
        {"lower": -20, "upper": -10, "adjustment": -10},
        {"upper": -20, "adjustment": -30},
    ],
}
"""The policies of the EC2 guide ("Step adjustments for step scaling")."""


@pytest.mark.parametrize(
    ("mean", "wanted", "rule"),
    [
        (50.0, 10, "step of 0"),  # from 50 on and below 60
        (59.9, 10, "step of 0"),
        (60.0, 11, "alarm high"),  # the lower bound belongs to the step
        (69.9, 11, "alarm high"),
        (70.0, 13, "alarm high"),
        (200.0, 13, "alarm high"),
        (40.1, 10, "step of 0"),
        (40.0, 9, "alarm low"),  # below the threshold the upper bound belongs to the step
        (30.1, 9, "alarm low"),
        (30.0, 7, "alarm low"),
        (0.0, 7, "alarm low"),
    ],
)
def test_the_steps_of_the_guide(mean: float, wanted: int, rule: str) -> None:
    got = StepScalingOfReplicas(metric="outstanding", **STEPS).step(0.0, seen(10, 10 * mean))
    assert (int(got), got.rule) == (wanted, rule)


def test_warm_up_of_steps_as_in_the_guide() -> None:
    """A group of 10: 60 gives 11; the same step again none; 70 gives the rest of 3, all before the first is warm."""
    scaler = StepScalingOfReplicas(metric="outstanding", **STEPS, cooldown=0.0, warmup=300.0)
    rows = [
        (0.0, seen(10, 600), 11, "alarm high"),
        (60.0, seen(10, 620, coming=1), 11, "coming"),
        (120.0, seen(11, 682), 11, "warm-up"),
        (180.0, seen(11, 770), 13, "alarm high"),
        (240.0, seen(11, 220, coming=2), 13, "warm-up"),
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert (int(got), got.rule) == (wanted, rule), now


def test_the_walk_of_the_guide() -> None:
    """10 members at 60 become 11, at 70 then 14, at 40 then 13, at 30 then 10; each warm before the next breach."""
    scaler = StepScalingOfReplicas(metric="outstanding", **STEPS, cooldown=0.0, warmup=300.0)
    for minute, ready, mean, wanted in (
        (0, 10, 60, 11), (1, 11, 55, 11), (7, 11, 70, 14), (8, 14, 55, 14), (15, 14, 40, 13), (16, 13, 30, 10),
    ):  # fmt: skip
        assert scaler.step(60.0 * minute, seen(ready, ready * mean)) == wanted, minute


@pytest.mark.parametrize(
    ("members", "mean", "target", "wanted"),
    [
        (10, 150.0, 100.0, 15),  # the EC2 guide: 1500 messages, 10 instances, an acceptable backlog of 100 each
        (3, 75.0, 50.0, 5),  # 4.5 is rounded up
    ],
)
def test_a_backlog_for_each_member(members: int, mean: float, target: float, wanted: int) -> None:
    scaler = TargetTracking(metric="queued", target=target, out_periods=1)
    assert scaler.step(0.0, seen(members, members * mean, queued=members * mean)) == wanted


def test_cooldown_of_steps_as_in_the_reference() -> None:
    """2 more; within the cooldown a step of 3 adds only 1; a growth goes ahead while shrinking has to wait."""
    scaler = StepScalingOfReplicas(
        metric="outstanding",
        out_threshold=50.0,
        out_steps=[{"lower": 0, "upper": 20, "adjustment": 2}, {"lower": 20, "adjustment": 3}],
        in_threshold=20.0,
        in_steps=[{"upper": 0, "adjustment": -1}],
        adjustment_type="ChangeInCapacity",
    )
    rows = [
        (0.0, seen(4, 4 * 55), 6, "alarm high"),
        (60.0, seen(6, 6 * 55), 6, "cooldown"),
        (120.0, seen(6, 6 * 75), 7, "alarm high"),
        (180.0, seen(7, 7 * 10), 6, "alarm low"),
        (240.0, seen(6, 6 * 10), 6, "cooldown"),
        (300.0, seen(6, 6 * 55), 8, "alarm high"),
        (360.0, seen(8, 8 * 20), 7, "alarm low"),
        (420.0, seen(7, 7 * 30), 7, "no alarm"),
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert (int(got), got.rule) == (wanted, rule), now


def test_steps_wait_for_their_periods_and_for_a_step_that_fits() -> None:
    scaler = StepScalingOfReplicas(
        metric="outstanding",
        out_threshold=5.0,
        out_steps=[{"lower": 2, "adjustment": 6}],
        in_threshold=0.0,
        in_steps=[{"upper": 0, "adjustment": 0}],
        adjustment_type="ExactCapacity",
        out_periods=2,
    )
    rows = [
        (seen(2, 14), 2, "no alarm"),
        (seen(2, 14), 6, "alarm high"),
        (seen(6, 36), 6, "no step"),  # 1 beyond the threshold: no step begins before 2
        (seen(0, 5), 1, "from zero"),
    ]
    decisions(scaler, rows)


def test_steps_for_nodes() -> None:
    def pool(up: int, allocated: float, queued: float = 0.0, booting: int = 0) -> SupplyObservation:
        return SupplyObservation(up, booting, math.ceil(allocated / 8), allocated, queued, 8.0)

    scaler = StepScalingOfNodes()
    rows = [
        (0.0, pool(10, 48.0), 11, "alarm high"),  # 60 %
        (60.0, pool(10, 56.0, booting=1), 13, "alarm high"),  # 70 %: 3 more than the 10 that are warm
        (120.0, pool(13, 16.0), 13, "warm-up"),
        (420.0, pool(13, 16.0), 10, "alarm low"),  # 15 %: 30 % of 13 less, 3.9
        (480.0, pool(0, 0.0), 0, "no data"),
        (540.0, pool(0, 0.0, 9.0), 1, "from zero"),
    ]
    for now, observation, wanted, rule in rows:
        got = scaler.step(now, observation)
        assert (int(got), got.rule) == (wanted, rule), now
    assert StepScalingOfNodes(metric="utilization").step(0.0, pool(10, 48.0, 800.0)) == 11


@given(current=st.integers(0, 1000), percent=st.floats(-100.0, 300.0), least=st.integers(0, 5))
def test_a_percentage_never_overshoots_and_never_does_nothing(current: int, percent: float, least: int) -> None:
    change = changed(current, percent, "PercentChangeInCapacity", least) - current
    exact = current * percent / 100.0
    assert change * percent >= 0
    assert abs(change) <= max(abs(exact) + 1e-6, 1.0, float(least))
    if abs(exact) > 1e-6:
        assert change != 0


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([{"lower": 0, "upper": 10, "adjustment": 1}, {"lower": 5, "adjustment": 2}], "ranges overlap: one ends at 10"),
        ([{"lower": 0, "upper": 10, "adjustment": 1}, {"lower": 11, "adjustment": 2}], "ranges leave a gap"),
        ([{"lower": 0, "adjustment": 1}, {"lower": 4, "adjustment": 2}], "ranges overlap: one ends at inf"),
        ([{"upper": 0, "adjustment": -1}, {"upper": 5, "adjustment": 1}], "ranges overlap: one ends at 0"),
        ([{"adjustment": 1}], r"out_steps\[0\] has neither lower nor upper; a step has at least one of them"),
        ([{"lower": None, "upper": None, "adjustment": 1}], r"out_steps\[0\] has neither lower nor upper"),
        ([{"lower": 0, "upper": 5, "adjustment": 1}], "the highest range ends at 5; leave its upper bound out"),
        ([{"lower": -5, "upper": 0, "adjustment": 1}], "the lowest range begins at -5; leave its lower bound out"),
        ([{"lower": 5, "upper": 5, "adjustment": 1}], "lower 5 is not below upper 5"),
        ([{"lower": 5}], r"out_steps\[0\] has no adjustment"),
        ([{"adjustment": None}], "has no adjustment"),
        ([{"lower": 0, "adjustment": 1, "from": 3}], "has no key 'from'"),
        ([{"lower": 0, "adjustment": 1.5}], "adjustment is 1.5; it must be whole for ChangeInCapacity"),
        ([{"lower": 0, "adjustment": math.inf}], "adjustment is inf; it must be a finite number"),
        ([{"adjustment": 1, "lower": "ten"}], "lower is 'ten'; it must be a number"),
        ([3], r"out_steps\[0\] is 3; it must be like"),
    ],
)
def test_steps_that_make_no_sense(steps: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ladder(steps, "ChangeInCapacity", "out_steps")


@pytest.mark.parametrize(
    ("make", "arguments", "text"),
    [
        (TargetTracking, {"out_periods": 0}, "out_periods is 0; it must be 1 or more"),
        (TargetTracking, {"in_periods": -2}, "in_periods is -2; it must be 1 or more"),
        (TargetTracking, {"in_share": 1.1}, "in_share is 1.1; it must be above 0 and at most 1"),
        (TargetTracking, {"warmup": -1.0}, "warmup is -1 s; it must be 0 or more"),
        (TargetTracking, {"scale_out_cooldown": math.nan}, "scale_out_cooldown is nan s; it must be 0 or more"),
        (StepScalingOfReplicas, {"adjustment_type": "Percent"}, "adjustment_type is 'Percent'; it must be one of"),
        (StepScalingOfReplicas, {"out_threshold": math.inf}, "out_threshold is inf; it must be a finite number"),
        (StepScalingOfReplicas, {"min_adjustment_magnitude": -1}, "min_adjustment_magnitude is -1; it must be 0"),
        (StepScalingOfReplicas, {"metric": "cpu"}, "metric is 'cpu'; it must be one of outstanding"),
        (StepScalingOfNodes, {"metric": "cpu"}, "metric is 'cpu'; it must be 'demand' or 'utilization'"),
        (StepScalingOfNodes, {"interval": 0.0}, "interval is 0 s; it must be above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(make: Any, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make(**arguments)
