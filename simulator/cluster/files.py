"""Topologies as YAML files."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

import yaml

from simulator.cluster.builders import builders
from simulator.cluster.graphs import READERS, read_graph
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError, Problem, did_you_mean

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    Path: "a path",
}
MAX_BYTES = 32 * 2**20
"""Bytes that a file of a topology may have: a list of some 200,000 links."""
_DEEPEST = 50
"""Levels of nesting that a file may have."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, which takes a repeated key for an error instead of the last one for good."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, None] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen[key.value] = None
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def load_topology(path: Path) -> Topology:
    """Read ``build: NAME`` with the parameters of that builder, or ``links`` and ``servers`` alone.

    ``name``, when given, becomes the name of the topology; ``description`` is for the reader. Raises ``InputError``
    when the file is missing, too large or not YAML, the builder unknown, or a parameter wrong. Files that end in
    ``.graphml`` or ``.json`` are networkx graphs.
    """
    if path.suffix.lower() in READERS:
        return read_graph(path)
    try:
        data = _parse(read_text(path))
    except yaml.YAMLError as error:
        raise InputError(Problem(f"cannot read the topology: {_words(error)}", str(path), _line(error))) from None
    if isinstance(data, dict) and "links" in data:
        data = {"build": "links"} | data
    if not isinstance(data, dict) or not isinstance(data.get("build"), str):
        raise InputError(Problem(_not_a_topology(data), file=str(path)))
    parameters = {str(key): value for key, value in data.items() if key not in ("build", "name", "description")}
    topology = build_topology(data["build"], parameters, str(path))
    topology.name = str(data.get("name", topology.name))
    return topology


def _not_a_topology(data: Any) -> str:
    what = "a topology file is a mapping with a key build, or links"
    if not isinstance(data, dict) or not data:
        return what
    if "build" in data:
        return f"build is {data['build']!r:.60}; it must be the name of a builder. {did_you_mean('', builders.names())}"
    return f"{what}; this one has {', '.join([str(key) for key in data][:5])}"


def read_text(path: Path) -> str:
    """Return the text of a file of a topology; ``InputError`` when it cannot be read, is too large or is not UTF-8."""
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "not a regular file"
            raise InputError(Problem(f"cannot read the topology: it is {what}", str(path)))
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            limit = MAX_BYTES // 2**20
            raise InputError(Problem(f"cannot read the topology: it is larger than {limit} MiB", str(path)))
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(Problem(f"cannot read the topology: {_words(error)}", str(path))) from None


def _parse(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:  # the C loader would end the process
            raise yaml.YAMLError(f"nested deeper than {_DEEPEST} levels")
    return yaml.load(text, Loader=_Loader)


def build_topology(name: str, parameters: dict[str, Any], file: str | None = None) -> Topology:
    """Call the builder ``name``; raise ``InputError`` with every unknown, missing or mistyped parameter.

    Paths among the parameters are relative to the folder of ``file``.
    """
    try:
        builder = builders.get(name)
        hints = typing.get_type_hints(builder)
        given = {
            key: Path(file or "").parent / value if hints.get(key) is Path and isinstance(value, str) else value
            for key, value in parameters.items()
        }
        problems = _mistakes(name, builder, given, file)
        if problems:
            raise InputError(*problems)
        return builder(**given)
    except InputError as error:
        raise InputError(*(problem if problem.file else _placed(problem, file) for problem in error.problems)) from None


def _mistakes(name: str, builder: Callable[..., Topology], given: dict[str, Any], file: str | None) -> list[Problem]:
    known = inspect.signature(builder).parameters
    hints = typing.get_type_hints(builder)
    texts = {key: f"unknown key {key!r}. {did_you_mean(key, known)}" for key in given if key not in known}
    texts |= {
        key: f"builder {name!r} needs {key!r}"
        for key, parameter in known.items()
        if parameter.default is parameter.empty and key not in given
    }
    for key, value in given.items():
        wanted = _wanted(hints.get(key)) if key in known else ()
        if wanted and not _is(value, wanted):
            texts[key] = f"{value!r} is not {_WORDS[wanted[0]]}"
    return [Problem(text, file=file, path=key) for key, text in texts.items()]


def _wanted(annotation: Any) -> tuple[type, ...]:
    """The plain types that an annotation stands for; none when it is not one that is checked here."""
    parts = typing.get_args(annotation) if NoneType in typing.get_args(annotation) else (annotation,)
    plain = tuple(typing.get_origin(part) or part for part in parts)
    return plain if all(part in _WORDS or part is NoneType for part in plain) else ()


def _is(value: Any, wanted: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in wanted
    return isinstance(value, wanted) or (float in wanted and isinstance(value, int))


def _placed(problem: Problem, file: str | None) -> Problem:
    return Problem(problem.text, file, problem.line, problem.column, problem.path, problem.source, problem.hint)


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text (byte {error.start})"
    return getattr(error, "problem", None) or " ".join(str(error).split())


def _line(error: Exception) -> int | None:
    mark = getattr(error, "problem_mark", None)
    return None if mark is None else mark.line + 1
