"""YAML text -> marked tree, safely: no code, no exploding aliases, no deep nesting, no silently repeated keys.

Built on the events of PyYAML's C parser rather than on its composer: the composer recurses in C and dies of a
stack overflow on a few kilobytes of ``[``. Fewer scalars than in YAML 1.1 are anything but text: ``no``, ``12:30:45``
and ``2017-10-03`` are what they look like, and ``6214e9`` and ``007`` stay text because they may be names; where a
number is wanted, ``1e3`` is read as one (see ``quantities``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from simulator.core.errors import InputError, Problem
from simulator.scenario.nodes import MAX_DEPTH, Mark, Node

MAX_BYTES = 16 * 2**20
MAX_ALIASED = 100_000
"""Values that all aliases of a file may expand to together."""

_NULL = re.compile(r"(?:~|null|Null|NULL|)")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER = 300
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is still open."""

    mark: Mark
    mapping: bool
    anchor: str | None
    pairs: dict[str, Node] = field(default_factory=dict)
    merged: dict[str, Node] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    key: str | None = None
    key_mark: Mark | None = None
    merging: bool = False
    """Whether the present key is a plain ``<<``."""
    size: int = 1


def parse(text: str, file: str | None = None, base: str = "", problems: list[Problem] | None = None) -> Node:
    """Return the tree of one YAML document.

    Repeated keys are appended to ``problems`` when it is given (the first one stays). Everything else that is wrong,
    and repeated keys without ``problems``, raises ``InputError`` with file, line, column and the source line.
    """
    if len(text) > MAX_BYTES:
        raise InputError(Problem(f"the file is larger than {MAX_BYTES // 2**20} MiB; is it a scenario?", file=file))
    found: list[Problem] = [] if problems is None else problems
    control = _CONTROL.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        what = f"not a text file: it contains the control character 0x{ord(control[0]):02x}"
        raise InputError(Problem(what, file, line, control.start() - text.rfind("\n", 0, control.start())))
    reader = _Reader(text, file, base, found)
    try:
        root = reader.read()
    except yaml.YAMLError as error:
        raise InputError(_syntax(error, reader)) from None
    if problems is None and found:
        raise InputError(*found)
    return root


