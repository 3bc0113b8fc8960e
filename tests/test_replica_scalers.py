"""Autoscalers of replicas: by hand, their laws, and the kit that tests them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulator.policies.replicas.fixed import Fixed
from simulator.policies.replicas.target_tracking import TargetTracking
from simulator.policies.serving import ReplicaScaler, ServiceObservation, replica_scalers
from simulator.policies.supply import autoscalers
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


@pytest.mark.parametrize("metric", ["outstanding", "queued", "arrivals", "busy", "kv"])
def test_a_service_without_replicas_gets_one_when_it_is_asked(metric: Any) -> None:
    scaler = TargetTracking(target=0.5, metric=metric)
    assert scaler.step(0.0, seen(0)) == 0
    assert scaler.step(900.0, seen(0, 1)) >= 1


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
        assert any(character.isdigit() for character in scaler.version), name
        assert scaler.kind == name


def test_each_of_nodes_names_what_it_imitates() -> None:
    for name in autoscalers.names():
        scaler: Any = autoscalers.get(name)
        assert scaler.version == "ours" or any(character.isdigit() for character in scaler.version), name
        assert scaler.kind == name


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
