"""Tests for policies of your own: the ones that every built-in policy has to pass.

Call ``check_scheduler(policy)``, ``check_placer(placer)`` or ``check_autoscaler(autoscaler)``; or subclass a contract
and let pytest run one test for each promise::

    from simulator.testing import SchedulerContract

    class TestMine(SchedulerContract):
        def make(self):
            return smallest_first

A failure is an ``AssertionError`` that says in words what is wrong, and the likeliest mistake behind it.
"""

from __future__ import annotations

from simulator.testing.autoscalers import AutoscalerContract, check_autoscaler
from simulator.testing.placers import PlacerContract, check_placer
from simulator.testing.running import replay
from simulator.testing.schedulers import SchedulerContract, check_scheduler

__all__ = [
    "AutoscalerContract",
    "PlacerContract",
    "SchedulerContract",
    "check_autoscaler",
    "check_placer",
    "check_scheduler",
    "replay",
]
