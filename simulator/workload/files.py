"""Files of text as traces come in: found, plain or gzip-compressed, UTF-8; and written whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

from simulator.core.errors import InputError, Problem, nearest

_FOREIGN = {
    b"PK\x03\x04": "a zip or Excel file", b"PAR1": "a Parquet file", b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz", b"(\xb5/\xfd": "compressed with zstd", b"SQLite": "an SQLite database",
    b"{": "JSON", b"[": "JSON",
}  # fmt: skip
_GLANCE = 1 << 14
"""Characters of a file that are looked at to guess its format."""
_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 1 << 20
"""Characters of a line, so that a device or a few kilobytes of compressed zeros cannot fill the memory."""


def check_file(path: Path, json: bool | None = False) -> None:
    """Raise ``InputError`` unless ``path`` is a file that may hold text; name the nearest file of its folder.

    What is wanted is a table, or with ``json`` JSON; either will do if that is None.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a trace file")
    if not path.is_file():
        there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, sorted(there))
        raise InputError(f"there is no file {path}" + (f". Did you mean {close!r}?" if close else ""))
    if ".tar" in path.suffixes or path.suffix == ".tgz":
        raise InputError(Problem("this is a tar archive", file=str(path), hint="Unpack it and name the file inside."))
    with path.open("rb") as file:
        start = file.read(8).lstrip()
    wanted = "JSON" if json else "a table of text"
    for magic, kind in _FOREIGN.items():
        if start.startswith(magic) and kind != ("JSON" if json is None else wanted):
            hint = f"Traces are read from {'JSON' if json else 'delimited text (CSV)'}, plain or gzip-compressed."
            raise InputError(Problem(f"this is {kind}, not {wanted}", file=str(path), hint=hint))


def text_lines(path: Path, pieces: bool = False) -> Generator[str, None, None]:
    """Yield the lines of a plain or gzip-compressed UTF-8 file; raise ``InputError`` where it cannot be read on.

    A line of more than a million characters is an error too, or with ``pieces`` comes in pieces of that length.
    """
    done = 0
    try:
        with path.open("rb") as raw, io.TextIOWrapper(_unpacked(raw), encoding="utf-8-sig", newline="") as text:
            while line := text.readline(_LONGEST_LINE):
                if len(line) == _LONGEST_LINE and not pieces:
                    told = f"this line is longer than {_LONGEST_LINE:,} characters"
                    hint = "Is this a table of text?"
                    raise InputError(Problem(told, file=str(path), line=done + 1, hint=hint))
                yield line
                done += 1
    except (EOFError, zlib.error, gzip.BadGzipFile):
        told = f"the gzip data break off after line {done}: the file is truncated or damaged"
        raise InputError(Problem(told, file=str(path), hint="Copy or download it again.")) from None
    except UnicodeDecodeError:
        number, byte = _not_utf8(path)
        told = f"this is not UTF-8 text (byte 0x{byte:02x})"
        raise InputError(Problem(told, file=str(path), line=number, hint="Save it as UTF-8.")) from None


def glance(path: Path) -> str:
    """Return the first few thousand characters of a text file; ``InputError`` where it cannot be read."""
    check_file(path, json=None)
    text = ""
    with closing(text_lines(path, pieces=True)) as pieces:
        for piece in pieces:
            text += piece
            if len(text) >= _GLANCE:
                break
    return text


@contextmanager
def new_file(path: str | Path) -> Iterator[TextIO]:
    """Open a text file to write (UTF-8, gzip-compressed if called ``.gz``); it is there whole or not at all."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as raw, io.TextIOWrapper(_packed(raw, path), "utf-8", newline="") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_rows(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file (UTF-8, Unix line ends), gzip-compressed if it is called ``.gz``; all of it or nothing."""
    with new_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _unpacked(raw: io.BufferedReader) -> Any:
    return gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == _GZIP else raw


def _packed(raw: Any, path: Path) -> Any:
    return gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw


def _not_utf8(path: Path) -> tuple[int, int]:
    """Find the first line, and the byte in it, that is not UTF-8."""
    with path.open("rb") as raw:
        for number, line in enumerate(_unpacked(raw), start=1):
            try:
                line.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                return number, line[error.start]
    return 1, 0
