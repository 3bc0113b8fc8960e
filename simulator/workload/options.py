"""Checks of what a user wrote beside the name of a trace format or a generator."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import Dimension, UnitError, parse


def option_names(function: Callable[..., Any], fixed: Iterable[str]) -> list[str]:
    """Return the parameters of a plug-in that a user may set: all but the ``fixed`` ones."""
    return [name for name in inspect.signature(function).parameters if name not in tuple(fixed)]


def checked_options(
    what: str, function: Callable[..., Any], given: Mapping[str, Any], fixed: Iterable[str]
) -> dict[str, Any]:
    """Return ``given`` with texts such as ``"2 d"`` read where the parameter is a quantity.

    Raises ``InputError`` for each option that ``function`` does not take, with the nearest one, and each wrong unit.
    """
    known = option_names(function, fixed)
    problems = [f"{what} has no option {name!r}. {did_you_mean(name, known)}" for name in given if name not in known]
    hints = typing.get_type_hints(function, include_extras=True)
    options = dict(given)
    for name, value in given.items():
        dimension = _dimension(hints.get(name))
        if dimension and isinstance(value, str):
            try:
                options[name] = parse(value, dimension)
            except UnitError as error:
                problems.append(f"{what}, {name}: {error}")
    if problems:
        raise InputError(*problems)
    return options


def _dimension(hint: Any) -> str | None:
    """Return the dimension that an annotation such as ``Seconds`` or ``Seconds | None`` carries."""
    for part in (hint, *typing.get_args(hint)):
        for mark in getattr(part, "__metadata__", ()):
            if isinstance(mark, Dimension):
                return mark.name
    return None


def one_of(what: str, value: str, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``choices``; otherwise raise ``InputError`` with the nearest."""
    if value not in choices:
        raise InputError(f"{what}: {value!r} is not a choice. {did_you_mean(str(value), choices)}")
    return value
