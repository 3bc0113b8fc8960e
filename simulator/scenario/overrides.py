"""Changes laid over a scenario: ``--set key.path=value`` texts and mappings from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from simulator.core.errors import InputError, Problem
from simulator.scenario.nodes import Mark, Node, Path, from_python, put
from simulator.scenario.yamltext import parse

Override = str | Mapping[str, Any]
"""``"key.path=value"``, or a mapping of key paths to values."""


def settings(overrides: Override | Iterable[Override]) -> list[tuple[Path, Node]]:
    """Split overrides into paths and values; the text of a value is YAML.

    Raises ``InputError`` for a text without ``=`` or a value that is not YAML.
    """
    if isinstance(overrides, str | Mapping):
        overrides = (overrides,)
    found: list[tuple[Path, Node]] = []
    for override in overrides:
        if isinstance(override, str):
            found.append(_setting(override))
        else:
            found.extend((path_of(key), from_python(value, _mark(key, value))) for key, value in override.items())
    return found


def path_of(key: str) -> Path:
    """Split a dotted key."""
    parts = tuple(key.split("."))
    if not all(parts):
        raise InputError(Problem(f"{key!r} is not a key path", hint="write for example topology.link"))
    return parts


def is_path(axis: str) -> bool:
    """Whether an axis of a comparison is a key path, whose alternatives are values of that key."""
    return "." in axis


def label(axis: str, value: Any) -> str:
    """Name of the alternative that is ``value`` in a list: itself, or ``tp 4`` for a number at ``a.tp``."""
    return value if isinstance(value, str) else f"{axis.rpartition('.')[2]} {str(value).lower()}"


def apply(root: Node, changes: Iterable[tuple[Path, Node]], problems: list[Problem] | None = None) -> Node:
    """Return ``root`` with all changes; a value of nothing (null) takes a section back to its default.

    Changes that cannot be made are appended to ``problems``, or raised as one ``InputError`` without it.
    """
    found: list[Problem] = [] if problems is None else problems
    for path, value in changes:
        if path[0] == "include":
            found.append(value.problem((), "'include' cannot be overridden: it is read before"))
            continue
        changed = put(root, path, value)
        if isinstance(changed, Problem):
            found.append(changed)
        else:
            root = changed
    if problems is None and found:
        raise InputError(*found)
    return root


def _setting(text: str) -> tuple[Path, Node]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(Problem(f"--set {text!r} is not KEY=VALUE", hint="write for example --set topology.link=NAME"))
    mark = Mark(source=f"--set {text}", base=os.getcwd())
    if not value.strip():
        return path_of(key.strip()), Node(None, mark)
    try:
        parsed = parse(value)
    except InputError as error:
        text = f"the value of --set is not YAML: {error.problems[0].text.partition(' (')[0]}"
        raise InputError(Problem(text, source=mark.source)) from None
    return path_of(key.strip()), _moved(parsed, mark)


def _mark(key: str, value: Any) -> Mark:
    shown = repr(value) if isinstance(value, str | int | float) else f"<{type(value).__name__}>"
    return Mark(source=f"{key} = {shown}", base=os.getcwd())


def _moved(node: Node, mark: Mark) -> Node:
    """Place all of a tree at one mark."""
    value = node.value
    if isinstance(value, dict):
        value = {key: _moved(item, mark) for key, item in value.items()}
    elif isinstance(value, tuple):
        value = tuple(_moved(item, mark) for item in value)
    return Node(value, mark, mark if node.key is not None else None)