class _Reader:
    def __init__(self, text: str, file: str | None, base: str, problems: list[Problem]) -> None:
        self.text, self.file, self.base, self.problems = text, file, base, problems
        self.lines = text.splitlines()
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.aliased = 0
        self.root: Node | None = None

    def read(self) -> Node:
        handlers = {
            yaml.ScalarEvent: self.scalar,
            yaml.AliasEvent: self.alias,
            yaml.MappingStartEvent: self.open,
            yaml.SequenceStartEvent: self.open,
            yaml.MappingEndEvent: self.close,
            yaml.SequenceEndEvent: self.close,
            yaml.DocumentStartEvent: self.document,
        }
        for event in yaml.parse(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            handle = handlers.get(type(event))
            if handle is not None:
                handle(event)
        if self.root is None or self.root.value is None:
            raise InputError(Problem("the file is empty", file=self.file))
        return self.root

    def mark(self, line: int, column: int) -> Mark:
        source = self.lines[line] if line < len(self.lines) else None
        return Mark(self.file, line + 1, column + 1, source, self.base)

    def stop(self, event: Any, text: str, hint: str | None = None) -> InputError:
        mark = self.mark(event.start_mark.line, event.start_mark.column)
        return InputError(Problem(text, mark.file, mark.line, mark.column, None, mark.source, hint))

    def open(self, event: Any) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise self.stop(event, f"nested deeper than {MAX_DEPTH} levels")
        self.refuse_tag(event)
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.mapping and frame.key is None:
            raise self.stop(event, "a key must be a plain word", "put text that starts with { or [ in quotes")
        if event.anchor:
            self.anchors[event.anchor] = None
        mark = self.mark(event.start_mark.line, event.start_mark.column)
        self.stack.append(_Frame(mark, isinstance(event, yaml.MappingStartEvent), event.anchor))

    def document(self, event: Any) -> None:
        if self.root is not None:
            raise self.stop(event, "a second document starts here", "one file holds one scenario: remove '---'")

    def close(self, event: Any) -> None:
        frame = self.stack.pop()
        value = {**frame.merged, **frame.pairs} if frame.mapping else tuple(frame.items)
        self.add(Node(value, frame.mark), frame.size, frame.anchor)

    def scalar(self, event: Any) -> None:
        self.refuse_tag(event)
        control = _CONTROL.search(event.value)
        if control is not None:
            raise self.stop(event, f"the text holds the control character 0x{ord(control[0]):02x}", "leave it out")
        frame = self.stack[-1] if self.stack else None
        mark = self.mark(event.start_mark.line, event.start_mark.column)
        if frame is not None and frame.mapping and frame.key is None:
            frame.key, frame.key_mark = event.value, mark
            frame.merging = event.value == "<<" and event.implicit[0]
            if event.anchor:
                self.anchors[event.anchor] = (Node(event.value, mark), 1)
            return
        plain = event.implicit[0] and event.tag is None
        self.add(Node(resolve(event.value) if plain else event.value, mark), 1, event.anchor)

    def alias(self, event: Any) -> None:
        known = self.anchors.get(event.anchor)
        if known is None:
            inside = event.anchor in self.anchors
            what = f"*{event.anchor} stands inside its own anchor" if inside else f"there is no anchor &{event.anchor}"
            raise self.stop(event, what)
        node, size = known
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise self.stop(event, f"the aliases of this file expand to more than {MAX_ALIASED:,} values")
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.mapping and frame.key is None:
            raise self.stop(event, "an alias cannot be a key")
        self.add(node, size, None)

    def add(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = (node, size)
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.size += size
        if not frame.mapping:
            frame.items.append(node)
            return
        key, mark = frame.key, frame.key_mark
        frame.key = frame.key_mark = None
        if frame.merging:
            frame.merging = False
            self.merge_key(frame, node, mark)
        elif key in frame.pairs:
            first = frame.pairs[key].key
            assert mark is not None
            hint = f"it stands in line {first.line} already; keep one of the two" if first else None
            text = f"the key {key!r} is repeated"
            self.problems.append(Problem(text, mark.file, mark.line, mark.column, None, mark.source, hint))
        elif key is not None:
            frame.pairs[key] = Node(node.value, node.mark, mark)

    def merge_key(self, frame: _Frame, node: Node, mark: Mark | None) -> None:
        parts = node.value if isinstance(node.value, tuple) else (node,)
        if not all(isinstance(part.value, dict) for part in parts):
            mark = mark or node.mark
            text = "'<<' takes a mapping or a list of mappings"
            self.problems.append(Problem(text, mark.file, mark.line, mark.column, None, mark.source))
            return
        for part in parts:
            for key, value in part.value.items():
                frame.merged.setdefault(key, value)

    def refuse_tag(self, event: Any) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise self.stop(event, f"the tag {event.tag!r} is not allowed", "a scenario holds plain data only")


def resolve(text: str) -> Any:
    """Return what a plain scalar means: None, bool, int (``1_000``), float (with a point) or text."""
    if not text or text[0] in "~nN":
        return None if _NULL.fullmatch(text) else text
    if text[0] in "tTfF":
        return text[0] in "tT" if _BOOL.fullmatch(text) else text
    if text[0] not in "+-.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _syntax(error: yaml.YAMLError, reader: _Reader) -> Problem:
    """Say in plain words what the YAML parser stumbled over."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(f"not YAML text: {getattr(error, 'reason', error)}", file=reader.file)
    line, column = error.problem_mark.line, error.problem_mark.column
    mark = reader.mark(line, column)
    context = f" ({error.context})" if error.context and "token" not in error.context else ""
    if context and error.context_mark and error.context_mark.line != line:
        context = f"{context[:-1]} that starts in line {error.context_mark.line + 1})"
    if (mark.source is None or not reader.text[error.problem_mark.index :].strip()) and reader.lines:
        text = f"the file ends too early: {error.problem}{context}"
        mark = reader.mark(len(reader.lines) - 1, len(reader.lines[-1]))
        return Problem(text, mark.file, mark.line, mark.column, None, mark.source, "is the file truncated?")
    hint = "indent with spaces, not with tabs" if "\t" in (mark.source or "") else _syntax_hint(mark)
    text = f"not valid YAML: {error.problem}{context}"
    return Problem(text, mark.file, mark.line, mark.column, None, mark.source, hint)


def _syntax_hint(mark: Mark) -> str | None:
    rest = (mark.source or "")[(mark.column or 1) - 1 :]
    if rest[:1] in ("@", "`", "%", "*", "&", "!"):
        return "put text that starts with a special character in quotes"
    if ": " in rest or rest.startswith(":"):
        return "a value that contains ': ' needs quotes"
    return None
