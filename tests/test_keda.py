"""KEDA over an HPA: who wakes a service, who sizes it, who puts it to sleep, and what happens when a trigger fails.

Rules are those of pkg/scaling/executor/scale_scaledobjects.go and pkg/fallback/fallback.go of KEDA 2.20.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.hpa.triggers import Fallback, Trigger, Triggers
from simulator.policies.replicas.keda import Keda
from simulator.policies.serving import ServiceObservation

LOST = {"queued": "no answer"}


def seen(current: int, queued: float = 0.0, ready: int | None = None, **more: Any) -> ServiceObservation:
    ready = current if ready is None else ready
    values = {"draining": 0, "outstanding": queued, "running": 0.0, "kv": 0.0, "busy": 0.0, "arrivals": 0.0}
    return ServiceObservation(ready=ready, coming=current - ready, queued=queued, **(values | more))


def follow(scaler: Keda, have: int, loads: list[Any], start: float = 0.0) -> list[tuple[int, str]]:
    """What it says at each of its steps, which becomes what there is; None for a trigger that fails."""
    said = []
    for step, load in enumerate(loads):
        observation = seen(have, 0.0, missing=LOST) if load is None else seen(have, load)
        decided = scaler.step(start + step * scaler.interval, observation)
        have = int(decided)
        said.append((have, decided.rule))
    return said


def numbers(said: list[tuple[int, str]]) -> list[int]:
    return [have for have, _ in said]


# -- one look at the triggers ----------------------------------------------------------------------------------------


class Look(NamedTuple):
    name: str
    settings: dict[str, Any]
    current: int
    queued: float | None
    wanted: int
    rule: str


LOOKS = [
    Look("asleep, nothing to do", {}, 0, 0, 0, "ScalerNotActive"),
    Look("asleep, woken", {}, 0, 1, 1, "KEDAScaleTargetActivated"),
    Look("asleep, woken by much: one, the HPA does the rest", {}, 0, 500, 1, "KEDAScaleTargetActivated"),
    Look("asleep, woken to the fewest", {"min_replica_count": 3}, 0, 1, 3, "KEDAScaleTargetActivated"),
    Look("at the activation threshold", {"activation_threshold": 4.0}, 0, 4, 0, "ScalerNotActive"),
    Look("above the activation threshold", {"activation_threshold": 4.0}, 0, 4.1, 1, "KEDAScaleTargetActivated"),
    Look("asleep, the trigger fails", {}, 0, None, 0, "TriggerError"),
    Look("too few, not active", {"min_replica_count": 3}, 1, 0, 3, "MinReplicaCount"),
    Look("idle, not active", {"min_replica_count": 3, "idle_replica_count": 0}, 0, 0, 0, "ScalerNotActive"),
    Look("idle, active", {"min_replica_count": 3, "idle_replica_count": 0}, 0, 1, 3, "KEDAScaleTargetActivated"),
    Look("above idle, active", {"min_replica_count": 3, "idle_replica_count": 1}, 2, 1, 3, "KEDAScaleTargetActivated"),
]  # fmt: skip


@pytest.mark.parametrize("look", [pytest.param(look, id=look.name) for look in LOOKS])
def test_one_look(look: Look) -> None:
    missing = LOST if look.queued is None else {}
    decided = Keda(threshold=5.0, **look.settings).step(0.0, seen(look.current, look.queued or 0.0, missing=missing))
    assert (decided, decided.rule) == (look.wanted, look.rule)


def test_defaults_are_those_of_keda() -> None:
    scaler = Keda()
    assert (scaler.interval, scaler.minimum, scaler.maximum) == (15.0, 0, 100)
    assert scaler.step(0.0, seen(90, 10**6)) == 100


# -- a day of a service ----------------------------------------------------------------------------------------------


def test_it_wakes_at_a_look_and_the_hpa_grows_it_at_the_next_step() -> None:
    """Looks are at 0, 30, 60 s: what comes at 15 s waits until 30 s; the HPA goes on from 1 at 45 s, to 4, to 8."""
    said = follow(Keda(threshold=5.0), 0, [0, 40, 40, 40, 40, 40])
    assert said == [
        (0, "ScalerNotActive"),
        (0, "ScalerNotActive"),
        (1, "KEDAScaleTargetActivated"),
        (4, "ScaleUpLimit"),
        (8, "DesiredWithinRange"),
        (8, "WithinTolerance"),
    ]


def test_it_sleeps_after_the_cooldown_from_any_number() -> None:
    """Active until 30 s. The HPA still wants 40 when more than 300 s have gone by, and KEDA takes all at once."""
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
    scaler = Keda(threshold=5.0, behavior=behavior)
    said = follow(scaler, 40, [200, 200, 200] + [0] * 23)
    assert said[:3] == [(40, "WithinTolerance")] * 3
    assert said[3:24] == [(40, "ScaleDownStabilized")] * 21, "from 45 to 345 s"
    assert said[24] == (0, "KEDAScaleTargetDeactivated")
    assert said[25] == (0, "ScalerNotActive"), "what KEDA found last; the HPA is switched off"


def test_the_hpa_never_goes_to_nothing_by_itself() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    said = follow(Keda(threshold=5.0, behavior=behavior, cooldown_period=60.0), 4, [20] + [0] * 7)
    assert numbers(said) == [4, 1, 1, 1, 1, 1, 0, 0]
    assert said[6][1] == "KEDAScaleTargetDeactivated"


def test_a_cooldown_counts_from_the_last_look_at_which_a_trigger_was_active() -> None:
    """Work at 15 and 75 s is not seen by KEDA, which looks at 0, 30, 60 s."""
    scaler = Keda(threshold=5.0, cooldown_period=60.0)
    assert numbers(follow(scaler, 1, [1, 0, 0, 0, 0, 1, 0])) == [1, 1, 1, 1, 1, 1, 0]
    scaler.reset()
    assert numbers(follow(scaler, 1, [1, 0, 1, 0, 0, 0, 0, 0, 0])) == [1, 1, 1, 1, 1, 1, 1, 1, 0]


def test_a_service_that_was_never_active_waits_for_the_initial_cooldown() -> None:
    assert numbers(follow(Keda(threshold=5.0), 1, [0, 0, 0])) == [0, 0, 0], "0 s, over at the first look"
    scaler = Keda(threshold=5.0, initial_cooldown_period=60.0)
    assert numbers(follow(scaler, 1, [0] * 7)) == [1, 1, 1, 1, 0, 0, 0]
    decided = Keda(threshold=5.0, initial_cooldown_period=60.0, sync_period=30.0)
    decided.step(0.0, seen(3))
    assert decided.step(90.0, seen(3)).inputs == {"idle for": 90.0, "cooldown": 60.0}


def test_it_goes_to_the_idle_number_and_from_there_to_the_fewest() -> None:
    scaler = Keda(threshold=5.0, min_replica_count=2, idle_replica_count=0, cooldown_period=60.0)
    said = follow(scaler, 0, [1, 1, 0, 0, 0, 0, 0, 0, 1])
    assert numbers(said) == [2, 2, 2, 2, 2, 2, 0, 0, 2]
    assert said[6][1] == "KEDAScaleTargetDeactivated"


def test_with_fewest_above_nothing_keda_leaves_all_to_the_hpa() -> None:
    scaler = Keda(threshold=5.0, min_replica_count=2, cooldown_period=0.0, downscale_stabilization=0.0)
    assert numbers(follow(scaler, 6, [30, 0, 0, 0, 0])) == [6, 2, 2, 2, 2]


def test_the_hpa_of_a_scaled_object_has_no_behavior_unless_one_is_said() -> None:
    assert numbers(follow(Keda(threshold=1.0), 1, [100] * 3)) == [4, 8, 16]
    assert numbers(follow(Keda(threshold=1.0, behavior={}), 1, [100] * 3)) == [5, 10, 20]


def test_several_triggers_wake_by_any_and_size_by_the_largest() -> None:
    triggers = [{"metric": "queued", "threshold": 5}, {"metric": "arrivals", "threshold": 2, "activationThreshold": 1}]
    scaler = Keda(triggers=triggers)
    assert scaler.step(0.0, seen(0, 0.0, arrivals=1.0)) == 0
    assert scaler.step(30.0, seen(0, 0.0, arrivals=1.5)) == 1
    assert scaler.step(45.0, seen(1, 1.0, arrivals=6.0)) == 3
    assert scaler.step(60.0, seen(3, 30.0, arrivals=1.0)) == 6


def test_a_trigger_may_have_a_value_for_a_target() -> None:
    scaler = Keda(triggers=[{"metric": "queued", "threshold": 10, "metricType": "Value"}])
    assert scaler.step(0.0, seen(2, 20.0)) == 4, "twice the target: twice the pods that are ready"


@pytest.mark.parametrize(
    ("polling", "sync", "interval"),
    [(30, 15, 15), (30, 30, 30), (10, 15, 5), (7, 15, 1), (0.5, 15, 0.5), (2.5, 15, 2.5), (15, 0.7, 0.7)],
)
def test_both_loops_keep_their_time(polling: float, sync: float, interval: float) -> None:
    scaler = Keda(threshold=5.0, polling_interval=polling, sync_period=sync)
    assert scaler.interval == interval
    rules = [scaler.step(step * interval, seen(0, 1)).rule for step in range(200)]
    looks = [rule for rule in rules if rule == "KEDAScaleTargetActivated"]
    assert set(rules) <= {"KEDAScaleTargetActivated", "NotDue"}
    assert len(looks) == pytest.approx(200 * interval / polling, abs=1)


# -- triggers that fail ----------------------------------------------------------------------------------------------


def test_without_a_fallback_nothing_sleeps_while_a_trigger_fails() -> None:
    said = follow(Keda(threshold=5.0, cooldown_period=60.0), 3, [15, *[None] * 10, 0, 0])
    assert numbers(said) == [3] * 12 + [0]
    assert {rule for _, rule in said[1:11]} == {"FailedGetExternalMetric"}


def test_an_active_trigger_beside_one_that_fails_does_not_put_off_sleep() -> None:
    """LastActiveTime stays as it was: the cooldown is over as soon as both answer again."""
    triggers = [{"metric": "queued", "threshold": 5}, {"metric": "arrivals", "threshold": 5}]
    scaler = Keda(triggers=triggers, cooldown_period=60.0)
    scaler.step(0.0, seen(1, 5.0))
    for now in (30.0, 60.0, 90.0):
        assert scaler.step(now, seen(1, 5.0, missing={"arrivals": "no answer"})) == 1
    assert scaler.step(120.0, seen(1)) == 0


def test_a_fallback_sets_its_replicas_after_so_many_failures() -> None:
    """Looks and the HPA's queries both count: at 15 s 1, at 30 s 2 and 3, at 45 s 4, which is more than 3."""
    scaler = Keda(threshold=5.0, fallback={"failureThreshold": 3, "replicas": 6}, behavior={})
    said = follow(scaler, 3, [15, None, None, None, None, 15, 15])
    assert said[:3] == [(3, "WithinTolerance"), (3, "FailedGetExternalMetric"), (3, "FailedGetExternalMetric")]
    assert said[3] == (6, "DesiredWithinRange")
    assert said[4] == (6, "WithinTolerance")
    assert said[5] == (6, "ScaleDownStabilized"), "it answers again, and wants 3"


