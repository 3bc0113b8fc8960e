"""The shape of the manifest of saved results: what is checked before anything of it is used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

_Shape = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _maybe(shape: _Shape) -> _Shape:
    return lambda value: value is None or shape(value)


def _mapping_of(shape: _Shape) -> _Shape:
    return lambda value: isinstance(value, dict) and all(map(shape, value.values()))


def _list_of(shape: _Shape) -> _Shape:
    return lambda value: isinstance(value, list) and all(map(shape, value))


_MANIFEST: dict[str, _Shape] = {
    "name": _maybe(_text),
    "description": _maybe(_text),
    "scenario": _maybe(_text),
    "hash": _maybe(_text),
    "overrides": _maybe(_texts),
    "measures": _maybe(_texts),
    "expect": _maybe(_texts),
    "versions": _maybe(_mapping_of(_text)),
    "files": _mapping_of(lambda value: isinstance(value, dict)),
    "runs": _list_of(lambda value: isinstance(value, dict)),
}
_RUN: dict[str, _Shape] = {
    "alternative": _text,
    "replication": lambda value: isinstance(value, int) and value >= 0,
    "rows": _mapping_of(lambda value: isinstance(value, int) and value >= 0),
    "facts": lambda value: isinstance(value, dict),
}
_FACTS: dict[str, _Shape] = {
    "end": _number,
    "warmup": _number,
    "accelerators": _number,
    "energy": _maybe(_number),
    "allocated_seconds": _maybe(_number),
    "provisioned_seconds": _maybe(_number),
    "cost": _maybe(_mapping_of(_maybe(_number))),
    "set_aside": _maybe(_mapping_of(_number)),
    "notes": _maybe(_texts),
    "invariants": _maybe(_texts),
}


def misshapen(manifest: Mapping[str, Any]) -> str:
    """Say which value of a manifest is not what ``Results.save`` writes there; empty when all of them are."""
    wrong = _first(manifest, _MANIFEST, "")
    keys: list[tuple[Any, Any]] = []
    for index, run in enumerate(manifest["runs"] if not wrong else ()):
        missing = next((f"runs.{index} has no {key!r}" for key in _RUN if key not in run), "")
        wrong = wrong or missing or _first(run, _RUN, f"runs.{index}.")
        wrong = wrong or _first(run["facts"], _FACTS, f"runs.{index}.facts.")
        if wrong:
            break
        keys.append((run["alternative"], run["replication"]))
    if not wrong and len(set(keys)) < len(keys):
        wrong = "a run is listed twice"
    return wrong


def _first(found: Mapping[str, Any], shapes: Mapping[str, _Shape], where: str) -> str:
    for key, fits in shapes.items():
        if key in found and not fits(found[key]):
            shown = repr(found[key])
            return f"{where}{key} is {shown if len(shown) <= 60 else shown[:57] + '...'}"
    return ""
