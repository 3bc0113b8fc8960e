"""The JSON schema of services."""

from __future__ import annotations

from dataclasses import fields

from simulator.cluster import catalog
from simulator.cluster.records import Model
from simulator.models.serving.described import KEYS
from simulator.scenario.arguments import model_of
from simulator.scenario.fleetkeys import PhaseKeys
from simulator.scenario.plugins import BATCHING, LINEUP, REPLICAS, ROUTER
from simulator.scenario.requestkeys import RequestGenerateKeys, RequestKeys, RequestTraceKeys
from simulator.scenario.schemaparts import CODE, Schema, inline, listing, mapping, named, of, one
from simulator.scenario.serviceparts import ScalerKeys, SizesKeys
from simulator.scenario.services import ServiceKeys, SloKeys


def service_schema() -> tuple[Schema, Schema]:
    """Return the schema of a service, and the definitions that it refers to."""
    schema = of(ServiceKeys)
    parts: Schema = schema.pop("$defs")
    keys, prefill, engine = (each["properties"] for each in (schema, parts["PrefillKeys"], parts["EngineKeys"]))
    number = {"anyOf": [{"type": "integer", "minimum": 1}, *named(REPLICAS, ScalerKeys)["anyOf"]]}
    table = mapping({"table": {"type": "string"}})
    bounds = {"$ref": "#/$defs/SloKeys"}
    parts["SloKeys"] = inline(SloKeys)
    phase = {
        "anyOf": [{"type": "string", "pattern": r"^\s*[0-9.]"}, {"const": 0}, inline(PhaseKeys)],
        "examples": ["30 s", "5 GB/s"],
    }
    engines = {"enum": _names("engine")}
    _fill(keys, "service", _model())
    _fill(keys, "requests", {"anyOf": _requests()})
    _fill(keys, "replicas", number)
    _fill(keys, "engine", {"anyOf": [engines, {"$ref": "#/$defs/EngineKeys"}]})
    _fill(keys, "iteration_time", {"anyOf": [{"type": "null"}, table, CODE]})
    _fill(keys, "router", named(ROUTER))
    _fill(keys, "cold_start", {"type": "object", "additionalProperties": phase})
    _fill(keys, "slo", {"anyOf": [bounds, {"type": "object", "additionalProperties": bounds}]})
    _fill(prefill, "replicas", number)
    _fill(prefill, "router", named(ROUTER))
    _fill(engine, "kind", engines)
    _fill(engine, "batching", named(BATCHING))
    _fill(engine, "order", named(LINEUP))
    _fill(parts["SpeculativeKeys"]["properties"], "draft", _model())
    return {**schema, "title": "service"}, parts


def _fill(properties: Schema, key: str, schema: Schema) -> None:
    """Say what a key takes, and keep what it means."""
    properties[key] = {**schema, "description": properties[key]["description"]}


def _names(kind: str) -> list[str]:
    """All names by which records of a kind go."""
    records = catalog.records(kind)
    return sorted({name for record in records for name in (record.id, record.short, *record.aliases)})


def _model() -> Schema:
    skip = tuple(item.name for item in fields(Model) if item.name not in KEYS)
    return {"anyOf": [{"enum": _names("model")}, inline(model_of(Model, skip, SizesKeys)), {"type": "null"}]}


def _requests() -> list[Schema]:
    from simulator.workload.requestformats import FIXED as path
    from simulator.workload.requestformats import request_formats
    from simulator.workload.requestgenerators import FIXED as draws
    from simulator.workload.requestgenerators import request_generators

    logs = [one("format", name, request_formats.get(name), path, RequestTraceKeys) for name in request_formats.names()]
    made = [
        one("generate", name, request_generators.get(name), draws, RequestGenerateKeys)
        for name in request_generators.names()
    ]
    return [*logs, *made, listing(inline(RequestKeys))]
