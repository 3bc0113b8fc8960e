"""How fast the horizontal pod autoscaler moves: windows, policies, bounds, reasons, and what users write.

Tables follow what horizontal_test.go of Kubernetes 1.33 covers; their numbers are computed by hand from the rules.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.hpa import manifest
from simulator.policies.hpa.behavior import DOWN, UP, Changes, ScalingPolicy, ScalingRules, Select, ceiling, floor
from simulator.policies.hpa.stabilisation import Recommendations
from simulator.policies.replicas.hpa import Hpa
from simulator.policies.serving import ServiceObservation

PODS, PERCENT = "Pods", "Percent"
POLICY = {"type": PODS, "value": 4, "periodSeconds": 15}


def seen(current: int, load: float) -> ServiceObservation:
    """A service whose replicas are all ready; with a target of 1, ``load`` is what an autoscaler wants."""
    return ServiceObservation(current, 0, 0, load, 0.0, load, 0.0, 0.0, 0.0)


def policy(kind: Any, value: int, period: float) -> ScalingPolicy:
    return ScalingPolicy(kind, value, period)


def follow(scaler: Hpa, have: int, loads: list[float], start: float = 0.0) -> list[int]:
    """What it says every 15 s, each of which becomes what there is."""
    said = []
    for step, load in enumerate(loads):
        have = scaler.step(start + 15.0 * step, seen(have, load))
        said.append(int(have))
    return said


def written(direction: str, *policies: tuple[str, int, int], **more: Any) -> dict[str, Any]:
    """A behavior with policies in one direction, and nothing that holds the other back."""
    rules = {"policies": [dict(zip(("type", "value", "periodSeconds"), each, strict=True)) for each in policies]}
    free = {"policies": [{"type": PERCENT, "value": 100, "periodSeconds": 1}], "stabilizationWindowSeconds": 0}
    other = "scaleDown" if direction == "scaleUp" else "scaleUp"
    return {direction: {"stabilizationWindowSeconds": 0, **rules, **more}, other: free}


# -- limits of the rate ----------------------------------------------------------------------------------------------

CEILINGS = [
    # replicas, added and removed (seconds ago, how many), policies, select, most
    (10, [], [], [(PODS, 4, 15)], "Max", 14),
    (10, [], [], [(PERCENT, 50, 15)], "Max", 15),
    (3, [], [], [(PERCENT, 10, 15)], "Max", 4),
    (1, [], [], [(PERCENT, 1, 15)], "Max", 2),
    (10, [], [], [(PODS, 4, 15), (PERCENT, 100, 15)], "Max", 20),
    (10, [], [], [(PODS, 4, 15), (PERCENT, 100, 15)], "Min", 14),
    (2, [], [], [(PODS, 4, 15), (PERCENT, 100, 15)], "Max", 6),
    (0, [], [], [(PODS, 4, 15), (PERCENT, 100, 15)], "Max", 4),
    (0, [], [], [(PERCENT, 100, 15)], "Max", 0),
    (10, [], [], [(PODS, 4, 15)], "Disabled", 10),
    (10, [(5, 3)], [], [(PODS, 4, 60)], "Max", 11),
    (10, [(5, 3), (59, 1)], [], [(PODS, 4, 60)], "Max", 10),
    (10, [(5, 3), (60, 1)], [], [(PODS, 4, 60)], "Max", 11),
    (10, [(5, 7)], [], [(PODS, 4, 60)], "Max", 10),
    (10, [(5, 5)], [], [(PERCENT, 100, 60)], "Max", 10),
    (10, [(5, 5)], [], [(PERCENT, 150, 60)], "Max", 13),
    (10, [], [(5, 2)], [(PODS, 4, 60)], "Max", 16),
    (10, [(5, 3)], [(6, 2)], [(PODS, 4, 60)], "Max", 13),
    (100, [(70, 20), (20, 10)], [], [(PODS, 20, 60), (PODS, 35, 120)], "Max", 110),
    (100, [(70, 20), (20, 10)], [], [(PODS, 20, 60), (PODS, 35, 120)], "Min", 105),
    (1000, [(10, 400)], [], [(PODS, 500, 60), (PERCENT, 50, 60)], "Min", 1000),
]
FLOORS = [
    (80, [], [], [(PERCENT, 10, 60)], "Max", 72),
    (72, [], [], [(PERCENT, 10, 60)], "Max", 64),
    (10, [], [], [(PODS, 4, 60)], "Max", 6),
    (10, [], [], [(PERCENT, 100, 15)], "Max", 0),
    (3, [], [], [(PERCENT, 10, 15)], "Max", 2),
    (10, [], [], [(PODS, 4, 60), (PERCENT, 10, 60)], "Max", 6),
    (10, [], [], [(PODS, 4, 60), (PERCENT, 10, 60)], "Min", 9),
    (10, [], [], [(PODS, 4, 60)], "Disabled", 10),
    (10, [], [(5, 3)], [(PODS, 4, 60)], "Max", 9),
    (10, [], [(5, 3), (60, 9)], [(PODS, 4, 60)], "Max", 9),
    (10, [], [(5, 7)], [(PODS, 4, 60)], "Max", 10),
    (72, [], [(30, 8)], [(PERCENT, 10, 60)], "Max", 72),
    (10, [(5, 2)], [], [(PODS, 4, 60)], "Max", 4),
    (10, [(5, 2)], [(6, 3)], [(PODS, 4, 60)], "Max", 7),
    (2, [], [], [(PODS, 4, 60)], "Max", -2),
]


def changes(events: list[tuple[int, int]], now: float) -> Changes:
    made = Changes()
    for ago, amount in sorted(events, reverse=True):
        made.add(now - ago, amount, 1800.0)
    return made


@pytest.mark.parametrize(("current", "added", "removed", "policies", "select", "most"), CEILINGS)
def test_most_that_growth_may_reach(
    current: int, added: Any, removed: Any, policies: Any, select: Select, most: int
) -> None:
    rules = ScalingRules(tuple(policy(*each) for each in policies), 0.0, select)
    assert ceiling(500.0, current, changes(added, 500.0), changes(removed, 500.0), rules) == most


@pytest.mark.parametrize(("current", "added", "removed", "policies", "select", "least"), FLOORS)
def test_fewest_that_shrinking_may_reach(
    current: int, added: Any, removed: Any, policies: Any, select: Select, least: int
) -> None:
    rules = ScalingRules(tuple(policy(*each) for each in policies), 0.0, select)
    assert floor(500.0, current, changes(added, 500.0), changes(removed, 500.0), rules) == least


def test_changes_that_count_no_more_are_forgotten() -> None:
    made = Changes()
    for now in range(0, 600, 15):
        made.add(float(now), 1, 60.0)
    assert made.within(585.0, 60.0) == 4
    assert made.within(585.0, 1e9) == 5


# -- steps of an autoscaler ------------------------------------------------------------------------------------------

STEPS = [
    # behavior, replicas, wanted, minimum, maximum, said, rule
    (None, 10, 10, 1, None, 10, "WithinTolerance"),
    (None, 10, 12, 1, None, 12, "DesiredWithinRange"),
    (None, 10, 30, 1, None, 20, "ScaleUpLimit"),
    (None, 10, 30, 1, 15, 15, "TooManyReplicas"),
    (None, 10, 30, 1, 20, 20, "TooManyReplicas"),
    (None, 10, 30, 1, 21, 20, "ScaleUpLimit"),
    (None, 1, 100, 1, None, 4, "ScaleUpLimit"),
    (None, 2, 3, 1, None, 3, "DesiredWithinRange"),
    (None, 10, 4, 1, None, 10, "ScaleDownStabilized"),
    (None, 0, 100, 1, None, 0, "ScalingDisabled"),
    (None, 0, 100, 0, None, 4, "ScaleUpLimit"),
    (None, 0, 0, 0, None, 0, "DesiredWithinRange"),
    (None, 10, 5, 1, 8, 8, "AboveMaxReplicas"),
    (None, 2, 9, 3, 8, 3, "BelowMinReplicas"),
    ({}, 10, 10, 1, None, 10, "WithinTolerance"),
    ({}, 10, 30, 1, None, 20, "ScaleUpLimit"),
    ({}, 10, 30, 1, 20, 20, "TooManyReplicas"),
    ({}, 1, 100, 1, None, 5, "ScaleUpLimit"),
    ({}, 3, 100, 1, None, 7, "ScaleUpLimit"),
    ({}, 10, 4, 1, None, 10, "ScaleDownStabilized"),
    ({}, 0, 100, 1, None, 0, "ScalingDisabled"),
    ({}, 0, 100, 0, None, 4, "ScaleUpLimit"),
    ({}, 10, 5, 1, 8, 8, "AboveMaxReplicas"),
    (written("scaleUp", (PODS, 1, 60)), 10, 4, 1, None, 4, "DesiredWithinRange"),
    (written("scaleUp", (PODS, 1, 60)), 10, 1, 3, None, 3, "TooFewReplicas"),
    (written("scaleUp", (PODS, 1, 60)), 10, 30, 1, None, 11, "ScaleUpLimit"),
    (written("scaleUp", (PODS, 1, 60), selectPolicy="Disabled"), 10, 30, 1, None, 10, "ScaleUpLimit"),
    (written("scaleUp", (PODS, 1, 60), stabilizationWindowSeconds=60), 10, 30, 1, None, 10, "ScaleUpStabilized"),
    (written("scaleDown", (PERCENT, 10, 60)), 80, 10, 1, None, 72, "ScaleDownLimit"),
    (written("scaleDown", (PERCENT, 10, 60)), 80, 75, 1, None, 80, "WithinTolerance"),
    (written("scaleDown", (PODS, 50, 60)), 80, 70, 1, None, 70, "DesiredWithinRange"),
    (written("scaleDown", (PODS, 50, 60)), 80, 10, 31, None, 31, "TooFewReplicas"),
    (written("scaleDown", (PODS, 50, 60)), 80, 10, 30, None, 30, "TooFewReplicas"),
    (written("scaleDown", (PODS, 50, 60)), 80, 10, 29, None, 30, "ScaleDownLimit"),
    (written("scaleDown", (PODS, 50, 60), selectPolicy="Disabled"), 80, 10, 1, None, 80, "ScaleDownLimit"),
]  # fmt: skip


@pytest.mark.parametrize(("behavior", "current", "wanted", "minimum", "maximum", "said", "rule"), STEPS)
def test_one_step(
    behavior: Any, current: int, wanted: int, minimum: int, maximum: int | None, said: int, rule: str
) -> None:
    scaler = Hpa(target=1.0, behavior=behavior)
    scaler.bounds(minimum, maximum)
    decided = scaler.step(0.0, seen(current, wanted))
    assert (decided, decided.rule) == (said, rule)


def test_a_decision_tells_the_numbers_behind_it() -> None:
    decided = Hpa(target=10.0, max_replicas=12).step(0.0, seen(10, 250.0))
    assert decided.inputs == {"outstanding": 250.0, "ratio": 2.5, "desired": 25}
    assert (decided, decided.runner_up) == (12, 25)
    assert Hpa(target=10.0).step(0.0, seen(10, 130.0)).runner_up is None


def test_by_default_a_manifest_has_no_behavior() -> None:
    """Growth goes from 1 to 4 (twice, or 4), where the rules that a behavior gets by default allow 5 (4 more)."""
    for none in (None, "none"):
        assert follow(Hpa(target=1.0, behavior=none), 1, [100] * 6) == [4, 8, 16, 32, 64, 100]  # type: ignore[arg-type]
    assert follow(Hpa(target=1.0, behavior={}), 1, [100] * 6) == [5, 10, 20, 40, 80, 100]
    assert follow(Hpa(target=1.0, behavior={"scaleDown": {}}), 1, [100] * 2) == [5, 10]


def test_without_behavior_it_follows_the_highest_of_the_window_upwards_as_well() -> None:
    """10 were wanted once, and the limit of the rate allowed 4: it goes on to 10 although 2 would do now."""
    assert follow(Hpa(target=1.0), 2, [10, 2, 2, 2]) == [4, 8, 10, 10]
    assert follow(Hpa(target=1.0, behavior={}), 2, [10, 2, 2, 2]) == [6, 6, 6, 6]


def test_without_behavior_a_recommendation_counts_until_it_is_older_than_the_window() -> None:
    loads = [80, 30, 50, 20, 20, 20, 20, 20]
    scaler = Hpa(target=10.0, downscale_stabilization=60.0)
    assert follow(scaler, 8, loads) == [8, 8, 8, 8, 8, 5, 5, 2]
    scaler.reset()
    assert scaler.step(200.0, seen(8, 20)) == 8, "a new run begins with what is there"
    assert follow(Hpa(target=10.0, downscale_stabilization=0.0), 8, loads[:4]) == [8, 3, 5, 2]
    assert Hpa(target=10.0, downscale_stabilization=0.0).step(0.0, seen(8, 30)) == 3


def test_with_behavior_a_recommendation_as_old_as_the_window_counts_no_more() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    assert follow(Hpa(target=10.0, behavior=behavior), 8, [80, 30, 50, 20, 20, 20, 20, 20]) == [8, 8, 8, 8, 5, 5, 2, 2]


def test_the_window_of_growth_takes_the_lowest() -> None:
    behavior = {"scaleUp": {"stabilizationWindowSeconds": 45}}
    loads = [20.0, 50.0, 40.0, 60.0, 70.0, 70.0]
    assert follow(Hpa(target=10.0, behavior=behavior), 2, loads) == [2, 2, 2, 4, 4, 6]


def test_windows_of_both_directions_leave_a_band() -> None:
    behavior = {"scaleUp": {"stabilizationWindowSeconds": 60}, "scaleDown": {"stabilizationWindowSeconds": 60}}
    loads = [50.0, 90.0, 20.0, 90.0, 20.0, 90.0, 20.0]
    assert follow(Hpa(target=10.0, behavior=behavior), 5, loads) == [5] * 7


def test_the_limit_counts_what_changed_within_the_period() -> None:
    behavior = written("scaleUp", (PODS, 4, 60))
    assert follow(Hpa(target=1.0, behavior=behavior), 10, [100] * 9) == [14] * 4 + [18] * 4 + [22]
    behavior = written("scaleDown", (PERCENT, 10, 60))
    assert follow(Hpa(target=1.0, behavior=behavior), 80, [1] * 9) == [72] * 4 + [64] * 4 + [57]
    behavior = written("scaleUp", (PERCENT, 900, 60))
    assert follow(Hpa(target=1.0, behavior=behavior), 1, [1000] * 5) == [10, 10, 10, 10, 100]


def test_growth_counts_for_as_long_as_the_limit_of_shrinking_says() -> None:
    """It grew by 4 and by 4 within the minute in which it may lose 4, so from 10: to 6."""
    quick, slow = {**POLICY, "periodSeconds": 15}, {**POLICY, "periodSeconds": 60}
    behavior: dict[str, Any] = {"scaleUp": {"policies": [quick]}, "scaleDown": {"policies": [slow]}}
    behavior["scaleDown"]["stabilizationWindowSeconds"] = 0
    scaler = Hpa(target=1.0, behavior=behavior)
    table = ((0.0, 10, 99), (30.0, 14, 99), (45.0, 18, 1))
    assert [int(scaler.step(now, seen(have, load))) for now, have, load in table] == [14, 18, 6]


def test_shrinking_gives_growth_more_room() -> None:
    """Growth of 2 a minute counts from the 10 that there were, not from the 6 that are left."""
    scaler = Hpa(target=1.0, behavior=written("scaleUp", (PODS, 2, 60)))
    assert [int(scaler.step(now, seen(have, load))) for now, have, load in ((0.0, 10, 6), (15.0, 6, 90))] == [6, 12]


def test_it_remembers_what_it_did_itself_not_what_others_did() -> None:
    scaler = Hpa(target=1.0, behavior=written("scaleUp", (PODS, 4, 60)))
    assert scaler.step(0.0, seen(10, 100)) == 14
    assert scaler.step(15.0, seen(30, 100)) == 30, "30 - 4 + 4: nothing more this minute"
    assert scaler.step(75.0, seen(30, 100)) == 34


def test_a_service_that_was_switched_off_comes_back_as_it_is() -> None:
    scaler = Hpa(target=1.0)
    for now in (0.0, 15.0, 30.0):
        assert scaler.step(now, seen(0, 50)) == 0
    assert scaler.step(45.0, seen(3, 5)) == 5


def test_bounds_are_those_of_the_service() -> None:
    scaler = Hpa(target=1.0, min_replicas=2, max_replicas=6)
    assert (scaler.minimum, scaler.maximum) == (2, 6)
    assert scaler.step(0.0, seen(5, 50)) == 6
    scaler.bounds(0, 4)
    assert (scaler.minimum, scaler.maximum) == (2, 4)
    with pytest.raises(ValueError, match="min_replicas is 2; it must be min, which is 3, or more; write min: 2 to go"):
        scaler.bounds(3, None)
    other = Hpa(target=1.0)
    assert (other.minimum, other.maximum) == (1, None)
    other.bounds(0, 8)
    assert (other.minimum, other.maximum) == (0, 8)
    other.bounds(2, None)
    assert (other.minimum, other.maximum) == (2, None)
    assert other.step(15.0, seen(5, 50)) == 10


# -- laws ------------------------------------------------------------------------------------------------------------

a_policy = st.builds(
    policy, st.sampled_from([PODS, PERCENT]), st.integers(1, 150), st.sampled_from([15.0, 30.0, 60.0, 120.0])
)
some_rules = st.builds(
    lambda policies, window, select: {
        "stabilizationWindowSeconds": window,
        "selectPolicy": select,
        "policies": [{"type": each.kind, "value": each.value, "periodSeconds": int(each.period)} for each in policies],
    },
    st.lists(a_policy, min_size=1, max_size=3),
    st.sampled_from([0, 30, 60, 300]),
    st.sampled_from(["Max", "Min", "Disabled"]),
)
some_behavior = st.none() | st.fixed_dictionaries({"scaleUp": some_rules, "scaleDown": some_rules})
some_loads = st.lists(st.integers(0, 120), min_size=1, max_size=40)


@given(behavior=some_behavior, loads=some_loads, least=st.integers(0, 5), room=st.integers(1, 60))
def test_it_never_leaves_its_bounds(behavior: Any, loads: list[float], least: int, room: int) -> None:
    scaler = Hpa(target=1.0, behavior=behavior, min_replicas=least, max_replicas=least + room)
    for now in follow(scaler, least, loads):
        assert least <= now <= least + room


@given(behavior=some_behavior, loads=some_loads, have=st.integers(1, 60))
def test_it_moves_no_further_than_recommendations_of_the_windows(behavior: Any, loads: list[float], have: int) -> None:
    """The law of stabilisation against the whole history: up to the lowest, down to the highest of a window."""
    scaler = Hpa(target=1.0, behavior=behavior, tolerance=0.0, min_replicas=0)
    history = [(-1.0, have)]
    up = behavior["scaleUp"]["stabilizationWindowSeconds"] if behavior else 0
    down = behavior["scaleDown"]["stabilizationWindowSeconds"] if behavior else 300
    for step, load in enumerate(loads):
        now = 15.0 * step
        history.append((now, int(load)))
        lowest = min(wanted for at, wanted in history if at > now - up or at == now)
        recent = [at > now - down or at == now or (not behavior and at == now - down) for at, _ in history]
        highest = max(wanted for (_, wanted), counts in zip(history, recent, strict=True) if counts)
        decided = scaler.step(now, seen(have, load))
        if decided > have:
            assert decided <= (lowest if behavior else highest)
        if decided < have:
            assert decided >= highest
        have = int(decided)


@given(rules=some_rules, loads=some_loads, have=st.integers(0, 60), up=st.booleans())
def test_changes_of_a_period_stay_within_its_limit(rules: Any, loads: list[float], have: int, up: bool) -> None:
    """The law of limits, with one policy and one direction that may move: no period changes more than it says."""
    one = {**rules, "policies": rules["policies"][:1], "selectPolicy": "Max", "stabilizationWindowSeconds": 0}
    fixed = {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}
    behavior = {"scaleUp": one, "scaleDown": fixed} if up else {"scaleUp": fixed, "scaleDown": one}
    scaler = Hpa(target=1.0, behavior=behavior, min_replicas=0)
    there = [have, *follow(scaler, have, loads)]
    rule = one["policies"][0]
    steps = rule["periodSeconds"] // 15
    for begin, first in enumerate(there):
        last = there[min(begin + steps, len(there) - 1)]
        if rule["type"] == PODS:
            assert abs(last - first) <= rule["value"]
        elif up:
            assert last <= math.ceil(first * (1 + rule["value"] / 100))
        else:
            assert last >= int(first * (1 - rule["value"] / 100))


@given(
    wanted=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 50)), min_size=1, max_size=50),
    up=st.sampled_from([0, 30, 300]),
    down=st.sampled_from([0, 30, 300]),
    closed=st.booleans(),
)
def test_recommendations_against_the_whole_history(
    wanted: list[tuple[int, int]], up: float, down: float, closed: bool
) -> None:
    found, history, now = Recommendations(up, down, closed), [], 0.0
    assert not found
    for wait, number in wanted:
        now += wait
        history.append((now, number))

        def within(window: float, now: float = now) -> list[int]:
            return [
                each
                for at, each in history
                if at > now - window or at == now or (closed and window > 0 and at == now - window)
            ]

        assert found.add(now, number) == (min(within(up)), max(within(down)))
    assert found


# -- what users write ------------------------------------------------------------------------------------------------


def test_a_block_of_a_manifest_is_filled_in() -> None:
    found = manifest.behavior(
        {
            "scaleUp": {
                "stabilizationWindowSeconds": 30,
                "selectPolicy": "Min",
                "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
            },
            "scaleDown": {"tolerance": 0.05},
        }
    )
    assert found is not None
    assert found.up == ScalingRules((ScalingPolicy("Percent", 50, 60.0),), 30.0, "Min")
    assert found.down == ScalingRules(DOWN.policies, DOWN.window, "Max", 0.05)
    empty = manifest.behavior({})
    assert empty is not None
    assert (empty.up, empty.down) == (UP, DOWN)
    assert ScalingRules((ScalingPolicy("Pods", 4, 15.0), ScalingPolicy("Percent", 100, 15.0)), 0.0) == UP
    assert ScalingRules((ScalingPolicy("Percent", 100, 15.0),), 300.0) == DOWN


def test_metrics_of_a_manifest() -> None:
    found = manifest.metrics(
        [
            {"metric": "busy", "target": {"type": "Utilization", "averageUtilization": 60}},
            {"metric": "busy", "type": "Resource", "target": {"utilization": "60 %"}, "resource": False},
            {"metric": "kv", "target": {"averageValue": "500m"}},
            {"metric": "queued", "type": "Object", "target": {"value": "2k"}},
            {"metric": "arrivals", "target": {"averageValue": 3}},
        ]
    )
    assert [(each.metric, each.kind, each.by, each.target, each.resource) for each in found] == [
        ("busy", "Resource", "Utilization", 0.6, True),
        ("busy", "Resource", "Utilization", 0.6, False),
        ("kv", "Pods", "AverageValue", 0.5, False),
        ("queued", "Object", "Value", 2000.0, False),
        ("arrivals", "External", "AverageValue", 3.0, False),
    ]


BUSY: dict[str, Any] = {"metric": "busy", "target": {"utilization": 0.6}}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"target": 0.0}, "target is 0; it must be above 0"),
        ({"metric": "kv", "target": 1.5}, "target is 1.5; kv is a share, at most 1"),
        ({"metric": "cpu"}, "metric is 'cpu'; it must be one of outstanding, queued, arrivals, busy, kv"),
        ({"tolerance": -0.1}, "tolerance is -0.1; it must be 0 or more"),
        ({"downscale_stabilization": -5.0}, "downscale_stabilization is -5 s; it must be 0 or more"),
        ({"cpu_initialization_period": -1.0}, "cpu_initialization_period is -1 s; it must be 0 or more"),
        ({"initial_readiness_delay": math.nan}, "initial_readiness_delay is nan s; it must be 0 or more"),
        ({"missing_pods": "reqest"}, "missing_pods is 'reqest'; did you mean 'request'?"),
        ({"min_replicas": -1}, "min_replicas is -1; it must be 0 or more"),
        ({"min_replicas": 5, "max_replicas": 2}, "max_replicas is 2; it must be 5 or more, min_replicas being 5"),
        ({"min_replicas": 0, "max_replicas": 0}, "max_replicas is 0; it must be 1 or more, min_replicas being 0"),
        ({"max_replicas": 0}, "max_replicas is 0; it must be 1 or more, min being 1"),
        (
            {"metric": "busy", "target": 0.5, "min_replicas": 0},
            "min_replicas is 0; the HPA goes to 0 and back only by a metric of type Object or External "
            "(HPAScaleToZero)",
        ),
        ({"metrics": [BUSY], "target": 3.0}, "target says what metrics says, too; leave one of them out"),
        ({"metrics": [BUSY], "metric": "kv"}, "metric says what metrics says, too; leave one of them out"),
        ({"metrics": []}, "metrics is empty; it must be a list with one entry or more"),
        ({"metrics": "busy"}, "metrics is 'busy'; it must be a list with one entry or more"),
        ({"metrics": [3]}, "metrics: [0] is 3; it must be a mapping with metric, type, target, resource"),
        ({"metrics": [{"metric": "busy"}]}, "metrics: [0] has no 'target'"),
        ({"metrics": [{"target": {"value": 1}}]}, "metrics: [0] has no 'metric'"),
        ({"metrics": [BUSY | {"tpye": "Pods"}]}, "metrics: [0] has no key 'tpye'; did you mean 'type'?"),
        ({"metrics": [BUSY | {"metric": "bussy"}]}, "metrics: [0].metric is 'bussy'; did you mean 'busy'?"),
        ({"metrics": [BUSY | {"type": "Resourc"}]}, "metrics: [0].type is 'Resourc'; did you mean 'Resource'?"),
        ({"metrics": [BUSY | {"resource": 1}]}, "metrics: [0].resource is 1; it must be true or false"),
        (
            {"metrics": [BUSY | {"type": "Pods"}]},
            "metrics: [0].target is Utilization; a metric of type Pods takes AverageValue",
        ),
        (
            {"metrics": [BUSY | {"type": "External"}]},
            "metrics: [0].target is Utilization; a metric of type External takes AverageValue or Value",
        ),
        (
            {"metrics": [BUSY | {"target": {}}]},
            "metrics: [0].target says nothing; it must have one of utilization, averageUtilization, averageValue, "
            "value",
        ),
        (
            {"metrics": [BUSY | {"target": {"value": 1, "averageValue": 1}}]},
            "metrics: [0].target has 'value' and 'averageValue'; it must have one of utilization, averageUtilization, "
            "averageValue, value",
        ),
        (
            {"metrics": [BUSY | {"target": {"type": "Value", "utilization": 0.5}}]},
            "metrics: [0].target.type is 'Value'; with utilization it is Utilization",
        ),
        (
            {"metrics": [BUSY | {"target": {"utilization": 0.605}}]},
            "metrics: [0].target.utilization is 0.605; Kubernetes takes whole percents, 1 or more",
        ),
        (
            {"metrics": [BUSY | {"target": {"averageValue": 60}}]},
            "metrics: [0].target.averageValue is 60; busy is a share, at most 1",
        ),
        (
            {"metrics": [BUSY | {"target": {"averageValue": "five"}}]},
            "metrics: [0].target.averageValue is 'five'; it must be a number above 0",
        ),
        (
            {"metrics": [BUSY | {"target": {"averageValue": -1}}]},
            "metrics: [0].target.averageValue is -1.0; it must be a number above 0",
        ),
        ({"behavior": "no"}, "behavior: it is 'no'; it must be a mapping with scaleUp, scaleDown"),
        ({"behavior": {"scaleup": {}}}, "behavior: it has no key 'scaleup'; did you mean 'scaleUp'?"),
        (
            {"behavior": {"scaleUp": {"stabilizationWindow": 3}}},
            "behavior: scaleUp has no key 'stabilizationWindow'; did you mean 'stabilizationWindowSeconds'?",
        ),
        (
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}},
            "behavior: scaleDown.stabilizationWindowSeconds is 3601; it must be a whole number, 0 to 3600",
        ),
        (
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": "5 min"}}},
            "behavior: scaleDown.stabilizationWindowSeconds is '5 min'; it must be a whole number, 0 to 3600",
        ),
        (
            {"behavior": {"scaleUp": {"selectPolicy": "max"}}},
            "behavior: scaleUp.selectPolicy is 'max'; did you mean 'Max'?",
        ),
        (
            {"behavior": {"scaleUp": {"policies": []}}},
            "behavior: scaleUp.policies is empty; it must be a list with one entry or more",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 4}]}}},
            "behavior: scaleUp.policies[0] has no 'periodSeconds'",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [POLICY, POLICY | {"type": "Pod"}]}}},
            "behavior: scaleUp.policies[1].type is 'Pod'; did you mean 'Pods'?",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [POLICY | {"value": 0}]}}},
            "behavior: scaleUp.policies[0].value is 0; it must be a whole number, 1 or more",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [POLICY | {"value": 1.5}]}}},
            "behavior: scaleUp.policies[0].value is 1.5; it must be a whole number, 1 or more",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [POLICY | {"value": True}]}}},
            "behavior: scaleUp.policies[0].value is True; it must be a whole number, 1 or more",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [POLICY | {"periodSeconds": 1801}]}}},
            "behavior: scaleUp.policies[0].periodSeconds is 1801; it must be a whole number, 1 to 1800",
        ),
        (
            {"behavior": {"scaleUp": {"tolerance": -0.1}}},
            "behavior: scaleUp.tolerance is -0.1; it must be a number, 0 or more",
        ),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"must|at most|has no|mean|only by|leave|takes|with") as told:
        Hpa(**arguments)
    assert str(told.value) == text
