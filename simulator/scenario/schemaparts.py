"""Pieces that JSON schemas of scenario files are put together from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from simulator.scenario.arguments import model_of, parameters
from simulator.scenario.plugins import Section
from simulator.scenario.validation import Strict

Schema = dict[str, Any]
CODE = {"type": "string", "pattern": r"\.py:\w+$"}
"""Code of the user, in a file beside the scenario."""


class _Lenient(GenerateJsonSchema):
    """Leaves out what has no JSON form: defaults and types that only Python knows."""

    ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}


def of(model: type[BaseModel]) -> Schema:
    """Return the schema of a model; what it refers to is under its ``$defs``."""
    return model.model_json_schema(schema_generator=_Lenient, by_alias=True)


def inline(model: type[BaseModel]) -> Schema:
    """Return the schema of a model that refers to no other."""
    schema = of(model)
    schema.pop("$defs", None)
    return schema


def mapping(properties: Schema) -> Schema:
    """Return the schema of a mapping that has exactly these keys."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def listing(items: Mapping[str, Any]) -> Schema:
    """Return the schema of a list that is not empty."""
    return {"type": "array", "minItems": 1, "items": items}


def named(section: Section, base: type[Strict] = Strict) -> Schema:
    """Return the schema of a section that names a plug-in: a name, code, or a mapping with its parameters."""
    code = {"type": "object", "properties": {section.key: CODE}, "required": [section.key]}
    return {"anyOf": [{"enum": section.registry().names()}, CODE, *plugins(section, base), code]}


def plugins(section: Section, base: type[Strict] = Strict) -> list[Schema]:
    """Return a schema for each plug-in of a section, with its parameters."""
    registry = section.registry()
    made = []
    for name in registry.names():
        thing = registry.get(name)
        first = next(iter(parameters(thing)), None)
        ready = inspect.isroutine(thing) and bool(section.given) and first == section.given[0]
        skip = tuple(parameters(thing))[: len(section.given)] if ready else ()
        made.append(one(section.key, name, thing, skip, base))
    return made


def one(key: str, name: str, thing: Callable[..., Any], skip: tuple[str, ...], base: type[Strict]) -> Schema:
    """Return the schema of one plug-in: its name under ``key``, its parameters, and the keys of ``base``."""
    schema = inline(model_of(thing, skip, base))
    schema["title"] = name
    schema["description"] = inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0]
    schema["properties"] = {key: {"const": name}, **schema.get("properties", {})}
    schema["required"] = [key, *(known for known in schema.get("required", []) if known != key)]
    return schema
