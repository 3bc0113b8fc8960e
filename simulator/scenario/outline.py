"""What a scenario comes to once everything is resolved: for ``simulator check``, and as plain data for programs."""

from __future__ import annotations

from typing import Any

from simulator.scenario.build import Plan, build_costs, capacity_events, plan
from simulator.scenario.plugins import Plugin
from simulator.scenario.spec import Scenario
from simulator.scenario.traces import TraceCache
from simulator.scenario.workloads import TransfersWork


def outline(scenario: Scenario) -> dict[str, Any]:
    """Build all of ``scenario`` short of running it, and return what came out, ready for JSON.

    Keys: ``name``, ``seed``, ``until`` and ``warmup`` (s), ``replications``, ``runs`` (alternatives x replications),
    ``measure``, ``expect``, and ``alternatives``: by name, each with ``topology`` (counts), ``workload`` (jobs or
    transfers by name), ``scheduler``, ``placement``, ``autoscaler``, ``capex`` (US dollars), ``notes`` and
    ``set_aside``. Raises ``InputError`` for what does not fit together, in whichever alternative.
    """
    traces = TraceCache()
    alternatives = {name: _alternative(made, traces) for name, made in scenario.alternatives().items()}
    return {
        "name": scenario.name,
        "seed": scenario.seed,
        "until": scenario.run.until,
        "warmup": scenario.run.warmup,
        "replications": scenario.run.replications,
        "runs": scenario.run.replications * len(alternatives),
        "measure": list(scenario.measure),
        "expect": list(scenario.expect),
        "alternatives": alternatives,
    }


def _alternative(scenario: Scenario, traces: TraceCache) -> dict[str, Any]:
    made = plan(scenario, traces=traces)
    capacity_events(scenario, made.topology)
    costs, notes = build_costs(scenario, made.topology)
    pool = scenario.pool
    return {
        "topology": made.topology.summary(),
        "workload": _workload(scenario, made),
        "scheduler": _plugin(scenario.keys.scheduler),
        "placement": _plugin(scenario.keys.placement),
        "autoscaler": None if pool is None else _plugin(pool.autoscaler),
        "capex": costs.capex,
        "notes": [*made.notes, *notes],
        "set_aside": made.set_aside,
    }


def _workload(scenario: Scenario, made: Plan) -> dict[str, Any]:
    work: dict[str, Any] = {
        stream.name: {"jobs": len(stream), "largest": float(stream.accelerators.max())} for stream in made.streams
    }
    for name, listed in scenario.workload.items():
        if isinstance(listed, TransfersWork):
            total = sum(transfer.bytes for transfer in listed.transfers)
            work[name] = {"transfers": len(listed.transfers), "bytes": total}
    return work


def _plugin(plugin: Plugin) -> dict[str, Any]:
    return {"kind": plugin.kind, **plugin.arguments}
