"""Formats of request logs, one file each: a function ``read(path, **options) -> RequestLog`` under ``@reader``.

A module that can write its format too has a function ``write(log, path)`` beside it.
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
from simulator.workload.requestlog import RequestLog

Reader = Callable[..., RequestLog]
R = TypeVar("R", bound=Reader)

request_formats: Registry[Reader] = Registry("request format", "simulator.workload.requestformats")
FIXED = ("path",)
"""Parameters of a reader that the caller fills in; all others are options."""


def reader(name: str, begins: Callable[[str], bool]) -> Callable[[R], R]:
    """Mark a function as the reader of a format; ``begins`` tells its files by the first few thousand characters."""

    def mark(function: R) -> R:
        function.begins = begins  # type: ignore[attr-defined]
        request_formats.register(name)(function)
        return function

    return mark


def headed(*columns: str) -> Callable[[str], bool]:
    """Return a test whether a text begins with a header that has these columns."""

    def begins(text: str) -> bool:
        line = next((line for line in text.splitlines() if line.strip()), "")
        return {*columns} <= {cell.strip().strip('"') for cell in line.split(",")}

    return begins


def keyed(*keys: str, without: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """Return a test whether a text begins with a JSON object that has these keys, and not those."""

    def begins(text: str) -> bool:
        line = text.lstrip().partition("\n")[0]
        named = [f'"{key}"' in line for key in (*keys, *without)]
        return line.startswith("{") and all(named[: len(keys)]) and not any(named[len(keys) :])

    return begins


def read_requests(path: str | Path, format: str, **options: Any) -> RequestLog:
    """Read a log of requests, plain or gzip-compressed.

    ``options`` are those of the format. Raises ``InputError`` for an unknown format or option, and for whatever is
    wrong with the file: all problems at once, each with its line.
    """
    read = request_formats.get(format)
    return read(Path(path), **checked_options(f"request format {format!r}", read, options, FIXED))


def request_format_options(format: str) -> list[str]:
    """Return the names of the options that a format takes."""
    return option_names(request_formats.get(format), FIXED)


def guess_request_format(path: Path) -> str | None:
    """Return the format that a log looks to be of, by how it begins; None if it looks like none.

    Raises ``InputError`` for a file that is not there or cannot be read.
    """
    text = glance(path)
    known = {name: getattr(request_formats.get(name), "begins", None) for name in request_formats.names()}
    return next((name for name, begins in known.items() if begins and begins(text)), None)


def request_writers() -> list[str]:
    """Return the names of the formats that can be written."""
    return [name for name in request_formats.names() if _writer(name) is not None]


def write_requests(log: RequestLog, path: str | Path, format: str) -> None:
    """Write a log; ``InputError`` with the nearest choice for a format that can only be read.

    What the format cannot hold is left out, as its ``write`` says.
    """
    write = _writer(format)
    if write is None:
        raise InputError(f"request format {format!r} can only be read. {did_you_mean(format, request_writers())}")
    write(log, path)


def _writer(format: str) -> Callable[[RequestLog, str | Path], None] | None:
    return getattr(sys.modules.get(request_formats.get(format).__module__), "write", None)
