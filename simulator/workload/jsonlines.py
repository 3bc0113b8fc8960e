"""Files with one JSON object a line, read as tables: the same checks, and the same words, as for delimited text."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.workload.files import check_file, text_lines
from simulator.workload.rows import Book, Rows
from simulator.workload.trace import Columns

_CHUNK = 65536
"""Lines that are parsed at a time, or fewer where their lists are long: those with so many elements together."""
_HEAVY = 1_000_000


class JsonLines:
    """A file with one JSON object a line, plain or gzip-compressed.

    ``required`` keys must stand in every line, ``known`` are those that may (None: those of the first line, or with
    ``every`` those of any line, for which the file is read twice); ``first`` has the line of each that was found so.
    Values become cells: numbers and texts as they are written, ``null`` and a key that is not there an empty one, and
    lists stay lists (``Rows.lists``). Raises ``InputError`` for a file that is missing, empty or of another kind.
    """

    def __init__(
        self,
        path: str | Path,
        what: str,
        required: Collection[str] = (),
        known: Collection[str] | None = None,
        every: bool = False,
    ) -> None:
        self.path = Path(path)
        self.book = Book(str(path))
        self._what = what
        check_file(self.path, json=True)
        self.first: dict[str, int] = {}
        some = False
        for line, record in json_objects(self.path, what):
            some = True
            for name in record:
                self.first.setdefault(name, line)
            if not every:
                break
        if not some:
            raise InputError(Problem(f"the file is empty; it should hold one of the {what} a line", file=str(path)))
        keys = list(self.first) if known is None else [*known]
        self.header = self.book.header = list(dict.fromkeys([*required, *keys]))
        self._required = tuple(required)

    def gather(self, parse: Callable[[Rows], Columns]) -> Columns:
        """Apply ``parse`` to all rows and join what it returns; raise the problems that were found."""
        parts = [parse(rows) for rows in self._rows()]
        self.book.problems.check()
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _rows(self) -> Iterator[Rows]:
        cells: list[list[Any]] = []
        lines: list[int] = []
        first = 1
        weight = 0
        for line, record in json_objects(self.path, self._what):
            self._check_keys(record, line)
            cells.append([_cell(record.get(name)) for name in self.header])
            lines.append(line)
            weight += sum(len(cell) for cell in cells[-1] if isinstance(cell, list))
            if len(cells) == _CHUNK or weight > _HEAVY:
                yield Rows(self.book, cells, np.array(lines), np.arange(first, first + len(cells)))
                first += len(cells)
                cells, lines, weight = [], [], 0
        if cells:
            yield Rows(self.book, cells, np.array(lines), np.arange(first, first + len(cells)))

    def _check_keys(self, record: dict[str, Any], line: int) -> None:
        for name in self._required:
            if name not in record:
                self.book.problems.add(f"there is no key {name!r}", line=line, hint=did_you_mean(name, record))
        for name in record:
            if name not in self.header:
                hint = did_you_mean(name, self.header)
                self.book.problems.add(f"unknown key {name!r}", line=line, hint=hint)


def json_objects(path: Path, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line that is not empty, and its object; ``InputError`` for what is no JSON object."""
    with closing(text_lines(path)) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                told = getattr(error, "msg", "nested too deeply")
                hint = f"One of the {what} is wanted on each line, as a JSON object {{...}}."
                text = f"this line is not JSON: {told[0].lower()}{told[1:]}"
                raise InputError(Problem(text, file=str(path), line=number, hint=hint)) from None
            if not isinstance(found, dict):
                text = f"this line is not a JSON object {{...}}, as each of the {what} is"
                raise InputError(Problem(text, file=str(path), line=number))
            yield number, found


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str | list):
        return value
    return json.dumps(value)
