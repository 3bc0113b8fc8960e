"""Trace formats, one file each: a function ``read(path, **options) -> Trace`` marked with ``@reader``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from simulator.core.registry import Registry
from simulator.workload.options import checked_options, option_names
from simulator.workload.trace import Trace

Reader = Callable[..., Trace]
R = TypeVar("R", bound=Reader)

formats: Registry[Reader] = Registry("format", "simulator.workload.formats")
_FIXED = ("path",)
_DELIMITERS = ",|\t;"


def reader(name: str, header: tuple[str, ...] = ()) -> Callable[[R], R]:
    """Mark a function as the reader of a format, and say by which columns its files are known at a glance."""

    def mark(function: R) -> R:
        function.header = header  # type: ignore[attr-defined]
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
