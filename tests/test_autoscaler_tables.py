"""What the projects' own tests say of HPA, KPA and KEDA, row by row, through ``step``.

Numbers are those of horizontal_test.go and replica_calculator_test.go (kubernetes/kubernetes), autoscaler_test.go and
scaler_test.go (knative/serving) and scale_scaledobjects_test.go (kedacore/keda), where other tests here do not have
them already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from simulator.policies.hpa import manifest
from simulator.policies.hpa.metrics import MetricSpec
from simulator.policies.idling import ACTIVATING, ACTIVE, HOLD, INACTIVE, Idling
from simulator.policies.replicas.hpa import Hpa
from simulator.policies.replicas.keda import Keda
from simulator.policies.replicas.kpa import Kpa
from simulator.policies.serving import PodReading, ServiceObservation

NOW = 10_000.0
PODS, PERCENT = "Pods", "Percent"
FREE: dict[str, Any] = {
    "scaleUp": {"policies": [{"type": PERCENT, "value": 100_000, "periodSeconds": 1}]},
    "scaleDown": {"stabilizationWindowSeconds": 0},
}


def seen(ready: int, load: float = 0.0, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "running": 0.0, "kv": 0.0, "busy": 0.0}
    return ServiceObservation(
        ready=ready, coming=coming, outstanding=load, queued=load, arrivals=load, **(values | more)
    )  # fmt: skip


# -- the horizontal pod autoscaler -----------------------------------------------------------------------------------

UNEVEN = (0.9, 1.0, 1.1)
NEVER_READY = [
    ("up", 3, "nyy", [0.3, 0.5, 0.7], 30, 4, 60),
    ("up no more", 3, "ynn", [0.4, 0.5, 0.7], 30, 3, 40),
    ("down", 5, "yyynn", [0.1, 0.3, 0.5, 0.25, 0.25], 50, 2, 30),
    ("beside missing ones", 3, "nyy", [0.1, 0.45], 50, 3, 45),
    ("beside missing ones, up", 3, "nyy", [0.1, 2.0], 50, 4, 200),
    ("beside missing ones, down", 4, "nyyy", [0.1, 0.1, 0.1], 50, 3, 10),
]


@pytest.mark.parametrize(("name", "current", "ready", "used", "target", "wanted", "percent"), NEVER_READY)
def test_a_pod_of_which_only_that_it_is_not_ready_is_known_was_never_ready(
    name: str, current: int, ready: str, used: Sequence[float], target: int, wanted: int, percent: int
) -> None:
    pods = [
        PodReading({"busy": used[number]} if number < len(used) else {}, ready=letter == "y")
        for number, letter in enumerate(ready)
    ]
    scaler = Hpa(metrics=[{"metric": "busy", "target": {"averageUtilization": target}}], behavior=FREE)
    decided = scaler.step(NOW, seen(ready.count("y"), coming=ready.count("n"), pods=pods))
    assert (int(decided), round(decided.inputs["busy"] * 100)) == (wanted, percent), name


def tolerant(down: float, up: float) -> dict[str, Any]:
    return {direction: FREE[direction] | {"tolerance": share} for direction, share in
            (("scaleDown", down), ("scaleUp", up))}  # fmt: skip


@pytest.mark.parametrize(
    ("down", "up", "used", "wanted"),
    [
        (0.0, 0.0, [0.909, 1.01, 1.111], 4),
        (0.1, 2.0, [1.89, 1.91, 1.9], 3),
        (2.0, 0.08, [1.1, 1.08, 1.09], 4),
        (0.36, 0.1, [0.66, 0.64, 0.65], 3),
        (0.34, 0.1, [0.66, 0.64, 0.65], 2),
    ],
)
def test_a_tolerance_of_each_direction_of_a_utilization(
    down: float, up: float, used: Sequence[float], wanted: int
) -> None:
    pods = [PodReading({"busy": value}, request=request) for value, request in zip(used, UNEVEN, strict=True)]
    written = [{"metric": "busy", "target": {"averageUtilization": 100}}]
    assert Hpa(metrics=written, behavior=tolerant(down, up)).step(NOW, seen(3, pods=pods)) == wanted


@pytest.mark.parametrize(
    ("current", "load", "target", "wanted"),
    [
        (3, 20.666, {"value": 20}, 4),
        (4, 20.208, {"averageValue": 5}, 5),
        (3, 8.9, {"value": 8.8}, 4),
        (3, 8.6, {"averageValue": 2.8}, 4),
    ],
)
@pytest.mark.parametrize("kind", ["Object", "External"])
def test_a_tolerance_of_1_percent_going_up(kind: str, current: int, load: float, target: Any, wanted: int) -> None:
    written = [{"metric": "queued", "type": kind, "target": target}]
    assert Hpa(metrics=written, behavior=tolerant(0.1, 0.01)).step(NOW, seen(current, load)) == wanted
    assert Hpa(metrics=written).step(NOW, seen(current, load)) == current


def test_a_number_beyond_int32_is_the_largest_int32() -> None:
    for target in ({"value": 0.001}, {"averageValue": 0.001}):
        decided = Hpa(metrics=[{"metric": "queued", "target": target}]).step(NOW, seen(3, 2.0**63 / 1000))
        assert decided.inputs["desired"] == 2**31 - 1
    assert Hpa(target=5.0, downscale_stabilization=0.0).step(NOW, seen(3, -7.0)) == 1, "below nothing is nothing"


def rules(pods: int, per: int, percent: int, per_percent: int) -> dict[str, Any]:
    policies = [(PODS, pods, per)] * (pods > 0) + [(PERCENT, percent, per_percent)] * (percent > 0)
    written = [{"type": kind, "value": value, "periodSeconds": period} for kind, value, period in policies]
    return {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": written}


def evenly(changes: Sequence[int]) -> list[tuple[float, int]]:
    """Changes in the middle of equal parts of the last two minutes."""
    part = 120.0 / max(len(changes), 1)
    return [(-math.floor(120.0 - part * (number + 0.5)), each) for number, each in enumerate(changes)]


RATES = [
    (100, 500, 1, 200, rules(300, 60, 0, 0), {}, [1, 5, 9], [], 200, "TooManyReplicas"),
    (100, 500, 1, 200, rules(0, 0, 10_000, 60), {}, [1, 5, 9], [], 200, "TooManyReplicas"),
    (100, 500, 1, 1000, rules(5, 120, 0, 0), {}, [1, 5, 9], [], 100, "ScaleUpLimit"),
    (100, 500, 1, 1000, rules(150, 120, 0, 0), {}, [1, 5, 9], [], 235, "ScaleUpLimit"),
    (100, 500, 1, 1000, rules(0, 0, 200, 120), {}, [1, 5, 9], [], 255, "ScaleUpLimit"),
    (6, 24, 1, 1000, rules(0, 0, 300, 300), {}, [4], [2], 16, "ScaleUpLimit"),
    (10, 5, 1, 1000, {}, FREE["scaleDown"], [], [1, 5, 9], 5, "DesiredWithinRange"),
    (100, 0, 1, 1000, {}, rules(115, 120, 0, 0), [], [1, 5, 9], 1, "TooFewReplicas"),
    (100, 0, 5, 1000, {}, rules(130, 120, 0, 0), [], [1, 5, 9], 5, "TooFewReplicas"),
    (100, 2, 5, 1000, {}, rules(0, 0, 100, 120), [], [1, 5, 9], 5, "TooFewReplicas"),
    (100, 2, 1, 1000, {}, rules(5, 120, 0, 0), [], [1, 5, 9], 100, "ScaleDownLimit"),
    (100, 0, 1, 1000, {}, rules(0, 0, 50, 120), [], [2, 4, 6], 56, "ScaleDownLimit"),
    (10, 1, 1, 1000, {}, rules(0, 0, 50, 180), [2], [4], 6, "ScaleDownLimit"),
    (100, 0, 1, 1000, {}, rules(0, 0, 10, 120), [], [10, 10, 10], 100, "ScaleDownLimit"),
    (10, 5, 1, 1000, {}, rules(0, 0, 1000, 120), [], [10, 10, 10], 5, "DesiredWithinRange"),
    (100, 200, 1, 1000, rules(1000, 30, 100, 60), {}, [8, 12, 9, 11], [], 200, "DesiredWithinRange"),
    (100, 5, 1, 1000, {}, rules(1000, 30, 100, 60), [], [8, 12, 9, 11], 5, "DesiredWithinRange"),
]
"""Replicas, desired, min, max, rules up and down, what was added and removed in two minutes; result and reason."""


@pytest.mark.parametrize(
    ("have", "load", "least", "most", "up", "down", "added", "removed", "wanted", "rule"), RATES
)  # fmt: skip
def test_changes_of_the_last_minutes_count(
    have: int, load: int, least: int, most: int, up: Any, down: Any, added: Sequence[int], removed: Sequence[int],
    wanted: int, rule: str,
) -> None:  # fmt: skip
    """Bounds that move force each earlier change, whatever the rules; others are not remembered."""
    behavior = {"scaleUp": up, "scaleDown": down | {"stabilizationWindowSeconds": 0}}
    scaler = Hpa(target=1.0, tolerance=0.0, behavior=behavior)
    history = [(at, each) for at, each in evenly(added)] + [(at, -each) for at, each in evenly(removed)]
    there = have - sum(change for _, change in history)
    for at, change in sorted(history):
        scaler.bounds(*((there + change, None) if change > 0 else (1, there + change)))
        there = int(scaler.step(NOW + at, seen(there, there)))
    assert there == have
    scaler.bounds(least, most)
    decided = scaler.step(NOW, seen(have, load))
    assert (int(decided), decided.rule) == (wanted, rule)


def test_a_window_of_shrinking_that_a_block_does_not_say_is_that_of_the_flag() -> None:
    growth = {"scaleUp": {"policies": [{"type": PERCENT, "value": 100, "periodSeconds": 15}]}}
    for behavior in (growth, {}, growth | {"scaleDown": {"selectPolicy": "Max"}}):
        scaler = Hpa(target=1.0, behavior=behavior, downscale_stabilization=30.0)
        assert [int(scaler.step(15.0 * step, seen(5, 3))) for step in range(3)] == [5, 5, 3]
    said = {"scaleDown": {"stabilizationWindowSeconds": 15}}
    scaler = Hpa(target=1.0, behavior=said, downscale_stabilization=30.0)
    assert [int(scaler.step(15.0 * step, seen(5, 3))) for step in range(2)] == [5, 3]
    sleeper = Keda(threshold=1.0, behavior={}, downscale_stabilization=15.0)
    assert [int(sleeper.step(15.0 * step, seen(5, 3))) for step in range(2)] == [5, 3]


# -- what a manifest of autoscaling/v2 says --------------------------------------------------------------------------

UTILIZATION = {"type": "Utilization", "averageUtilization": 50}


def test_metrics_may_be_written_as_in_a_manifest() -> None:
    found = manifest.metrics(
        [
            {"type": "Resource", "resource": {"name": "cpu", "target": UTILIZATION}},
            {"type": "Resource", "resource": {"name": "kv", "target": UTILIZATION}},
            {"type": "Pods", "pods": {"metric": {"name": "queued"}, "target": {"averageValue": "1500m"}}},
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "arrivals"},
                    "describedObject": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "main"},
                    "target": {"type": "Value", "value": "10k"},
                },
            },
            {
                "external": {
                    "metric": {"name": "queued", "selector": {"matchLabels": {"queue": "tasks"}}},
                    "target": {"type": "AverageValue", "averageValue": "3e1"},
                }
            },
        ]
    )
    assert found == [
        MetricSpec("busy", "Resource", "Utilization", 0.5, True),
        MetricSpec("kv", "Resource", "Utilization", 0.5, False),
        MetricSpec("queued", "Pods", "AverageValue", 1.5),
        MetricSpec("arrivals", "Object", "Value", 10_000.0),
        MetricSpec("queued", "External", "AverageValue", 30.0),
    ]
    assert [manifest.quantity(text, "it") for text in ("2Ki", "1.5G", "250u", ".5")] == [2048.0, 1.5e9, 25e-5, 0.5]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            {"type": "Pods", "pods": {"metric": {"name": "packets"}, "target": {"averageValue": 1}}},
            "metrics: [0].pods.metric.name is 'packets'; it must be one of outstanding, queued, arrivals, busy, kv",
        ),
        (
            {"type": "Resource", "resource": {"name": "memory", "target": UTILIZATION}},
            "metrics: [0].resource.name is 'memory'; it must be one of cpu, outstanding, queued, arrivals, busy, kv",
        ),
        (
            {"type": "External", "resource": {"name": "cpu", "target": UTILIZATION}},
            "metrics: [0].type is 'External'; with resource it is Resource",
        ),
        (
            {"resource": {"name": "cpu", "target": UTILIZATION}, "pods": {}},
            "metrics: [0] has 'resource' and 'pods'; it must have one of resource, pods, object, external",
        ),
        ({"external": {"target": {"value": 1}}}, "metrics: [0].external has no 'metric'"),
        ({"resource": {"name": "cpu"}}, "metrics: [0].resource has no 'target'"),
        (
            {"type": "ContainerResource", "containerResource": {"name": "cpu"}},
            "metrics: [0] is a ContainerResource; a replica is one container, so it must be a Resource",
        ),
        (
            {"metric": "busy", "target": {"utilization": 60}},
            "metrics: [0].target.utilization is 60; it is a share: write 60 %, or averageUtilization: 60",
        ),
    ],
)
def test_what_a_manifest_cannot_say_here(entry: Any, text: str) -> None:
    with pytest.raises(ValueError, match="metrics") as told:
        Hpa(metrics=[entry])
    assert str(told.value) == text


# -- KEDA ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("current", "load", "settings", "wanted", "rule"),
    [
        (10, 0, {}, 0, "KEDAScaleTargetDeactivated"),
        (10, 0, {"min_replica_count": 5, "idle_replica_count": 0}, 0, "KEDAScaleTargetDeactivated"),
        (1, 0, {"min_replica_count": 5}, 5, "MinReplicaCount"),
        (0, 1, {}, 1, "KEDAScaleTargetActivated"),
        (2, 1, {"min_replica_count": 5, "idle_replica_count": 0}, 5, "KEDAScaleTargetActivated"),
    ],
)
def test_the_first_look_of_keda(current: int, load: float, settings: Any, wanted: int, rule: str) -> None:
    """An object without a time of activity is older than its first look, so no cooldown holds it."""
    decided = Keda(threshold=5.0, **settings).step(0.0, seen(current, load))
    assert (int(decided), decided.rule) == (wanted, rule)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"metric": "busy", "threshold": 60.0}, "threshold is 60; busy is a share, at most 1"),
        (
            {"triggers": [{"metric": "kv", "threshold": "80"}]},
            "triggers: [0].threshold is 80; kv is a share, at most 1",
        ),
        (
            {"triggers": [{"metric": "queued", "threshold": "5", "activationThreshold": "-1"}]},
            "triggers: [0].activationThreshold is '-1'; it must be a number, 0 or more",
        ),
    ],
)
def test_thresholds_that_cannot_be(arguments: Any, text: str) -> None:
    with pytest.raises(ValueError, match="hreshold") as told:
        Keda(**arguments)
    assert str(told.value) == text
    assert Keda(triggers=[{"metric": "queued", "threshold": "5", "activationThreshold": "0"}]).minimum == 0


def test_a_fewest_below_that_of_the_service_is_refused() -> None:
    """Else a service whose ``min`` is 1 by itself would silently never sleep."""
    for scaler, name in ((Keda(min_replica_count=0), "min_replica_count"), (Hpa(min_replicas=0), "min_replicas")):
        with pytest.raises(ValueError, match=f"{name} is 0; it must be min, which is 1, or more; write min: 0 to go"):
            scaler.bounds(1, None)


# -- Knative ---------------------------------------------------------------------------------------------------------

STABLE, GRACE = 300.0, 60.0
LAST_POD = [
    ("just before the window is over", ACTIVE, STABLE - 1, {}, 1),
    ("the window is over", ACTIVE, STABLE, {}, HOLD),
    ("grace is over", INACTIVE, GRACE, {}, 0),
    ("grace is over, retention is not", INACTIVE, GRACE, {"retention": 2 * GRACE}, HOLD),
    ("both are over", INACTIVE, GRACE, {"retention": GRACE}, 0),
    ("just before grace is over", INACTIVE, GRACE - 1, {}, HOLD),
    ("just before, proxied for nearly as long", INACTIVE, GRACE - 1, {"proxied": GRACE - 1}, HOLD),
    ("just before, proxied for as long", INACTIVE, GRACE - 1, {"proxied": GRACE}, 0),
    ("just before, proxied for as long, retained", INACTIVE, GRACE - 1, {"proxied": GRACE, "retention": 42.0}, 0),
    ("activating", ACTIVATING, 315.0, {}, HOLD),
    ("activating up to the deadline", ACTIVATING, 630.0, {}, HOLD),
    ("activating beyond the deadline", ACTIVATING, 631.0, {}, 0),
    ("not to zero", ACTIVE, STABLE, {"to_zero": False}, 1),
    ("work for an inactive one", INACTIVE, GRACE / 2, {"wanted": 10}, 10),
    ("no data for an inactive one", INACTIVE, 0.0, {"wanted": HOLD}, HOLD),
]


@pytest.mark.parametrize(("name", "state", "since", "more", "pods"), LAST_POD)
def test_when_the_last_pod_of_knative_goes(name: str, state: str, since: float, more: Any, pods: int) -> None:
    idling = Idling(STABLE, GRACE, more.get("retention", 0.0), more.get("to_zero", True))
    idling._state, idling._since, idling._proxied = state, NOW - since, NOW - more.get("proxied", -math.inf)
    assert idling.settle(NOW, more.get("wanted", 0), 1, 5.0)[0] == pods, name


def follow(scaler: Kpa, rows: Sequence[tuple[float, int, float, int, str]]) -> None:
    """Rows of time, replicas that are ready, requests in flight over both windows; replicas wanted, and the rule."""
    for now, ready, load, wanted, rule in rows:
        decided = scaler.step(now, seen(ready, load, window={6.0: load, 60.0: load}))
        assert (int(decided), decided.rule) == (wanted, rule), now


def test_bounds_of_knative_come_before_thoughts_of_zero() -> None:
    scaler = Kpa(total=10.0, utilization=1.0, max_scale_down_rate=100.0)
    scaler.bounds(2, 8)
    follow(scaler, [(0.0, 0, 0.0, 2, "min scale"), (2.0, 2, 100.0, 8, "max scale"), (200.0, 8, 0.0, 2, "min scale")])
    follow(scaler, [(300.0, 10, 0.0, 2, "min scale"), (302.0, 2, 0.0, 2, "min scale")])


def test_an_initial_scale_holds_until_it_was_reached_once() -> None:
    scaler = Kpa(total=10.0, utilization=1.0, initial_scale=5)
    follow(scaler, [(0.0, 0, 10.0, 5, "initial scale"), (2.0, 4, 10.0, 5, "initial scale")])
    follow(scaler, [(4.0, 5, 10.0, 5, "initial scale"), (6.0, 5, 10.0, 2, "max scale down rate")])
    none = Kpa(initial_scale=0)
    follow(none, [(0.0, 0, 0.0, 0, "activating"), (2.0, 0, 0.0, 0, "grace period"), (4.0, 0, 1.0, 1, "stable")])
    kept = Kpa()
    assert kept.step(0.0, seen(0, coming=5)) == 5, "a service that begins with more waits for them"


def test_without_data_knative_goes_on_with_what_it_wanted_last() -> None:
    scaler = Kpa(total=10.0, utilization=1.0)
    follow(scaler, [(0.0, 1, 18.0, 2, "panic")])
    lost = scaler.step(2.0, seen(2, missing={"outstanding": "no scrape"}))
    unknown = scaler.step(4.0, seen(3, math.nan))
    assert [(int(each), each.rule) for each in (lost, unknown)] == [(2, "no data")] * 2
    fresh = Kpa(initial_scale=3)
    assert fresh.step(0.0, seen(0, missing={"outstanding": "no scrape"})) == 3
