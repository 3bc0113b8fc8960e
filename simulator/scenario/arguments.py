"""Parameters of a plug-in, checked against its own signature: one mechanism for everything a file can name.

A policy, builder, reader or generator is a class or function. Its parameters are the keys that a scenario may write
under its name; its annotations say how they are read (``core.units.Seconds`` reads "5 min"). So adding a plug-in is
adding one file.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, create_model

from simulator.core.errors import InputError
from simulator.scenario.nodes import Node, Path, from_python
from simulator.scenario.quantities import dress
from simulator.scenario.validation import Strict, problems_of

_SKIPPED_KINDS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
_PREFIX = "parameter_"


def arguments(
    function: Callable[..., Any],
    mapping: Mapping[str, Any],
    where: tuple[Node, Path] | None = None,
    skip: Iterable[str] = (),
) -> dict[str, Any]:
    """Return keyword arguments for ``function`` (a class or function) from what a scenario says.

    Quantities come back in SI. Keys that are not given are left to the defaults of the signature. ``skip`` names
    parameters that the caller fills in itself. ``where`` is the tree and the path that ``mapping`` was read from.
    Raises ``InputError`` with every unknown key (and the nearest known one), missing key, wrong type and wrong unit.
    """
    try:
        return chosen(model_of(function, tuple(skip)).model_validate(dict(mapping)))
    except ValidationError as error:
        node, prefix = where or (from_python(mapping), ())
        raise InputError(*problems_of(error, node, prefix)) from None


def chosen(model: Strict) -> dict[str, Any]:
    """Return the parameters that a validated model of a signature was given, by their own names."""
    given = {
        name.removeprefix(_PREFIX): getattr(model, name)
        for name in type(model).model_fields
        if name in model.model_fields_set and name.startswith(_PREFIX)
    }
    return given | (model.model_extra or {})


@lru_cache(maxsize=256)
def model_of(function: Callable[..., Any], skip: tuple[str, ...] = (), base: type[Strict] = Strict) -> type[Strict]:
    """Return a pydantic model whose keys are the parameters of ``function``, on top of those of ``base``."""
    target: Any = function.__init__ if inspect.isclass(function) else function
    hints = _hints(target)
    fields: dict[str, Any] = {}
    open_ended = False
    for name, parameter in parameters(function).items():
        open_ended |= parameter.kind is inspect.Parameter.VAR_KEYWORD
        if name in skip or parameter.kind in _SKIPPED_KINDS:
            continue
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[_PREFIX + name] = (dress(hints.get(name, Any)), Field(default, alias=name, title=name))
    above = _open(base) if open_ended else base
    return create_model(getattr(function, "__name__", "plugin"), __base__=_spelled(above, function), **fields)


def _spelled(base: type[Strict], function: Callable[..., Any]) -> type[Strict]:
    """Return ``base`` with the names of another product that a plug-in takes, its ``spelled`` and ``unfolded``."""
    spelled, unfolded = getattr(function, "spelled", {}), tuple(getattr(function, "unfolded", ()))
    if not (spelled or unfolded):
        return base
    more = {"spelled": {**base.spelled, **spelled}, "unfolded": base.unfolded + unfolded}
    return type(base.__name__, (base,), {**more, "__module__": base.__module__})


def _open(base: type[Strict]) -> type[Strict]:
    """Return ``base`` for a function that takes any keyword."""
    return type(base.__name__, (base,), {"model_config": ConfigDict(extra="allow"), "__module__": base.__module__})


def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Parameters of a class or function, without ``self``."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _hints(target: Any) -> dict[str, Any]:
    """Resolve annotations; a name that cannot be resolved costs the parameter its check, nothing else."""
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}
