"""A model that a scenario describes itself, by the keys of a catalog row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from simulator.cluster.records import Model
from simulator.core.errors import InputError, Problem, did_you_mean

_OWN = {"id", "source", "confidence", "date", "version", "aliases", "note", "kind", "family"}
KEYS = tuple(item.name for item in fields(Model) if item.name not in _OWN)
"""Keys that may be given: those of a row of ``models.yaml`` that say what a model is."""


def described(keys: Mapping[str, Any], path: str = "model") -> Model:
    """Make a model of a mapping such as ``{layers: 32, hidden: 4096, heads: 32, ffn: 11008, vocab: 32000}``.

    ``name`` says what it is called. Raises ``InputError`` with every key that is unknown or not what it should be,
    and with what is missing.
    """
    hints = get_type_hints(Model)
    values: dict[str, Any] = {}
    problems = []
    for key, value in keys.items():
        if key == "name":
            continue
        if key not in KEYS:
            problems.append(Problem(f"unknown key {key!r}", path=path, hint=did_you_mean(str(key), (*KEYS, "name"))))
        elif hints[key] is bool:
            if not isinstance(value, bool):
                problems.append(Problem(f"{value!r} is not true or false", path=f"{path}.{key}"))
            values[key] = value
        elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
            problems.append(Problem(f"{value!r} is not a whole number, 0 or more", path=f"{path}.{key}"))
        else:
            values[key] = value
    if problems:
        raise InputError(*problems)
    values.setdefault("sequence", values.get("context") or 2048)
    model = Model(
        id=str(keys.get("name", "described")), source="the scenario", confidence="memory-unverified", date="2026",
        version="", family="described", **values,
    )  # fmt: skip
    fault = model.fault()
    if fault:
        raise InputError(Problem(fault, path=path))
    return model
