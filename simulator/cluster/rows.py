"""YAML rows to records: every scalar is read as text and parsed by the annotation of its field.

So ``1e3``, ``no``, ``0x10`` and dates are what was written and not what YAML makes of them, a repeated key is an error,
and every problem of a file is reported at once with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from simulator.cluster.records import KINDS, Record
from simulator.core.errors import InputError, Problem, did_you_mean
from simulator.core.units import UnitError, parse

if TYPE_CHECKING:
    from yaml.nodes import Node

R = TypeVar("R", bound=Record)
_SECTIONS = {cls.section: cls for cls in KINDS.values()}
_PATTERNS = {
    "id": (re.compile(r"[a-z0-9][a-z0-9._@/+-]*"), "an id has lower-case letters, digits and . _ @ / + -"),
    "date": (re.compile(r"\d{4}(-\d\d){0,2}"), "a date is 2025, 2025-03 or 2025-03-31"),
}


@dataclass(frozen=True)
class Rows:
    """Records by class, and the line that each one starts on."""

    records: Mapping[type[Record], tuple[Record, ...]] = field(default_factory=dict)
    lines: Mapping[tuple[type[Record], str], int] = field(default_factory=dict)

    def of(self, cls: type[R]) -> tuple[R, ...]:
        """All records of one class, in the order of the file."""
        return cast("tuple[R, ...]", self.records.get(cls, ()))

    def all(self) -> Iterator[Record]:
        """All records."""
        for cls in KINDS.values():
            yield from self.of(cls)

    def line(self, record: Record) -> int:
        """Line of the file that the record starts on."""
        return self.lines[type(record), record.id]

    def joined(self, other: Rows) -> Rows:
        """Both."""
        return Rows({cls: self.of(cls) + other.of(cls) for cls in KINDS.values()}, {**self.lines, **other.lines})

    def changed(self, change: Callable[[Record], Record]) -> Rows:
        """The same rows after ``change``."""
        return Rows({cls: tuple(map(change, self.of(cls))) for cls in KINDS.values()}, self.lines)


def read_rows(path: Path) -> Rows:
    """Read a file of records: ``version`` and one list of rows per section (``accelerators``, ``servers``, ...).

    Raises ``InputError`` with every problem of the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror}", str(path))) from None
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"is not UTF-8 text (byte {error.start})", str(path))) from None
    reader = _Reader(str(path), text)
    rows = reader.read()
    if reader.problems:
        raise InputError(*reader.problems)
    return rows


@cache
def _annotations(cls: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {item.name: hints[item.name] for item in fields(cls)}


@cache
def _required(cls: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls) if item.default is MISSING and item.default_factory is MISSING)


