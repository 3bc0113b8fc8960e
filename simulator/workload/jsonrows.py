"""Files that are one JSON list of objects: read element by element, strictly, in little memory.

Traces of this kind weigh hundreds of megabytes, on one line or on millions. Only one element at a time is held as
text, and what is wrong is told with the line on which it stands. Stricter than JSON asks for: a key may stand in an
object only once, and NaN and Infinity are no numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from simulator.core.errors import InputError, Problem
from simulator.workload.files import check_file, text_lines

_BLANKS = " \t\r\n"
_LEAST = 1 << 16
"""Characters that are read at a time, at least."""
_LONGEST = 1 << 24
"""Characters that one element of the list may have."""
_CUT = 32
"""So near to the end of what was read, an error may only mean that a word, number or escape goes on."""


def json_objects(path: Path, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each object of a file that is one JSON list of ``what``, with the line on which it begins.

    The file is plain or gzip-compressed UTF-8. Raises ``InputError`` with file and line for all that is no JSON, for
    elements that are no objects, longer than 16 million characters or nested too deeply, and for text after the list.
    """
    check_file(path, json=True)
    text = _Text(path)
    with closing(text):
        yield from _elements(text, what)


def _elements(text: _Text, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    first = text.next()
    if first != "[":
        found = "empty" if not first else "a single JSON object" if first == "{" else "not JSON"
        raise text.wrong(f"this file is {found}; a list [...] of {what} is wanted")
    text.at += 1
    if text.next() == "]":
        raise text.wrong(f"the list holds no {what}")
    while True:
        yield text.element(what)
        mark = text.next()
        if mark not in (",", "]"):
            raise text.wrong(f"{mark!r} stands where a comma or the end of the list should" if mark else _cut(what))
        text.at += 1
        if mark == "]":
            break
    if text.next():
        raise text.wrong("there is more text after the end of the list")


def _cut(what: str) -> str:
    return f"the file ends inside the list of {what}: it is cut short"


class _Text:
    """The part of a file that is looked at, and ``at``, the position in it; lines are counted up to ``_counted``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pieces = text_lines(path, pieces=True)
        self._text = ""
        self._line = 1
        self._counted = 0
        self.at = 0
        self._decoder = json.JSONDecoder(object_pairs_hook=_no_key_twice, parse_constant=_no_constant)

    def close(self) -> None:
        """Let go of the file."""
        self._pieces.close()

    def next(self) -> str:
        """Go to the next character that is no blank and return it; the empty text at the end of the file."""
        while True:
            text, length = self._text, len(self._text)
            while self.at < length and text[self.at] in _BLANKS:
                self.at += 1
            if self.at < length:
                return text[self.at]
            if not self._more():
                return ""

    def element(self, what: str) -> tuple[int, dict[str, Any]]:
        """Read the object at the present position; return the line on which it begins, and the object."""
        start = self.next()
        if start != "{":
            raise self.wrong(
                f"one of the {what} begins with {start!r}; each is an object {{...}}" if start else _cut(what)
            )
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self.at)
            except json.JSONDecodeError as error:
                self._read_on(error, what)
            except RecursionError:
                raise self.wrong("lists and objects are nested too deeply here") from None
            except ValueError as error:
                raise self.wrong(f"this is not JSON: {error}") from None
            else:
                self._line, self._counted = self._here(), self.at
                self.at = end
                return self._line, found

    def wrong(self, text: str, at: int | None = None) -> InputError:
        """Return the error that says what is wrong at a position, here unless said."""
        return InputError(Problem(text, file=str(self._path), line=self._here(at)))

    def _read_on(self, error: json.JSONDecodeError, what: str) -> None:
        """Read more of the file if that may mend the error; raise it otherwise."""
        certain = error.pos < len(self._text) - _CUT and not error.msg.startswith("Unterminated string")
        if not certain and len(self._text) - self.at > _LONGEST:
            raise self.wrong(f"one of the {what} is longer than {_LONGEST:,} characters")
        before = self.at
        if certain or not self._more():
            at = error.pos - before + self.at
            cut = at >= len(self._text.rstrip()) or error.msg.startswith("Unterminated string")
            raise self.wrong(_cut(what) if cut else f"this is not JSON: {error.msg[0].lower()}{error.msg[1:]}", at)

    def _here(self, at: int | None = None) -> int:
        return self._line + self._text.count("\n", self._counted, self.at if at is None else at)

    def _more(self) -> bool:
        """Read as much again as is held, and let go of what lies before the present position."""
        self._line = self._here()
        parts, length = [self._text[self.at :]], 0
        self.at = self._counted = 0
        wanted = max(_LEAST, len(parts[0]))
        while length < wanted and (piece := next(self._pieces, "")):
            parts.append(piece)
            length += len(piece)
        self._text = "".join(parts)
        return length > 0


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} stands there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
