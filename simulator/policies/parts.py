"""Parts of a policy by name, with parameters, or as the user's own code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from simulator.core.errors import InputError
from simulator.core.registry import Registry
from simulator.workload.options import checked_options

T = TypeVar("T")

_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def make_part(
    registry: Registry[Callable[..., T]], value: Any, method: str, wrap: Callable[[Callable[..., Any]], T], says: str
) -> T:
    """Return a part of a policy.

    ``value`` is a name, a mapping of ``kind`` (a name or a class) and parameters, a class, an object that has
    ``method``, or a plain function, which ``wrap`` makes a part of; ``says`` is how such a function is called. Texts
    such as "5 min" are read where a parameter is a quantity. Raises ``InputError`` for everything else.
    """
    what = registry.kind
    if isinstance(value, str):
        return _made(what, value, registry.get(value), {})
    if isinstance(value, Mapping):
        given = dict(value)
        if "kind" not in given:
            raise InputError(f"{what}: 'kind' is missing. Known: {', '.join(registry.names())}.")
        kind = given.pop("kind")
        if isinstance(kind, str):
            return _made(what, kind, registry.get(kind), given)
        if isinstance(kind, type):
            return cast(T, _made(what, kind.__name__, kind, given))
        if given:
            raise InputError(f"{what}: {kind!r} is made already and takes no {', '.join(map(repr, given))}")
        value = kind
    if isinstance(value, type):
        return cast(T, _made(what, value.__name__, value, {}))
    if callable(getattr(value, method, None)):
        return cast(T, value)
    if callable(value):
        return wrap(value)
    raise InputError(
        f"{what}: {value!r} is none; give a name ({', '.join(registry.names())}), a mapping with kind and parameters, "
        f"an object with {method}, or a function {says}"
    )


def _made(what: str, name: str, thing: Callable[..., T], given: Mapping[str, Any]) -> T:
    """Call a class or function with checked parameters."""
    noun = f"{what} {name!r}"
    target = thing.__init__ if inspect.isclass(thing) else thing
    taken = inspect.signature(thing).parameters
    closed = [name for name, parameter in taken.items() if parameter.kind in _OPEN]
    options = checked_options(noun, target, given, ("self", "args", "kwargs", *closed))
    missing = [key for key, parameter in taken.items() if parameter.default is parameter.empty and key not in options]
    missing = [key for key in missing if key not in closed]
    if missing:
        raise InputError(f"{noun} needs {', '.join(map(repr, missing))}")
    try:
        return thing(**options)
    except ValueError as error:
        raise InputError(f"{noun}: {error}") from error
