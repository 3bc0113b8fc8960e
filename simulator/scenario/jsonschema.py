"""The JSON schema of scenario files: completion and checks in an editor."""

from __future__ import annotations

from simulator.scenario.failurekeys import FailureKeys, LemonKeys, LogKeys, RepairKeys, SourceKeys
from simulator.scenario.fleetschema import fleet_schemas
from simulator.scenario.jobs import BatchKeys, LayoutKeys, TrainingKeys
from simulator.scenario.plugins import SECTIONS
from simulator.scenario.schema import CloudKeys, ScenarioKeys, _PoolKeys
from simulator.scenario.schemaparts import CODE, Schema, inline, listing, mapping, named, of, one, plugins
from simulator.scenario.serviceschema import service_schema
from simulator.scenario.workloads import Cut, GenerateKeys, TraceKeys, TransferKeys

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> Schema:
    """Return the schema; plug-ins that are installed are part of it, each with its parameters."""
    schema = of(ScenarioKeys)
    properties: Schema = schema["properties"]
    properties["include"] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    file = mapping({"file": {"type": "string"}})
    properties["topology"] = {"anyOf": [{"type": "string"}, file, *plugins(SECTIONS["topology"])]}
    for name in ("scheduler", "placement"):
        properties[name] = named(SECTIONS[name])
    properties["scheduler"]["anyOf"].append(_composition(properties["placement"]))
    properties["failures"] = _failures()
    properties["autoscaler"] = {"anyOf": [{"type": "null"}, *named(SECTIONS["autoscaler"], _PoolKeys)["anyOf"]]}
    service, parts = service_schema()
    fleets, more = fleet_schemas()
    properties["workload"] = {"type": "object", "additionalProperties": {"anyOf": [*_works(), service, *fleets]}}
    schema["$defs"] |= parts | more
    _money(schema)
    names = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    schema["$defs"]["ServerKeys"] = {"anyOf": [*names, schema["$defs"]["ServerKeys"]]}
    properties["compare"] = {"type": "object", "additionalProperties": {"type": ["object", "array"]}}
    schema["required"] = ["name"]
    return {"$schema": DIALECT, "title": "scenario", **{key: schema[key] for key in schema if key != "title"}}


def _composition(placement: Schema) -> Schema:
    """A scheduler that is put together from parts."""
    from simulator.policies.backfill import backfills
    from simulator.policies.orders import orders

    def part(names: list[str]) -> Schema:
        kind = {"anyOf": [{"enum": names}, CODE]}
        parameters = {"type": "object", "properties": {"kind": kind}, "required": ["kind"]}
        return {"anyOf": [*kind["anyOf"], parameters]}

    properties = {
        "order": part(orders.names()),
        "backfill": part(backfills.names()),
        "preempt": {"type": "boolean"},
        "placement": placement,
        "name": {"type": "string"},
    }
    found = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
    return {"title": "parts", "description": "An order, a way of backfilling, preemption or not.", **found}


def _failures() -> Schema:
    """The common keys of failures, and sources under names of their own."""
    section = inline(FailureKeys)
    section["properties"]["lemon"] = inline(LemonKeys)
    source = inline(SourceKeys)
    source["properties"]["repair"] = {"anyOf": [{"type": "string"}, {"const": 0}, inline(RepairKeys)]}
    source["properties"]["only"] = {"type": ["string", "array", "object"]}
    section["additionalProperties"] = {"anyOf": [source, inline(LogKeys)]}
    return {"anyOf": [{"type": "null"}, {"const": "none"}, section]}


def _works() -> list[Schema]:
    from simulator.workload.formats import formats
    from simulator.workload.generate import FIXED, generators

    traces = [one("format", name, formats.get(name), ("path",), TraceKeys) for name in formats.names()]
    made = [one("generate", name, generators.get(name), FIXED, GenerateKeys) for name in generators.names()]
    training = inline(TrainingKeys)
    training["properties"]["layout"] = {"anyOf": [{"type": "null"}, inline(LayoutKeys)]}
    job = {"anyOf": [inline(BatchKeys), training]}
    oversize = inline(Cut)["properties"]["oversize"]
    jobs = {"type": "object", "properties": {"jobs": listing(job), "oversize": oversize}, "required": ["jobs"]}
    transfers = mapping({"transfers": listing(inline(TransferKeys))})
    return [*traces, *made, {**jobs, "additionalProperties": False}, transfers]


def _money(schema: Schema) -> None:
    """Fill in the keys of ``cost:`` that take either a word or an amount."""
    cost: Schema = schema["$defs"]["CostKeys"]["properties"]
    price = {"type": "string", "pattern": r"^\s*(\$|USD|[0-9])"}
    cost["capex"] |= {"anyOf": [{"enum": ["catalog", "none"]}, price]}
    cost["cloud"] |= {"anyOf": [{**price, "examples": ["$2.10/h"]}, inline(CloudKeys)]}
