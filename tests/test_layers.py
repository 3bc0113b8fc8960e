"""The walls of the house: imports go down only, heavy modules come late, files stay small, nothing is printed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FILES = sorted((ROOT / "simulator").rglob("*.py"))
LATE = {"pandas", "matplotlib", "scipy", "pydantic", "rich", "jinja2", "loky"}
"""Modules that may be imported at the top of a file only in rooms that are themselves loaded late."""
LATE_ROOMS = {"scenario", "experiment", "report"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 80


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def top_imports(tree: ast.Module) -> Iterator[str]:
    """Top-level packages imported when the file is imported (not in functions, not for type checkers only)."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(config_filename='pyproject.toml'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_heavy_modules_are_imported_late(path: Path) -> None:
    room = path.relative_to(ROOT / "simulator").parts[0]
    if room not in LATE_ROOMS:
        assert LATE.isdisjoint(top_imports(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    long = {node.name: node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno is not None}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_FUNCTION} == {}


def test_nobody_iterates_over_a_set() -> None:
    """A loop over a set display or ``set(...)`` runs in another order under another PYTHONHASHSEED."""
    found = [
        f"{name_of(path)}:{node.iter.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter)
    ]
    assert found == []


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("set", "frozenset")
    return isinstance(node, ast.Set | ast.SetComp)
