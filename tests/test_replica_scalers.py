"""Autoscalers of replicas: by hand, their laws, and the kit that tests them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.replicas.fixed import Fixed
from simulator.policies.replicas.target_tracking import TargetTracking
from simulator.policies.serving import ReplicaScaler, ServiceObservation, replica_scalers
from simulator.testing import ReplicaScalerContract, check_replica_scaler


def seen(ready: int, outstanding: int = 0, coming: int = 0, **more: Any) -> ServiceObservation:
    values = {"draining": 0, "queued": 0, "running": outstanding, "kv": 0.0, "busy": 0.0, "arrivals": 0.0}
    return ServiceObservation(ready=ready, coming=coming, outstanding=outstanding, **(values | more))


class TestBuiltIns(ReplicaScalerContract):
    @pytest.fixture(autouse=True, params=replica_scalers.names())
    def named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param

    def make(self) -> Any:
        return self.name


def test_fixed_is_fixed() -> None:
    assert [Fixed(3).step(now, seen(ready)) for now, ready in ((0.0, 0), (60.0, 9))] == [3, 3]
    assert Fixed(0).interval == 0


def test_target_tracking_takes_enough_replicas_for_the_target() -> None:
    assert TargetTracking(target=10.0).step(0.0, seen(2, 41)) == 5
    assert TargetTracking(target=10.0).step(0.0, seen(2, 20)) == 2
    assert TargetTracking(target=10.0).step(0.0, seen(4, 1)) == 1
    assert TargetTracking(target=10.0).step(0.0, seen(4, 0)) == 0
    assert TargetTracking(target=0.5, metric="kv").step(0.0, seen(4, 9, kv=0.7)) == 6
    assert TargetTracking(target=0.5, metric="busy").step(0.0, seen(4, 9, coming=1, busy=1.0)) == 8
    assert TargetTracking(target=3.0, metric="arrivals").step(0.0, seen(1, arrivals=10.0)) == 4
    assert TargetTracking(target=5.0, metric="queued").step(0.0, seen(1, 20, queued=11)) == 3


def test_target_tracking_waits_for_its_cooldowns() -> None:
    scaler = TargetTracking(target=10.0, scale_out_cooldown=100.0, scale_in_cooldown=200.0)
    assert scaler.step(0.0, seen(1, 20)) == 2
    assert scaler.step(60.0, seen(1, 50, coming=1)) == 2, "grown 60 s ago"
    assert scaler.step(100.0, seen(1, 50, coming=1)) == 5
    assert scaler.step(299.0, seen(5, 1)) == 5, "changed 199 s ago"
    assert scaler.step(300.0, seen(5, 31)) == 4
    assert scaler.step(499.0, seen(4, 1)) == 4, "shrunk 199 s ago"
    assert scaler.step(500.0, seen(4, 1)) == 1
    assert scaler.step(501.0, seen(1, 30)) == 3, "shrinking does not hold up growing"
    scaler.reset()
    assert scaler.step(302.0, seen(3, 90)) == 9


def test_replicas_that_come_are_not_asked_for_again() -> None:
    scaler = TargetTracking(target=10.0, scale_out_cooldown=0.0)
    assert scaler.step(0.0, seen(1, 40)) == 4
    assert scaler.step(60.0, seen(1, 40, coming=3)) == 4


@pytest.mark.parametrize("metric", ["outstanding", "queued", "arrivals", "busy", "kv"])
def test_a_service_without_replicas_gets_one_when_it_is_asked(metric: Any) -> None:
    scaler = TargetTracking(target=0.5, metric=metric)
    assert scaler.step(0.0, seen(0)) == 0
    assert scaler.step(900.0, seen(0, 1)) >= 1


@given(load=st.integers(0, 10_000), ready=st.integers(1, 50), target=st.floats(0.1, 100.0))
def test_the_number_wanted_is_the_fewest_that_keep_the_target(load: int, ready: int, target: float) -> None:
    wanted = TargetTracking(target=target).step(0.0, seen(ready, load))
    assert load <= wanted * target * (1 + 1e-8)
    assert wanted == 0 or load > (wanted - 1) * target * (1 - 1e-8)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("fixed", {"n": -1}, "n is -1; it must be 0 or more"),
        ("target-tracking", {"target": math.inf}, "target is inf; it must be above 0"),
        ("target-tracking", {"interval": 0.0}, "interval is 0 s; it must be above 0"),
        ("target-tracking", {"scale_in_cooldown": -1.0}, "scale_in_cooldown is -1 s; it must be 0 or more"),
        ("target-tracking", {"scale_out_cooldown": math.nan}, "scale_out_cooldown is nan s; it must be 0 or more"),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|at most") as told:
        replica_scalers.get(name)(**arguments)
    assert str(told.value) == text


def test_each_names_what_it_imitates() -> None:
    for name in replica_scalers.names():
        scaler: Any = replica_scalers.get(name)()
        assert any(character.isdigit() for character in scaler.imitates), name


# -- autoscalers of one's own ----------------------------------------------------------------------------------------


class Fractional:
    interval = 10.0

    def step(self, now: float, observation: ServiceObservation) -> Any:
        return observation.outstanding / 8


class Negative:
    interval = 10.0

    def step(self, now: float, observation: ServiceObservation) -> int:
        return observation.ready - 3


class Ratchet:
    interval = 10.0

    def __init__(self) -> None:
        self.most = 0

    def step(self, now: float, observation: ServiceObservation) -> int:
        self.most = max(self.most, observation.ready)
        return self.most


class Hasty(Fixed):
    interval = math.inf


@pytest.mark.parametrize(
    ("scaler", "text"),
    [
        (Fractional, "it must be a whole number of replicas"),
        (Negative, "there are no negative replicas"),
        (Ratchet, r"without a method reset\(\) that clears it"),
        (Hasty, "interval is inf; it must be a finite number of seconds"),
    ],
)
def test_broken_ones_are_told_what_is_wrong(scaler: type[ReplicaScaler], text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check_replica_scaler(scaler)
