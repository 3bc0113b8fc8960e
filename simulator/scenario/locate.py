"""Give a problem that was found late, while building or reading, the place of the key that caused it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from simulator.core.errors import InputError, Problem
from simulator.scenario.nodes import Node, Path


@contextmanager
def located(root: Node, path: Path) -> Iterator[None]:
    """Inside, an ``InputError`` whose problems have no file gets the place of ``path``; bad values become one, too.

    Where a problem quotes a value, or begins with a key, that stands below ``path``, it is placed there.
    """
    try:
        yield
    except InputError as error:
        raise InputError(*(_place(problem, root, path) for problem in error.problems)) from None
    except (ValueError, TypeError) as error:
        raise InputError(_place(Problem(str(error)), root, path)) from error


def _place(problem: Problem, root: Node, path: Path) -> Problem:
    if problem.file is not None or problem.source is not None:
        return problem
    where = _culprit(problem, root.find(path), path)
    placed = root.problem(where, problem.text, problem.hint)
    return placed if problem.path is None else replace(placed, path=f"{placed.path} {problem.path}")


def _culprit(problem: Problem, node: Node | None, path: Path) -> Path:
    """Return the path of the value that the problem quotes last, of the key that it starts with, or ``path`` itself."""
    if node is None or not isinstance(node.value, dict):
        return path
    text = problem.text.partition("Did you mean")[0].partition("Known:")[0]
    quoted = {key: text.rfind(repr(child.value)) for key, child in node.value.items() if isinstance(child.value, str)}
    last = max(quoted, key=lambda key: quoted[key], default=None)
    if last is not None and quoted[last] >= 0:
        return (*path, last)
    first = problem.text.split(" ", 1)[0].strip(":'\"")
    return (*path, first) if first in node.value else path
