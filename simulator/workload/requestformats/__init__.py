"""Formats of request logs, one file each: a function ``read(path, **options) -> RequestLog`` under ``@reader``.

A module that can write its format too has a function ``write(log, path)`` beside it.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.registry import Registry
from simulator.workload.files import glance
from simulator.workload.options import checked_options, option_names
from simulator.workload.requestlog import RequestLog

Reader = Callable[..., RequestLog]
R = TypeVar("R", bound=Reader)

request_formats: Registry[Reader] = Registry("request format", "simulator.workload.requestformats")
FIXED = ("path",)
"""Parameters of a reader that the caller fills in; all others are options."""


def reader(name: str, begins: Callable[[str], bool], any_names: bool = False) -> Callable[[R], R]:
    """Mark a function as the reader of a format; ``begins`` tells its files by the first few thousand characters.

    A file that begins otherwise, as one of another format does, is refused by that format's name, unless the user may
    say what its columns are called (``any_names``); what else is wrong with it is followed by what the format expects.
    """

    def mark(function: R) -> R:
        @functools.wraps(function)
        def read(path: str | Path, *rest: Any, **options: Any) -> RequestLog:
            text = _beginning(path)
            alien = text is not None and not begins(text)
            if alien and not any_names:
                _suspect_other_format(name, Path(path), str(text))
            try:
                return function(path, *rest, **options)
            except InputError as error:
                if not alien or any_names:
                    raise
                told = Problem(f"it does not begin as format {name!r} does", file=str(path), hint=_expected(name))
                raise InputError(*error.problems, told) from None

        read.begins = begins  # type: ignore[attr-defined]
        request_formats.register(name)(read)
        return cast(R, read)

    return mark


def _beginning(path: str | Path) -> str | None:
    """Return how a file begins; None where it is none, or cannot be read, which its reader will tell."""
    try:
        return glance(Path(path))
    except InputError:
        return None


def _expected(name: str) -> str:
    """Say what a format reads, in the words of its reader."""
    return f"{name} reads: {inspect.getdoc(request_formats.get(name)) or name}".partition("\n")[0]


def _suspect_other_format(name: str, path: Path, text: str) -> None:
    other = next((each for each in request_formats.names() if each != name and _begins(each, text)), None)
    if other is not None:
        told = f"this looks like a log of format {other!r}, not {name!r}"
        raise InputError(Problem(told, file=str(path), hint=f"Use {other!r}. {_expected(name)}"))


def _begins(name: str, text: str) -> bool:
    begins = getattr(request_formats.get(name), "begins", None)
    return begins is not None and bool(begins(text))


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
    return next((name for name in request_formats.names() if _begins(name, text)), None)


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
