"""Slotted objects made many at a time: a constructor for just the fields that a trace has columns for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeVar

from simulator.workload.jobs import BatchJob
from simulator.workload.requests import Request

T = TypeVar("T")


def maker(names: Sequence[str]) -> Callable[..., BatchJob]:
    """Return a function that makes a job of the values of these fields, in this order; all others are at their default.

    It costs half of what ``BatchJob(...)`` does, which looks up the default of every field that it is not given. As
    with that, nothing is checked here. Raises ``TypeError`` for a field that a batch job does not have, or that it
    needs and is not among the names.
    """
    return _compiled(BatchJob, "batch job", tuple(names))


def request_maker(names: Sequence[str]) -> Callable[..., Request]:
    """Return a function that makes a request, as ``maker`` does for jobs."""
    return _compiled(Request, "request", tuple(names))


@cache
def _compiled(kind: type[T], noun: str, names: tuple[str, ...]) -> Callable[..., T]:
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    needed = [name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING]
    unknown = [name for name in names if name not in known]
    missing = [name for name in needed if name not in names]
    if unknown or missing:
        raise TypeError(f"fields of a {noun}: {unknown} are unknown, {missing} are missing")
    scope: dict[str, Any] = {"_new": object.__new__, "_Kind": kind}
    lines = [f"def make({', '.join(names)}):", " made = _new(_Kind)"]
    for name, field in known.items():
        fresh = field.default is MISSING
        value = name if name in names else f"_{name}" + "()" * fresh
        scope[f"_{name}"] = field.default_factory if fresh else field.default
        lines.append(f" made.{name} = {value}")
    exec("\n".join([*lines, " return made"]), scope)  # as dataclasses make their own __init__
    made: Callable[..., T] = scope["make"]
    return made
