"""A replica autoscaler named within the parameters of another one."""

from __future__ import annotations

import copy
import inspect
import typing
from collections.abc import Mapping
from typing import Any

from simulator.core.errors import did_you_mean
from simulator.core.units import Dimension, parse
from simulator.policies.serving import ReplicaScaler, replica_scalers


def scaler(given: Any) -> ReplicaScaler:
    """Return the autoscaler that a name, a mapping with ``kind``, a class or an object stands for.

    Quantities of a mapping may be texts with a unit. Raises ``ValueError`` for what is none of these.
    """
    if isinstance(given, str | Mapping):
        mapping = dict(given) if isinstance(given, Mapping) else {"kind": given}
        kind = mapping.pop("kind", None)
        if not isinstance(kind, str):
            raise ValueError(f"base is {given!r}; it must have a kind, as {{kind: hpa, target: 10}}")
        known = replica_scalers.names()
        if kind not in known:
            raise ValueError(f"base is {kind!r}, which is no replica autoscaler. {did_you_mean(kind, known)}")
        factory = replica_scalers.get(kind)
        return factory(**_quantities(factory, mapping))
    made = given() if inspect.isclass(given) else copy.deepcopy(given)
    if not callable(getattr(made, "step", None)) or not hasattr(made, "interval"):
        raise ValueError(f"base is {given!r}; it must have interval and step(now, observation)")
    return typing.cast(ReplicaScaler, made)


def _quantities(factory: Any, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a factory with texts such as "5 min" in SI."""
    target = factory.__init__ if inspect.isclass(factory) else factory
    hints = typing.get_type_hints(target, include_extras=True)
    known = list(inspect.signature(factory).parameters)
    for name in mapping:
        if name not in known:
            raise ValueError(f"base has no parameter {name!r}. {did_you_mean(name, known)}")
    return {name: _quantity(name, value, hints.get(name)) for name, value in mapping.items()}


def _quantity(name: str, value: Any, hint: Any) -> Any:
    if not isinstance(value, str):
        return value
    parts = [part for part in (hint, *typing.get_args(hint)) if part is not None]
    dimensions = [mark.name for part in parts for mark in getattr(part, "__metadata__", ()) if _is_dimension(mark)]
    if dimensions:
        return parse(value, dimensions[0])
    if any(part in (int, float, bool) for part in parts):
        raise ValueError(f"base.{name} is {value!r}; it must be a number")
    return value


def _is_dimension(mark: Any) -> bool:
    return isinstance(mark, Dimension)
