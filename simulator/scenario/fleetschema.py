"""The JSON schemas of loads and of data jobs."""

from __future__ import annotations

from simulator.scenario.fleetkeys import PhaseKeys
from simulator.scenario.loads import SHAPES, LoadKeys
from simulator.scenario.plugins import REPLICAS
from simulator.scenario.schemaparts import Schema, inline, listing, named, of, plugins
from simulator.scenario.serviceparts import ScalerKeys
from simulator.scenario.taskjobs import TaskKeys

_TEXT = {"type": "string", "pattern": r"^\s*[0-9.]"}


def fleet_schemas() -> tuple[list[Schema], Schema]:
    """Return the schemas of a load and of a data job, and the definitions that they refer to."""
    load, tasks = of(LoadKeys), of(TaskKeys)
    parts: Schema = load.pop("$defs") | tasks.pop("$defs")
    number = {"anyOf": [{"type": "integer", "minimum": 1}, *named(REPLICAS, ScalerKeys)["anyOf"]]}
    rate = {"type": "string", "pattern": r"^\s*[0-9.]", "examples": ["100 /s"]}
    shape = {"anyOf": [rate, *plugins(SHAPES)]}
    phase = {"anyOf": [_TEXT, {"const": 0}, inline(PhaseKeys)], "examples": ["30 s"]}
    phases = {"type": "object", "additionalProperties": phase}
    keys = load["properties"]
    _fill(keys, "load", {"anyOf": [*shape["anyOf"], listing(shape)]})
    _fill(keys, "replicas", number)
    _fill(keys, "cold_start", phases)
    served = parts["LoadReplicaKeys"]["properties"]
    _fill(served, "rate", {"anyOf": [rate, {"type": "object", "minProperties": 1, "additionalProperties": rate}]})
    keys = tasks["properties"]
    _fill(keys, "executors", number)
    _fill(keys, "cold_start", phases)
    time = {"anyOf": [_TEXT, {"const": 0}]}
    _fill(keys, "arrivals", {"anyOf": [*time["anyOf"], listing(time)]})
    _fill(parts["StageKeys"]["properties"], "seconds", {"anyOf": [*time["anyOf"], {"type": "object"}]})
    return [{**load, "title": "load"}, {**tasks, "title": "data job"}], parts


def _fill(properties: Schema, key: str, schema: Schema) -> None:
    """Say what a key takes, and keep what it means."""
    properties[key] = {**schema, "description": properties[key]["description"]}