def test_a_fallback_wakes_a_service() -> None:
    """While it sleeps only looks count, one every 30 s."""
    scaler = Keda(threshold=5.0, fallback={"failureThreshold": 2, "replicas": 4})
    said = follow(scaler, 0, [0, None, None, None, None, None, None, None, None])
    assert numbers(said) == [0, 0, 0, 0, 0, 0, 1, 4, 4]


def test_a_fallback_of_nothing_lets_it_sleep() -> None:
    scaler = Keda(threshold=5.0, fallback={"failureThreshold": 99, "replicas": 0}, cooldown_period=60.0)
    assert numbers(follow(scaler, 3, [15, *[None] * 6])) == [3, 3, 3, 3, 3, 3, 0]


def test_a_fallback_that_is_not_due_keeps_it_awake() -> None:
    scaler = Keda(threshold=5.0, fallback={"failureThreshold": 99, "replicas": 5}, cooldown_period=60.0)
    assert numbers(follow(scaler, 3, [15, *[None] * 9])) == [3] * 10


def test_the_hpa_acts_only_when_it_is_due() -> None:
    scaler = Keda(threshold=5.0, polling_interval=10.0, sync_period=15.0)
    rules = [rule for _, rule in follow(scaler, 2, [10] * 7)]
    assert rules == [
        "WithinTolerance", "WithinTolerance", "ScalerActive", "WithinTolerance", "ScalerActive", "ScalerActive",
        "WithinTolerance",
    ]  # fmt: skip


