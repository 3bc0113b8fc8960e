"""The check of a whole scenario: the file itself, and every alternative that its ``compare:`` names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from simulator.core.errors import InputError, Problem
from simulator.scenario.composition import composed
from simulator.scenario.nodes import Node
from simulator.scenario.overrides import apply, is_path, label, path_of
from simulator.scenario.plugins import Context
from simulator.scenario.schema import ScenarioKeys
from simulator.scenario.validation import problems_of

REPLACED = (
    "topology", "workload", "scheduler", "placement", "network", "autoscaler", "node_groups", "cost", "interference",
)  # fmt: skip
"""Sections that an axis of ``compare:`` of the same name replaces. An axis called as a key path replaces what stands
there; any other axis holds sets of overrides."""
MAX_ALTERNATIVES = 10_000
_NEEDED = ("topology", "workload")


def checked(root: Node, allow_code: bool, loaded: dict[tuple[str, str], Any], problems: list[Problem]) -> ScenarioKeys:
    """Check the scenario and each of its alternatives; raise everything that is wrong with any of them, once."""
    if not isinstance(root.value, dict):
        raise InputError(*problems, root.problem((), "a scenario is a mapping of keys", "start with name: ..."))
    found: dict[Problem, None] = dict.fromkeys(problems)
    keys = _validate(_completed(root), allow_code, loaded, found)
    _check_alternatives(root, allow_code, loaded, found)
    if keys is not None and keys.expect and not found:
        _check_expectations(root, keys, found)
    if found or keys is None:
        raise InputError(*sorted(found, key=_place))
    return keys


def _place(problem: Problem) -> tuple[bool, str, int, int]:
    rest = problem.text.startswith("... and ")
    return (rest, problem.file or "", problem.line or 0, problem.column or 0)


def _validate(
    root: Node, allow_code: bool, loaded: dict[tuple[str, str], Any], found: dict[Problem, None]
) -> ScenarioKeys | None:
    root = composed(root)
    try:
        given = {key: value for key, value in root.plain().items() if value is not None}
        return ScenarioKeys.model_validate(given, context=Context(root, allow_code, loaded))
    except ValidationError as error:
        found.update(dict.fromkeys(problems_of(error, root)))
        return None


def _axes(root: Node) -> dict[str, list[str]]:
    """Names of alternatives by axis, as far as they make sense before anything is checked."""
    compare = root.child("compare")
    if compare is None or not isinstance(compare.value, dict):
        return {}
    return {axis: names for axis, node in compare.value.items() if (names := _axis_names(axis, node))}


def _axis_names(axis: str, node: Node) -> list[str]:
    if isinstance(node.value, tuple):
        wanted = str | int | float if is_path(axis) else str
        return [label(axis, item.value) for item in node.value if isinstance(item.value, wanted)]
    return list(node.value) if isinstance(node.value, dict) else []


def _completed(root: Node) -> Node:
    """Return the scenario with what it needs taken from its first alternatives, where it leaves that to them."""
    if all(key in root.value for key in _NEEDED):
        return root
    firsts = {axis: names[0] for axis, names in _axes(root).items() if axis not in root.value}
    try:
        return chosen(root, firsts)
    except InputError:
        return root


def chosen(root: Node, choice: Mapping[str, str]) -> Node:
    """Return the scenario in which each axis of ``choice`` has taken the alternative named there."""
    for axis, name in choice.items():
        value = _alternative(root, axis, name)
        if axis in REPLACED:
            root = replace(root, value={**root.value, axis: replace(value, key=value.key)})
        elif is_path(axis) and all(axis.split(".")):
            root = apply(root, [(path_of(axis), value)])
        elif isinstance(value.value, dict):
            root = apply(root, [(path_of(key), item) for key, item in value.value.items()])
        else:
            text = f"the alternative {name!r} is not a mapping of overrides"
            hint = f"an axis is a section ({', '.join(REPLACED)}), a key path, or holds {{key.path: value}} sets"
            raise InputError(root.problem(("compare", axis, name), text, hint))
    return root


def _alternative(root: Node, axis: str, name: str) -> Node:
    """Return what stands under one name of an axis; in a list of names, the name itself."""
    node = root.find(("compare", axis))
    assert node is not None
    if not isinstance(node.value, tuple):
        found = node.child(name)
        assert found is not None
        return found
    items: tuple[Node, ...] = node.value
    return replace(next(item for item in items if label(axis, item.value) == name), key=node.key)


def without_comparison(root: Node) -> Node:
    """Return a scenario that stands for itself."""
    return replace(root, value={key: node for key, node in root.value.items() if key not in ("compare", "expect")})


def _check_alternatives(
    root: Node, allow_code: bool, loaded: dict[tuple[str, str], Any], found: dict[Problem, None]
) -> None:
    """Check each alternative of each axis beside the first ones of the others."""
    axes = _axes(root)
    count = math.prod(len(names) for names in axes.values())
    if count > MAX_ALTERNATIVES:
        text = f"the axes make {count:,} alternatives; at most {MAX_ALTERNATIVES:,} are allowed"
        found[root.problem(("compare",), text, at_key=True)] = None
        return
    firsts = {axis: names[0] for axis, names in axes.items()}
    for axis, names in axes.items():
        for name in names:
            try:
                changed = without_comparison(chosen(root, {**firsts, axis: name}))
            except InputError as error:
                found.update(dict.fromkeys(error.problems))
                continue
            _validate(changed, allow_code, loaded, found)


def _check_expectations(root: Node, keys: ScenarioKeys, found: dict[Problem, None]) -> None:
    from simulator.metrics.expectation import parse

    names = ["/".join(names) for names in itertools.product(*keys.compare.values())] if keys.compare else [keys.name]
    for index, line in enumerate(keys.expect):
        try:
            parse(line, names)
        except InputError as error:
            for problem in error.problems:
                found[root.problem(("expect", index), problem.text, problem.hint)] = None
