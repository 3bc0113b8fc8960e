"""Labels and taints of servers, as mappings, pairs or text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Labels = tuple[tuple[str, str], ...]
"""Pairs of name and value, sorted by name."""


def as_labels(given: Any) -> Labels:
    """Return labels given as a mapping, as pairs or as text; raise ``ValueError`` saying what is wrong.

    >>> as_labels("zone=b, disk=ssd"), as_labels({"zone": "b"})
    ((('disk', 'ssd'), ('zone', 'b')), (('zone', 'b'),))
    """
    if isinstance(given, str):
        parts = [part.strip() for part in given.split(",") if part.strip()]
        wrong = next((part for part in parts if "=" not in part or part.startswith("=")), None)
        if wrong is not None:
            raise ValueError(f"label {wrong!r} is not name=value")
        pairs = [tuple(part.split("=", 1)) for part in parts]
    else:
        pairs = _pairs(given)
    labels = tuple(sorted((str(name).strip(), str(value).strip()) for name, value in pairs))
    names = [name for name, _ in labels]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise ValueError(f"label {twice!r} stands there twice")
    return labels


def as_names(given: Any) -> tuple[str, ...]:
    """Return names given as text with commas or as a sequence, each once, in the order given.

    >>> as_names("spot, gpu"), as_names(["gpu", "gpu"])
    (('spot', 'gpu'), ('gpu',))
    """
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise ValueError(f"{given!r} is not a list of names")
    return tuple(dict.fromkeys(str(name).strip() for name in given if str(name).strip()))


def _pairs(given: Any) -> list[tuple[Any, ...]]:
    if isinstance(given, Mapping):
        return list(given.items())
    try:
        pairs = [tuple(pair) for pair in given]
    except TypeError:
        pairs = [()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"labels {given!r} are not names with values")
    return pairs
