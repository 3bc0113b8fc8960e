"""Tests for policies of your own, and for whatever else plugs in: those that every built-in has to pass.

Call ``check_scheduler(policy)``, or ``check_placer``, ``check_order``, ``check_backfill``, ``check_autoscaler``,
``check_interference``, ``check_generator``, ``check_format``; or subclass a contract and let pytest run one test for
each promise::

    from simulator.testing import SchedulerContract

    class TestMine(SchedulerContract):
        def make(self):
            return smallest_first

A failure is an ``AssertionError`` that says in words what is wrong, and the likeliest mistake behind it.
"""

from __future__ import annotations

from simulator.testing.autoscalers import AutoscalerContract, check_autoscaler
from simulator.testing.backfills import BackfillContract, check_backfill
from simulator.testing.formats import FormatContract, check_format
from simulator.testing.generators import GeneratorContract, check_generator
from simulator.testing.interferences import InterferenceContract, check_interference
from simulator.testing.orders import OrderContract, check_order
from simulator.testing.placers import PlacerContract, check_placer
from simulator.testing.running import replay
from simulator.testing.schedulers import SchedulerContract, check_scheduler

__all__ = [
    "AutoscalerContract",
    "BackfillContract",
    "FormatContract",
    "GeneratorContract",
    "InterferenceContract",
    "OrderContract",
    "PlacerContract",
    "SchedulerContract",
    "check_autoscaler",
    "check_backfill",
    "check_format",
    "check_generator",
    "check_interference",
    "check_order",
    "check_placer",
    "check_scheduler",
    "replay",
]
