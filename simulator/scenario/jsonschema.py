"""The JSON schema of scenario files: completion and checks in an editor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from simulator.scenario.arguments import model_of, parameters
from simulator.scenario.jobs import BatchKeys, LayoutKeys, TrainingKeys
from simulator.scenario.plugins import SECTIONS, Section
from simulator.scenario.schema import CloudKeys, ScenarioKeys, _PoolKeys
from simulator.scenario.validation import Strict
from simulator.scenario.workloads import Cut, GenerateKeys, TraceKeys, TransferKeys

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Lenient(GenerateJsonSchema):
    """Leaves out what has no JSON form: defaults and types that only Python knows."""

    ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}


def json_schema() -> Schema:
    """Return the schema; plug-ins that are installed are part of it, each with its parameters."""
    schema = _of(ScenarioKeys)
    properties: Schema = schema["properties"]
    properties["include"] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    properties["topology"] = {"anyOf": [{"type": "string"}, _keys({"file": {"type": "string"}}), *_plugins("topology")]}
    for name in ("scheduler", "placement"):
        properties[name] = _named(name)
    properties["scheduler"]["anyOf"].append(_composition(properties["placement"]))
    properties["autoscaler"] = {"anyOf": [{"type": "null"}, *_named("autoscaler", _PoolKeys)["anyOf"]]}
    properties["workload"] = {"type": "object", "additionalProperties": {"anyOf": _works()}}
    _money(schema)
    properties["compare"] = {"type": "object", "additionalProperties": {"type": ["object", "array"]}}
    schema["required"] = ["name"]
    return {"$schema": DIALECT, "title": "scenario", **{key: schema[key] for key in schema if key != "title"}}


def _of(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(schema_generator=_Lenient, by_alias=True)


def _inline(model: type[BaseModel]) -> Schema:
    """Return the schema of a model that refers to no other."""
    schema = _of(model)
    schema.pop("$defs", None)
    return schema


def _keys(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _named(section: str, base: type[Strict] = Strict) -> Schema:
    registry = SECTIONS[section].registry()
    names = {"enum": registry.names()}
    return {"anyOf": [names, {"type": "string", "pattern": r"\.py:\w+$"}, *_plugins(section, base), _code(section)]}


def _code(section: str) -> Schema:
    """Code of the user: any parameters."""
    key = {"type": "string", "pattern": r"\.py:\w+$"}
    return {"type": "object", "properties": {SECTIONS[section].key: key}, "required": [SECTIONS[section].key]}


def _composition(placement: Schema) -> Schema:
    """A scheduler that is put together from parts."""
    from simulator.policies.backfill import backfills
    from simulator.policies.orders import orders

    def part(names: list[str]) -> Schema:
        code = {"type": "string", "pattern": r"\.py:\w+$"}
        kind = {"anyOf": [{"enum": names}, code]}
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


def _plugins(section: str, base: type[Strict] = Strict) -> list[Schema]:
    known: Section = SECTIONS[section]
    registry = known.registry()
    made = []
    for name in registry.names():
        thing = registry.get(name)
        first = next(iter(parameters(thing)), None)
        ready = inspect.isroutine(thing) and bool(known.given) and first == known.given[0]
        skip = tuple(parameters(thing))[: len(known.given)] if ready else ()
        made.append(_plugin(known.key, name, thing, skip, base))
    return made


def _plugin(key: str, name: str, thing: Callable[..., Any], skip: tuple[str, ...], base: type[Strict]) -> Schema:
    schema = _inline(model_of(thing, skip, base))
    schema["title"] = name
    schema["description"] = inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0]
    schema["properties"] = {key: {"const": name}, **schema.get("properties", {})}
    schema["required"] = [key, *(known for known in schema.get("required", []) if known != key)]
    return schema


def _works() -> list[Schema]:
    from simulator.workload.formats import formats
    from simulator.workload.generate import FIXED, generators

    traces = [_plugin("format", name, formats.get(name), ("path",), TraceKeys) for name in formats.names()]
    made = [_plugin("generate", name, generators.get(name), FIXED, GenerateKeys) for name in generators.names()]
    training = _inline(TrainingKeys)
    training["properties"]["layout"] = {"anyOf": [{"type": "null"}, _inline(LayoutKeys)]}
    job = {"anyOf": [_inline(BatchKeys), training]}
    oversize = _inline(Cut)["properties"]["oversize"]
    jobs = {"type": "object", "properties": {"jobs": _list(job), "oversize": oversize}, "required": ["jobs"]}
    transfers = _keys({"transfers": _list(_inline(TransferKeys))})
    return [*traces, *made, {**jobs, "additionalProperties": False}, transfers]


def _list(items: Mapping[str, Any]) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _money(schema: Schema) -> None:
    """Fill in the keys of ``cost:`` that take either a word or an amount."""
    cost: Schema = schema["$defs"]["CostKeys"]["properties"]
    price = {"type": "string", "pattern": r"^\s*(\$|USD|[0-9])"}
    cost["capex"] |= {"anyOf": [{"enum": ["catalog", "none"]}, price]}
    cost["cloud"] |= {"anyOf": [{**price, "examples": ["$2.10/h"]}, _inline(CloudKeys)]}