def test_an_answer_ends_a_row_of_failures() -> None:
    scaler = Keda(threshold=5.0, fallback={"failureThreshold": 3, "replicas": 6})
    assert numbers(follow(scaler, 3, [15, None, None, 15, None, None, 15])) == [3] * 7


@pytest.mark.parametrize(
    ("behavior", "current", "wanted"),
    [
        ("static", 8, 6),
        ("static", 4, 6),
        ("currentReplicas", 8, 8),
        ("currentReplicas", 4, 4),
        ("currentReplicasIfHigher", 8, 8),
        ("currentReplicasIfHigher", 4, 6),
        ("currentReplicasIfLower", 8, 6),
        ("currentReplicasIfLower", 4, 4),
    ],
)
def test_ways_to_fall_back(behavior: Any, current: int, wanted: int) -> None:
    fallback = {"failureThreshold": 0, "replicas": 6, "behavior": behavior}
    scaler = Keda(threshold=5.0, fallback=fallback, downscale_stabilization=0.0)
    scaler.step(0.0, seen(current, 5.0 * current))
    assert scaler.step(15.0, seen(current, missing=LOST)) == wanted


def test_a_fallback_for_a_value_is_over_the_pods_that_are_ready() -> None:
    trigger, stand = Trigger("queued", 10.0, by="Value"), Fallback(0, 6)
    assert stand.instead(trigger, seen(4, ready=3)) == 20.0
    assert stand.instead(trigger, seen(4, ready=0)) is None
    assert Triggers([trigger], stand).read(seen(4, ready=0, missing=LOST)) == (False, True, {})


