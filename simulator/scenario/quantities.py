"""Numbers of a scenario file as pydantic types: text with a unit outside, SI float inside."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, Strict, WithJsonSchema

from simulator.core import units
from simulator.core.units import Dimension

LONGEST = 1e12
"""Seconds (30,000 years): beyond it the clock, a 64-bit float, is too coarse to tell milliseconds apart."""


def _parser(dimension: str) -> BeforeValidator:
    return BeforeValidator(_time if dimension == "time" else lambda value: units.parse(value, dimension))


def _time(value: Any) -> float:
    seconds = units.parse(value, "time")
    if seconds > LONGEST:
        raise ValueError(f"{value!r} is too long: at most {LONGEST:g} s (30,000 years) can be simulated")
    return seconds


def _schema(dimension: str) -> WithJsonSchema:
    if dimension == "ratio":
        return WithJsonSchema({"type": ["string", "number"], "examples": ["70 %", 0.7]})
    pattern = r"^\s*(\$\s*)?[0-9.].*[A-Za-zµμ%$]|^\$" if dimension != "money" else r"[0-9]"
    return WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": pattern}, {"const": 0}], "examples": [units.example(dimension)]}
    )


def number(value: Any) -> Any:
    """Take ``1e3`` for a number where one is wanted; YAML gives it as text."""
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def _whole(value: Any) -> Any:
    found = number(value)
    return int(found) if isinstance(found, float) and found.is_integer() and found is not value else value


_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]{1,2}")
Number = Annotated[float, BeforeValidator(number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Time = Annotated[float, _parser("time"), _schema("time")]
Size = Annotated[float, _parser("bytes"), _schema("bytes")]
Bandwidth = Annotated[float, _parser("bandwidth"), _schema("bandwidth")]
Money = Annotated[float, _parser("money"), _schema("money")]
Price = Annotated[float, _parser("price"), _schema("price")]
EnergyPrice = Annotated[float, _parser("energy price"), _schema("energy price")]
Share = Annotated[float, _parser("ratio"), _schema("ratio")]


def dress(annotation: Any) -> Any:
    """Return a type that reads what ``annotation`` means from a scenario file.

    ``Annotated[float, Dimension("time")]`` reads "5 min", ``float`` and ``int`` read ``1e3``; this holds inside
    ``list[...]``, ``X | None`` and so on. A tuple reads a list, and a key of a mapping may be a number. Everything else
    stays as it is.
    """
    if annotation in (int, float):
        return Whole if annotation is int else Number
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        marks = [mark for mark in inner[1:] if isinstance(mark, Dimension)]
        if marks:
            others = tuple(mark for mark in inner[1:] if not isinstance(mark, Dimension))
            return Annotated[(float, _parser(marks[0].name), _schema(marks[0].name), *others)]
        return Annotated[(dress(inner[0]), *inner[1:])]
    if getattr(annotation, "_is_protocol", False):
        return Any  # an object from Python; whoever takes it looks whether it will do
    if origin in (None, Literal):
        return Annotated[annotation, Strict(False)] if annotation in (tuple, Path) else annotation
    dressed = tuple(part if part is ... else dress(part) for part in inner)
    if origin in (dict, Mapping) and inner[0] in (int, float):
        dressed = (Annotated[inner[0], Strict(False)], dressed[1])
    if origin in (Union, types.UnionType):
        return Union[dressed]  # noqa: UP007
    if not isinstance(origin, type):
        return annotation
    generic: Any = origin
    return Annotated[generic[dressed], Strict(False)] if origin is tuple else generic[dressed]