class _Reader:
    """Turns the YAML nodes of one file into records and collects what is wrong on the way."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.lines = text.split("\n")
        self.problems: list[Problem] = []

    def read(self) -> Rows:
        root = self._compose()
        if root is None:
            return Rows()
        sections = self._mapping(root, "")
        version = self._convert(sections.pop("version")[1], str, "version") if "version" in sections else None
        if version is None and not self.problems:
            self._complain(root, "there is no 'version'", hint="write a line as  version: '2026.1'  at the top")
        records: dict[type[Record], tuple[Record, ...]] = {}
        lines: dict[tuple[type[Record], str], int] = {}
        for name, (key, node) in sections.items():
            if name not in _SECTIONS:
                self._complain(key, f"unknown section {name!r}", hint=did_you_mean(name, _SECTIONS))
                continue
            cls = _SECTIONS[name]
            records[cls] = tuple(self._section(cls, node, str(version), lines))
        return Rows(records, lines)

    def _compose(self) -> Node | None:
        import yaml

        loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        try:
            root: Node | None = yaml.compose(self.text, Loader=loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
            self.problems.append(Problem(f"is not YAML: {error.problem}", self.file, line, column))
            return None
        except yaml.YAMLError as error:
            self.problems.append(Problem(f"is not YAML: {' '.join(str(error).split())}", self.file))
            return None
        if root is None:
            self.problems.append(Problem("is empty", self.file, hint=f"sections: {', '.join(_SECTIONS)}"))
        return root

    def _section(
        self, cls: type[Record], node: Node, version: str, lines: dict[tuple[type[Record], str], int]
    ) -> Iterator[Record]:
        for index, row in enumerate(self._sequence(node, cls.section)):
            record = self._record(cls, row, version, f"{cls.section}[{index}]")
            if record is None:
                continue
            line = row.start_mark.line + 1
            first = lines.setdefault((cls, record.id), line)
            if first != line:
                self._complain(row, f"id {record.id!r} is already taken in line {first}", cls.section)
            yield record

    def _record(self, cls: type[Record], row: Node, version: str, path: str) -> Record | None:
        before = len(self.problems)
        items = self._mapping(row, path)
        if len(self.problems) > before:
            return None
        if "id" in items and isinstance(items["id"][1].value, str):
            path = f"{path} {items['id'][1].value}"
        known = _annotations(cast("Hashable", cls))
        values: dict[str, Any] = {"version": version}
        for name, (key, node) in items.items():
            if name in known:
                values[name] = self._convert(node, known[name], f"{path}.{name}")
            else:
                self._complain(key, f"unknown key {name!r}", path, did_you_mean(name, known, limit=40))
        missing = [name for name in _required(cast("Hashable", cls)) if name not in values]
        if missing:
            self._complain(row, f"there is no {', '.join(map(repr, missing))}", path)
        if len(self.problems) > before:
            return None
        record = cls(**values)
        fault = record.fault()
        if fault:
            self._complain(row, fault, path)
        return record

    def _convert(self, node: Node, annotation: Any, path: str) -> Any:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if NoneType in arguments:
            return self._convert(node, arguments[0], path)
        if origin is dict:
            return {
                name: self._convert(value, arguments[1], f"{path}.{name}")
                for name, (_, value) in self._mapping(node, path).items()
            }
        if origin is tuple:
            return tuple(self._convert(item, arguments[0], path) for item in self._sequence(node, path))
        if not isinstance(node.value, str):
            return self._complain(node, "must be a single value, not a list or a mapping", path)
        if not node.value:
            return self._complain(node, "has no value", path, "leave the key out when it is not known")
        try:
            return _scalar(node.value, annotation, path.rpartition(".")[2])
        except ValueError as error:
            return self._complain(node, str(error), path)

    def _mapping(self, node: Node, path: str) -> dict[str, tuple[Node, Node]]:
        """Key text -> the nodes of the key and of its value."""
        from yaml.nodes import MappingNode, ScalarNode

        if not isinstance(node, MappingNode):
            self._complain(node, "must be 'key: value' pairs", path)
            return {}
        items: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._complain(key, "a key must be plain text", path)
            elif key.value in items:
                self._complain(key, f"key {key.value!r} stands here twice", path)
            else:
                items[key.value] = (key, value)
        return items

    def _sequence(self, node: Node, path: str) -> list[Node]:
        from yaml.nodes import SequenceNode

        if not isinstance(node, SequenceNode):
            self._complain(node, "must be a list", path)
            return []
        return list(node.value)

    def _complain(self, node: Node, text: str, path: str = "", hint: str | None = None) -> None:
        mark = node.start_mark
        source = self.lines[mark.line] if mark.line < len(self.lines) else None
        self.problems.append(Problem(text, self.file, mark.line + 1, mark.column + 1, path or None, source, hint))


def _scalar(text: str, annotation: Any, key: str) -> Any:
    if get_origin(annotation) is Annotated:
        return _quantity(text, get_args(annotation)[1].name)
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        if text not in choices:
            raise ValueError(f"unknown {key} {text!r}. {did_you_mean(text, choices)}")
    if annotation is bool:
        if text not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text == "true"
    if annotation is int:
        if not re.fullmatch(r"[0-9]+", text) or int(text) == 0:
            raise ValueError(f"{text!r} is not a whole number of 1 or more")
        return int(text)
    if key in _PATTERNS and not _PATTERNS[key][0].fullmatch(text):
        raise ValueError(f"{text!r} will not do: {_PATTERNS[key][1]}")
    return text


def _quantity(text: str, dimension: str) -> float:
    value = parse(text, dimension)
    if value == 0 and dimension != "time":
        raise UnitError(f"{text!r} is zero; leave the key out when it is not known")
    return value
