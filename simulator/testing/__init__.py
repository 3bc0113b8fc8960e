"""Tests for policies of your own, and for whatever else plugs in: those that every built-in has to pass.

Call ``check_scheduler(policy)``, or ``check_placer``, ``check_order``, ``check_backfill``, ``check_autoscaler``,
``check_interference``, ``check_generator``, ``check_format``; for services ``check_router``, ``check_batching``,
``check_lineup``, ``check_replica_scaler``, ``check_request_generator``, ``check_request_format``; for loads
``check_load_shape``; or subclass a contract and let pytest run one test for each promise::

    from simulator.testing import SchedulerContract

    class TestMine(SchedulerContract):
        def make(self):
            return smallest_first

A failure is an ``AssertionError`` that says in words what is wrong, and the likeliest mistake behind it.
"""

from __future__ import annotations

from simulator.testing.autoscalers import AutoscalerContract, check_autoscaler
from simulator.testing.backfills import BackfillContract, check_backfill
from simulator.testing.batchings import BatchingContract, check_batching
from simulator.testing.formats import FormatContract, check_format
from simulator.testing.generators import GeneratorContract, check_generator
from simulator.testing.interferences import InterferenceContract, check_interference
from simulator.testing.lineups import LineupContract, check_lineup
from simulator.testing.loadshapes import LoadShapeContract, check_load_shape
from simulator.testing.orders import OrderContract, check_order
from simulator.testing.placers import PlacerContract, check_placer
from simulator.testing.replicascalers import ReplicaScalerContract, check_replica_scaler
from simulator.testing.requestformats import RequestFormatContract, check_request_format
from simulator.testing.requestgenerators import RequestGeneratorContract, check_request_generator
from simulator.testing.routers import RouterContract, check_router
from simulator.testing.running import replay
from simulator.testing.schedulers import SchedulerContract, check_scheduler
from simulator.testing.services import SeenReplica, SeenService

__all__ = [
    "AutoscalerContract",
    "BackfillContract",
    "BatchingContract",
    "FormatContract",
    "GeneratorContract",
    "InterferenceContract",
    "LineupContract",
    "LoadShapeContract",
    "OrderContract",
    "PlacerContract",
    "ReplicaScalerContract",
    "RequestFormatContract",
    "RequestGeneratorContract",
    "RouterContract",
    "SchedulerContract",
    "SeenReplica",
    "SeenService",
    "check_autoscaler",
    "check_backfill",
    "check_batching",
    "check_format",
    "check_generator",
    "check_interference",
    "check_lineup",
    "check_load_shape",
    "check_order",
    "check_placer",
    "check_replica_scaler",
    "check_request_format",
    "check_request_generator",
    "check_router",
    "check_scheduler",
    "replay",
]