def test_a_metric_that_is_no_number_has_failed() -> None:
    assert Keda(threshold=5.0).step(0.0, seen(0, math.nan)).rule == "TriggerError"


# -- laws and what users write ---------------------------------------------------------------------------------------


@given(
    loads=st.lists(st.none() | st.integers(0, 300), min_size=1, max_size=60),
    least=st.integers(0, 4),
    room=st.integers(1, 20),
    idle=st.none() | st.integers(0, 3),
    fallback=st.none() | st.fixed_dictionaries({"failureThreshold": st.integers(0, 3), "replicas": st.integers(0, 30)}),
)
def test_it_is_asleep_or_within_its_bounds(
    loads: list[Any], least: int, room: int, idle: int | None, fallback: Any
) -> None:
    idle = idle if idle is not None and idle < least else None
    scaler = Keda(
        threshold=5.0, min_replica_count=least, max_replica_count=least + room, idle_replica_count=idle,
        fallback=fallback, cooldown_period=60.0,
    )  # fmt: skip
    asleep = least if idle is None else idle
    for have, rule in follow(scaler, asleep, loads):
        assert have == asleep or max(least, 1) <= have <= least + room, rule
    scaler.reset()
    again = follow(scaler, asleep, loads)
    scaler.reset()
    assert follow(scaler, asleep, loads) == again


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"threshold": 0.0}, "threshold is 0; it must be above 0"),
        ({"metric": "cpu"}, "metric is 'cpu'; it must be one of outstanding, queued, arrivals, busy, kv"),
        ({"activation_threshold": -1.0}, "activation_threshold is -1; it must be 0 or more"),
        ({"polling_interval": 0.0}, "polling_interval is 0 s; it must be above 0"),
        ({"sync_period": math.inf}, "sync_period is inf s; it must be above 0"),
        ({"cooldown_period": -1.0}, "cooldown_period is -1 s; it must be 0 or more"),
        ({"initial_cooldown_period": math.nan}, "initial_cooldown_period is nan s; it must be 0 or more"),
        ({"downscale_stabilization": -1.0}, "downscale_stabilization is -1 s; it must be 0 or more"),
        ({"tolerance": -0.1}, "tolerance is -0.1; it must be 0 or more"),
        ({"min_replica_count": -1}, "min_replica_count is -1; it must be 0 or more"),
        ({"min_replica_count": 5, "max_replica_count": 4}, "max_replica_count is 4; it must be 5 or more"),
        ({"max_replica_count": 0}, "max_replica_count is 0; it must be 1 or more"),
        ({"idle_replica_count": 0}, "idle_replica_count is 0; it must be below min_replica_count, which is 0"),
        ({"triggers": []}, "triggers is empty; it must be a list with one entry or more"),
        (
            {"triggers": [{"metric": "queued", "threshold": 5}], "threshold": 5.0},
            "threshold says what triggers says, too; leave one of them out",
        ),
        ({"triggers": [{"metric": "queued"}]}, "triggers: [0] has no 'threshold'"),
        (
            {"triggers": [{"metric": "queued", "treshold": 5}]},
            "triggers: [0] has no key 'treshold'; did you mean 'threshold'?",
        ),
        (
            {"triggers": [{"metric": "queued", "threshold": 5}, {"metric": "queued", "threshold": 6}]},
            "triggers: [1].metric is 'queued', as before; KEDA takes each once",
        ),
        (
            {"triggers": [{"metric": "queued", "threshold": 5, "metricType": "Utilization"}]},
            "triggers: [0].metricType is 'Utilization'; it must be one of AverageValue, Value",
        ),
        ({"fallback": {"replicas": 5}}, "fallback: it has no 'failureThreshold'"),
        (
            {"fallback": {"failureThreshold": -1, "replicas": 5}},
            "fallback: failureThreshold is -1; it must be a whole number, 0 or more",
        ),
        (
            {"fallback": {"failureThreshold": 1, "replicas": 5, "behavior": "Static"}},
            "fallback: behavior is 'Static'; did you mean 'static'?",
        ),
        ({"behavior": {"scaleup": {}}}, "behavior: it has no key 'scaleup'; did you mean 'scaleUp'?"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"must|has no|mean|leave|takes") as told:
        Keda(**arguments)
    assert str(told.value) == text


def test_bounds_of_the_service_bound_it_too() -> None:
    scaler = Keda(threshold=5.0)
    scaler.bounds(1, 8)
    assert (scaler.minimum, scaler.maximum) == (1, 8)
    assert scaler.step(0.0, seen(5, 500)) == 8
    sleeper = Keda(threshold=5.0, min_replica_count=2, idle_replica_count=0, max_replica_count=6)
    sleeper.bounds(0, 8)
    assert (sleeper.minimum, sleeper.maximum) == (2, 6)
    with pytest.raises(ValueError, match="min is 1; it must be 0 or less for the service to go to idle_replica_count"):
        sleeper.bounds(1, 8)
