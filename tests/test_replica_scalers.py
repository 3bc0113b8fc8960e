"""Autoscalers of replicas: by hand, their laws, and the kit that tests them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.policies.replicas.fixed import Fixed
from simulator.policies.replicas.hpa import Hpa
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
@pytest.mark.parametrize("kind", [TargetTracking, Hpa])
def test_a_service_without_replicas_gets_one_when_it_is_asked(kind: Any, metric: Any) -> None:
    scaler = kind(target=0.5, metric=metric)
    assert scaler.step(0.0, seen(0)) == 0
    assert scaler.step(900.0, seen(0, 1)) >= 1


def test_hpa_does_nothing_near_its_target() -> None:
    for load, wanted in ((90, 10), (109, 10), (110, 10), (111, 12), (89, 10)):
        assert Hpa(target=10.0).step(0.0, seen(10, load)) == wanted, load
    shrinking = Hpa(target=10.0, scale_in_window=0.0)
    assert shrinking.step(0.0, seen(10, 90)) == 10
    assert shrinking.step(15.0, seen(10, 89)) == 9


def test_hpa_at_most_doubles_or_adds_four() -> None:
    assert Hpa(target=1.0).step(0.0, seen(1, 100)) == 5
    assert Hpa(target=1.0).step(0.0, seen(3, 100)) == 7
    assert Hpa(target=1.0).step(0.0, seen(10, 100, coming=2)) == 24
    assert Hpa(target=1.0).step(0.0, seen(0, 100)) == 4


def test_hpa_shrinks_to_the_most_it_wanted_of_late() -> None:
    scaler = Hpa(target=10.0, scale_in_window=60.0)
    steps = [(0.0, 80), (15.0, 30), (30.0, 50), (45.0, 20), (60.0, 20), (75.0, 20), (90.0, 20), (105.0, 20)]
    # wanted 8, 3, 5, 2, 2, 2, 2, 2; before the first step it had 8; what is 60 s old counts no more
    assert [scaler.step(now, seen(8, load)) for now, load in steps] == [8, 8, 8, 8, 5, 5, 2, 2]
    scaler.reset()
    assert scaler.step(106.0, seen(8, 20)) == 8, "a new run begins with what is there"


@given(
    loads=st.lists(st.integers(0, 500), min_size=1, max_size=40),
    target=st.floats(0.5, 50.0),
    window=st.sampled_from([0.0, 30.0, 300.0]),
)
def test_hpa_follows_its_rules_step_by_step(loads: list[int], target: float, window: float) -> None:
    """Against the rules of the product applied to the whole history, and what it says becomes what is there."""
    scaler, have, history = Hpa(target=target, scale_in_window=window), 3, [(-math.inf, 0)]
    for step, load in enumerate(loads):
        now = 15.0 * step
        wanted = math.ceil(load / target - 1e-9) if have else max(math.ceil(load / target - 1e-9), load > 0)
        if have and 0.9 <= load / (target * have) <= 1.1:
            wanted = have
        history += [(now, have)] * (step == 0) + [(now, wanted)]
        recent = max(value for at, value in history[1:] if at > now - window or (at, value) == (now, wanted))
        if wanted >= have:
            expected = min(wanted, max(2 * have, have + 4))
        else:
            expected = min(have, max(recent, wanted))
        assert scaler.step(now, seen(have, load)) == expected
        have = expected


@given(load=st.integers(0, 10_000), ready=st.integers(1, 50), target=st.floats(0.1, 100.0))
def test_the_number_wanted_is_the_fewest_that_keep_the_target(load: int, ready: int, target: float) -> None:
    wanted = TargetTracking(target=target).step(0.0, seen(ready, load))
    assert load <= wanted * target * (1 + 1e-8)
    assert wanted == 0 or load > (wanted - 1) * target * (1 - 1e-8)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("fixed", {"n": -1}, "n is -1; it must be 0 or more"),
        ("hpa", {"target": 0.0}, "target is 0; it must be above 0"),
        ("target-tracking", {"target": math.inf}, "target is inf; it must be above 0"),
        ("hpa", {"metric": "kv", "target": 1.5}, "target is 1.5; kv is a share, at most 1"),
        ("hpa", {"metric": "cpu"}, "metric is 'cpu'; it must be one of outstanding, queued, arrivals, busy, kv"),
        ("target-tracking", {"interval": 0.0}, "interval is 0 s; it must be above 0"),
        ("target-tracking", {"scale_in_cooldown": -1.0}, "scale_in_cooldown is -1 s; it must be 0 or more"),
        ("target-tracking", {"scale_out_cooldown": math.nan}, "scale_out_cooldown is nan s; it must be 0 or more"),
        ("hpa", {"tolerance": -0.1}, "tolerance is -0.1; it must be 0 or more"),
        ("hpa", {"scale_in_window": -5.0}, "scale_in_window is -5 s; it must be 0 or more"),
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
