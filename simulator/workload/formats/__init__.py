"""Trace formats, one file each: a function ``read(path, **options) -> Trace`` marked with ``@reader``.

A module that can write its format too has a function ``write(trace, path)`` beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from simulator.core.errors import InputError, did_you_mean
from simulator.core.registry import Registry
from simulator.workload.files import glance
from simulator.workload.options import checked_options, option_names
from simulator.workload.trace import Trace

Reader = Callable[..., Trace]
R = TypeVar("R", bound=Reader)

formats: Registry[Reader] = Registry("format", "simulator.workload.formats")
_FIXED = ("path",)
_DELIMITERS = ",|\t;"


def reader(name: str, header: tuple[str, ...] = (), begins: Callable[[str], bool] | None = None) -> Callable[[R], R]:
    """Mark a function as the reader of a format, and say how its files are known at a glance.

    That is by the columns of a ``header``, or by how their text ``begins``: a function that is given a few thousand
    characters of it.
    """

    def mark(function: R) -> R:
        function.header = header  # type: ignore[attr-defined]
        function.begins = begins  # type: ignore[attr-defined]
        formats.register(name)(function)
        return function

    return mark


def read_trace(path: str | Path, format: str, **options: Any) -> Trace:
    """Read a trace file, plain or gzip-compressed.

    ``options`` are those of the format. Raises ``InputError`` for an unknown format or option, and for whatever is
    wrong with the file: all problems at once, each with its line.
    """
    read = formats.get(format)
    return read(Path(path), **checked_options(f"format {format!r}", read, options, _FIXED))


def format_options(format: str) -> list[str]:
    """Return the names of the options that a format takes."""
    return option_names(formats.get(format), _FIXED)


def looks_like(line: str) -> str | None:
    """Return the format that a header line belongs to, the one that knows most of its columns first; or None."""
    cells = [{cell.strip() for cell in line.split(delimiter)} for delimiter in _DELIMITERS]
    headers = {name: set(getattr(formats.get(name), "header", ())) for name in formats.names()}
    fits = [name for name, header in headers.items() if header and any(header <= cut for cut in cells)]
    return max(fits, key=lambda name: len(headers[name]), default=None)


def guess_format(path: Path) -> str | None:
    """Return the format that a file looks to be of, by its header or else by how it begins; None if by neither.

    Raises ``InputError`` for a file that is not there or cannot be read.
    """
    text = glance(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    known = {name: getattr(formats.get(name), "begins", None) for name in formats.names()}
    return looks_like(first) or next((name for name, begins in known.items() if begins and begins(text)), None)


def writers() -> list[str]:
    """Return the names of the formats that can be written."""
    return [name for name in formats.names() if _writer(name) is not None]


def write_trace(trace: Trace, path: str | Path, format: str) -> None:
    """Write a trace; ``InputError`` with the nearest choice for a format that can only be read.

    What the format cannot hold is left out, as its ``write`` says.
    """
    formats.get(format)
    write = _writer(format)
    if write is None:
        raise InputError(f"format {format!r} can only be read. {did_you_mean(format, writers())}")
    write(trace, path)


def _writer(format: str) -> Callable[[Trace, str | Path], None] | None:
    return getattr(sys.modules.get(formats.get(format).__module__), "write", None)
