"""A tree of values that know where they were written: what every scenario is made of before it is checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from simulator.core.errors import InputError, Problem, did_you_mean

Path = tuple[str | int, ...]
"""Keys and list positions that lead from the top of a file to a value."""

KIND_KEYS = ("kind", "build")
SOURCE_KEYS = ("build", "file", "trace", "generate", "jobs", "transfers", "service")
SHORTHAND = {
    "scheduler": "kind", "placement": "kind", "autoscaler": "kind", "interference": "kind", "topology": "file",
}  # fmt: skip
"""Sections that may be written as one name, and the key that this name then stands for."""
FREE_NAMES = ("workload", "compare", "partitions", "node_groups", "regions")
"""Sections whose keys are names that the user made up."""
SERVICE = "service"
"""Key that tells a service from other workloads: below one, sections that are not there can be set."""
SERVICE_SHORTHAND = ("engine", "router", "replicas", "batching", "order")
"""Parts of a service that may be written as one name, which then stands for its ``kind``."""
MAX_DEPTH = 50
"""Levels that mappings and lists may be nested."""


class Mark(NamedTuple):
    """Where something was written.

    ``line`` and ``column`` count from 1; ``source`` is the text of the line; ``base`` is the folder that relative
    paths in this place start from. A value given from the command line or from Python has no file.
    """

    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None
    base: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place: a scalar, a dict of nodes, a tuple of nodes, or (from Python only) any object."""

    value: Any
    mark: Mark
    key: Mark | None = None
    """Where its key stands, when it is a value of a mapping."""

    def find(self, path: Path) -> Node | None:
        """Return the node at ``path``; None when there is none."""
        node: Node | None = self
        for part in path:
            node = node.child(part) if node is not None else None
        return node

    def child(self, part: str | int) -> Node | None:
        """Return the value of one key, or the item at one position; None when there is none."""
        if isinstance(self.value, dict):
            found = self.value.get(part)
            return found if isinstance(found, Node) else None
        if isinstance(self.value, tuple) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]  # type: ignore[no-any-return]
        return None

    def plain(self) -> Any:
        """Return the value without its marks: dicts, lists, scalars and objects."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def problem(self, path: Path, text: str, hint: str | None = None, at_key: bool = False) -> Problem:
        """Return a problem with what stands at ``path``, or at the nearest place above it that exists."""
        node: Node = self
        for part in path:
            below = node.child(part)
            if below is None:
                break
            node = below
        mark = node.mark
        if node.key is not None and (at_key or isinstance(node.value, dict | tuple) or mark.line is None):
            mark = node.key
        return Problem(text, mark.file, mark.line, mark.column, dotted(path) or None, mark.source, hint)


def dotted(path: Path) -> str:
    """Write a path as people do: ``workload.research.jobs.0.submit``."""
    return ".".join(map(str, path))


def from_python(value: Any, mark: Mark | None = None, depth: int = 0) -> Node:
    """Turn plain Python data into nodes; numpy scalars become Python numbers, anything unknown stays an object.

    Raises ``InputError`` for data nested deeper than a file may be, such as a list that contains itself.
    """
    mark = mark or Mark(base=os.getcwd())
    if depth > MAX_DEPTH:
        raise InputError(f"nested deeper than {MAX_DEPTH} levels: does a list or mapping contain itself?")
    if isinstance(value, Mapping):
        pairs = ((str(key), from_python(item, mark, depth + 1)) for key, item in value.items())
        return Node({key: replace(node, key=mark) for key, node in pairs}, mark)
    if isinstance(value, list | tuple):
        return Node(tuple(from_python(item, mark, depth + 1) for item in value), mark)
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return Node(value.item(), mark)
    return Node(os.fspath(value) if isinstance(value, os.PathLike) else value, mark)


def merge(under: Node, over: Node) -> Node:
    """Lay ``over`` on ``under``: mappings merge key by key, anything else is replaced.

    A mapping that names another ``kind:``, ``build:`` or source of work than the one under it replaces it whole,
    because the parameters of the one mean nothing to the other.
    """
    if not (isinstance(under.value, dict) and isinstance(over.value, dict)) or _another_kind(under.value, over.value):
        return over
    merged = dict(under.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(over, value=merged)


def _another_kind(under: Mapping[str, Node], over: Mapping[str, Node]) -> bool:
    if any(key in under and key in over and under[key].value != over[key].value for key in KIND_KEYS):
        return True
    old, new = _source(under), _source(over)
    return bool(old and new and old != new)


def _source(mapping: Mapping[str, Node]) -> str | None:
    """Return the key that says where work or a cluster comes from; ``jobs`` is one only as a list."""
    return next((key for key in SOURCE_KEYS if key in mapping and (key != "jobs" or _is_list(mapping[key]))), None)


def _is_list(node: Node) -> bool:
    return isinstance(node.value, tuple)


def put(root: Node, path: Path, value: Node) -> Node | Problem:
    """Return ``root`` with ``value`` at ``path``, or the problem that stops it.

    The last key may be new, and missing mappings on the way are made; a missing name (of a workload, say) or list
    position is a problem.
    """
    in_service = path[0] == "workload" and root.find((*path[:2], SERVICE)) is not None
    return _put(root, path, 0, value, in_service)


def _put(node: Node, path: Path, depth: int, value: Node, in_service: bool) -> Node | Problem:
    if depth == len(path):
        return replace(value, key=value.key or value.mark)
    part, last = path[depth], depth == len(path) - 1
    node = _unfold(node, path[:depth], in_service)
    if isinstance(node.value, tuple):
        return _put_item(node, path, depth, value, in_service)
    if not isinstance(node.value, dict):
        where = dotted(path[:depth]) or "the scenario"
        return value.problem((), f"{dotted(path)!r} cannot be set: {where} is not a mapping")
    below = node.value.get(part)
    if below is None:
        if not last and depth > 0 and path[0] in FREE_NAMES and not in_service:
            return _unknown(value, path, depth, node.value)
        below = Node({}, value.mark, value.mark)
    changed = _put(below, path, depth + 1, value, in_service)
    return changed if isinstance(changed, Problem) else replace(node, value={**node.value, part: changed})


def _put_item(node: Node, path: Path, depth: int, value: Node, in_service: bool) -> Node | Problem:
    items: Sequence[Node] = node.value
    text = str(path[depth])
    if not text.isdigit() or int(text) >= len(items):
        return _unknown(value, path, depth, map(str, range(len(items))))
    changed = _put(items[int(text)], path, depth + 1, value, in_service)
    if isinstance(changed, Problem):
        return changed
    return replace(node, value=(*items[: int(text)], changed, *items[int(text) + 1 :]))


def _unfold(node: Node, path: Path, in_service: bool) -> Node:
    """Turn a section written as one name into the mapping it stands for."""
    if in_service and isinstance(node.value, str) and path[-1] in SERVICE_SHORTHAND:
        return replace(node, value={"kind": replace(node, key=node.key)})
    if len(path) == 1 and isinstance(node.value, str) and path[0] in SHORTHAND:
        return replace(node, value={SHORTHAND[str(path[0])]: replace(node, key=node.key)})
    return node


def _unknown(value: Node, path: Path, depth: int, choices: Any) -> Problem:
    above = dotted(path[:depth]) or "the scenario"
    text = f"{dotted(path)!r} cannot be set: {above} has no {str(path[depth])!r}"
    return value.problem((), text, did_you_mean(str(path[depth]), choices))
