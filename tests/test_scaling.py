"""Target tracking: inputs and outputs, step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.scaling.target_tracking import TargetTracking
from simulator.policies.supply import SupplyObservation, autoscalers


def seen(
    up: int, allocated: float = 0.0, queued: float = 0.0, booting: int = 0, each: float = 8.0
) -> SupplyObservation:
    return SupplyObservation(up, booting, math.ceil(allocated / each), allocated, queued, each)


def test_registry_knows_it() -> None:
    assert autoscalers.get("target-tracking") is TargetTracking
    assert (TargetTracking().interval, TargetTracking().target) == (60.0, 0.8)


def prompt(**more: Any) -> TargetTracking:
    """Target tracking whose alarms need one datapoint, and whose nodes are warm at once."""
    return TargetTracking(**({"out_periods": 1, "in_periods": 1, "warmup": 0.0} | more))


@pytest.mark.parametrize(
    ("observation", "wanted"),
    [
        (seen(0), 0),
        (seen(0, queued=1.0), 1),
        (seen(4, allocated=25.6), 4),  # 80 % of 32: just right
        (seen(4, allocated=26.0), 5),
        (seen(4, allocated=32.0), 5),
        (seen(4, allocated=32.0, queued=32.0), 10),
        (seen(4, allocated=32.0, queued=32.0, booting=6), 10),
        (seen(4, allocated=17.92), 4),  # 70 % of the target: not below it
        (seen(4, allocated=17.0), 3),
        (seen(4, allocated=6.4), 1),
    ],
    ids=str,
)
def test_wanted_nodes_hold_the_demand_at_the_target(observation: SupplyObservation, wanted: int) -> None:
    assert prompt(target=0.8).step(1000.0, observation) == wanted


def test_utilization_cannot_see_a_queue() -> None:
    scaler = prompt(metric="utilization", target=1.0)
    assert scaler.step(0.0, seen(2, allocated=16.0, queued=800.0)) == 2
    assert prompt(metric="utilization", target=0.5).step(0.0, seen(2, allocated=16.0)) == 4


def test_three_minutes_above_grow_and_fifteen_well_below_shrink() -> None:
    scaler = TargetTracking(target=0.8)
    high, low = seen(2, allocated=16.0, queued=16.0), seen(5, allocated=8.0)
    assert [scaler.step(60.0 * minute, high) for minute in range(3)] == [2, 2, 5]
    came = [scaler.step(180.0 + 60.0 * minute, low) for minute in range(20)]
    assert came == [5] * 14 + [2] * 6, "the fifteenth low minute; the nodes that came are warm by then"


def test_nothing_shrinks_while_nodes_boot_or_warm_up() -> None:
    scaler = TargetTracking(target=1.0, out_periods=1, in_periods=1)
    assert scaler.step(0.0, seen(2, allocated=16.0, queued=8.0)) == 3
    assert scaler.step(60.0, seen(2, allocated=4.0, booting=1)) == 3
    assert scaler.step(120.0, seen(3, allocated=4.0)) == 3
    assert scaler.step(419.0, seen(3, allocated=4.0)) == 3
    assert scaler.step(420.0, seen(3, allocated=4.0)) == 1


def test_cooldowns() -> None:
    """Within the first only a larger growth adds anything; shrinking waits for the last shrinkage."""
    scaler = prompt(target=1.0, scale_out_cooldown=300.0, scale_in_cooldown=600.0)
    assert scaler.step(0.0, seen(1, queued=16.0)) == 2
    assert scaler.step(299.0, seen(2, queued=24.0)) == 2
    assert scaler.step(300.0, seen(2, queued=80.0)) == 10
    assert scaler.step(400.0, seen(10, allocated=40.0)) == 5
    assert scaler.step(999.0, seen(5)) == 5
    assert scaler.step(1000.0, seen(5, allocated=8.0)) == 1
    assert scaler.step(1001.0, seen(1, queued=80.0)) == 10
    assert scaler.step(1002.0, seen(10)) == 0


def test_reset_forgets_the_last_changes() -> None:
    scaler = TargetTracking(target=1.0, out_periods=2)
    assert [scaler.step(1e6, seen(1, queued=16.0)), scaler.step(1e6 + 60.0, seen(1, queued=16.0))] == [1, 2]
    scaler.reset()
    assert [scaler.step(0.0, seen(1, queued=16.0)), scaler.step(60.0, seen(1, queued=16.0))] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 0.0}, "target is 0; it must be above 0 and at most 1"),
        ({"target": 1.5}, "target is 1.5; it must be above 0 and at most 1"),
        ({"target": math.nan}, "target is nan; it must be above 0 and at most 1"),
        ({"interval": 0.0}, "interval is 0 s; it must be above 0"),
        ({"interval": math.nan}, "interval is nan s; it must be above 0"),
        ({"metric": "demnad"}, "metric is 'demnad'; it must be 'demand' or 'utilization'"),
        ({"scale_in_cooldown": -1.0}, "scale_in_cooldown is -1 s; it must be 0 or more"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(") + "$"):
        TargetTracking(**arguments)


@given(st.integers(0, 50), st.floats(0.0, 400.0), st.floats(0.0, 400.0), st.floats(0.05, 1.0))
def test_the_target_is_met_with_one_node_to_spare_at_most(
    up: int, allocated: float, queued: float, target: float
) -> None:
    wanted = prompt(target=target, in_share=1.0).step(0.0, seen(up, allocated, queued))
    demand = allocated + queued
    assert demand <= wanted * 8.0 * target * (1 + 1e-6) + 1e-6
    assert wanted == 0 or demand > (wanted - 1) * 8.0 * target * (1 - 1e-6) - 1e-6
