"""Checks of what a user wrote beside the name of a trace format or a generator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulator.core.errors import InputError, did_you_mean
from simulator.core.units import UnitError, parse


def option_names(function: Callable[..., Any], fixed: Iterable[str]) -> list[str]:
    """Return the parameters of a plug-in that a user may set: all but the ``fixed`` ones."""
    return [name for name in inspect.signature(function).parameters if name not in tuple(fixed)]


def check_options(what: str, function: Callable[..., Any], given: Mapping[str, Any], fixed: Iterable[str]) -> None:
    """Raise ``InputError`` naming each option in ``given`` that ``function`` does not take, with the nearest one."""
    known = option_names(function, fixed)
    wrong = [name for name in given if name not in known]
    if wrong:
        raise InputError(*(f"{what} has no option {name!r}. {did_you_mean(name, known)}" for name in wrong))


def one_of(what: str, value: str, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``choices``; otherwise raise ``InputError`` with the nearest."""
    if value not in choices:
        raise InputError(f"{what}: {value!r} is not a choice. {did_you_mean(str(value), choices)}")
    return value


def quantity(what: str, value: str | float, dimension: str) -> float:
    """Return an SI float: numbers as they are, text with its unit (``"2 d"``). ``InputError`` below 0 and for NaN."""
    try:
        number = parse(value, dimension) if isinstance(value, str) else float(value)
    except (UnitError, TypeError, ValueError) as error:
        raise InputError(f"{what}: {error}") from None
    if not number >= 0:
        raise InputError(f"{what}: {value!r} is not a {dimension} of 0 or more")
    return number
