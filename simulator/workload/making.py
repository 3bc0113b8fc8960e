"""Batch jobs made many at a time: a constructor for just the columns that a trace has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from simulator.workload.jobs import BatchJob


def maker(names: Sequence[str]) -> Callable[..., BatchJob]:
    """Return a function that makes a job of the values of these fields, in this order; all others are at their default.

    It costs half of what ``BatchJob(...)`` does, which looks up the default of every field that it is not given. As
    with that, nothing is checked here. Raises ``TypeError`` for a field that a batch job does not have, or that it
    needs and is not among the names.
    """
    return _compiled(tuple(names))


@cache
def _compiled(names: tuple[str, ...]) -> Callable[..., BatchJob]:
    defaults = {field.name: field.default for field in fields(BatchJob)}
    unknown = [name for name in names if name not in defaults]
    missing = [name for name, default in defaults.items() if default is MISSING and name not in names]
    if unknown or missing:
        raise TypeError(f"fields of a batch job: {unknown} are unknown, {missing} are missing")
    stores = [f" job.{name} = {name if name in names else f'_{name}'}" for name in defaults]
    lines = [f"def make({', '.join(names)}):", " job = _new(_BatchJob)", *stores, " return job"]
    scope: dict[str, Any] = {f"_{name}": default for name, default in defaults.items()}
    scope |= {"_new": object.__new__, "_BatchJob": BatchJob}
    exec("\n".join(lines), scope)  # as dataclasses make their own __init__
    made: Callable[..., BatchJob] = scope["make"]
    return made
