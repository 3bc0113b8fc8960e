"""Classes that are no autoscalers, and what checks and scenarios say of them."""

from __future__ import annotations

from typing import Any

import pytest

import simulator as sim
from simulator.core.errors import InputError
from simulator.testing import check_autoscaler, check_replica_scaler


class _Nothing:
    pass


class _NoInterval:
    def step(self, now: float, observation: Any) -> int:
        return 3


class _Asks:
    interval = 10.0

    def step(self, now: float, observation: Any) -> int:
        return int(observation.nothing)


class _Wants:
    interval = 10.0

    def __init__(self, target: float) -> None:
        self.target = target


def _function(now: float, observation: Any) -> int:
    return 3


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (_Nothing, r"_Nothing is no {}: it has no method step\(now, observation\)"),
        (_NoInterval, "_NoInterval is no {}: it has no 'interval'"),
        (_Asks, r"step of _Asks fails with AttributeError: .*'nothing' \(test_wrong_scalers.py, line 27\)"),
        (_Wants, r"_Wants'> cannot be made without arguments: .*'target'; give an object"),
        (_function, "function is no {}: it has no method step"),
    ],
)
def test_checks_say_what_is_wrong(thing: Any, text: str) -> None:
    with pytest.raises(AssertionError, match=text.format("autoscaler")):
        check_autoscaler(thing)
    with pytest.raises(AssertionError, match=text.format("replica autoscaler")):
        check_replica_scaler(thing)


def test_a_scenario_says_it_too() -> None:
    work = {"workload": {"batch": {"jobs": [{"accelerators": 8, "duration": "1 d"}]}}}
    topology = {"topology": {"build": "fleet", "groups": [{"count": 4, "accelerators": 8}]}}
    with pytest.raises(InputError, match="is not an autoscaler: it has no method 'step'"):
        sim.run({"name": "wrong", **topology, **work, "autoscaler": {"kind": _Nothing}})
