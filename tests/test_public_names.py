"""The front door: every advertised name is there, and says what it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import tomllib
import types
from pathlib import Path

import pytest

import simulator

ROOT = Path(__file__).parents[1]


def test_the_lists_of_names_agree() -> None:
    tree = ast.parse((ROOT / "simulator" / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: f"simulator.{home}" for alias, home in _imports(block)}
    assert set(typed) == set(simulator.__all__) == set(simulator._HOME)
    assert typed == {name: f"simulator.{home}" for name, home in simulator._HOME.items()}


def _imports(block: ast.If) -> list[tuple[ast.alias, str]]:
    statements = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return [(alias, str(node.module).removeprefix("simulator.")) for node in statements for alias in node.names]


@pytest.mark.parametrize("name", simulator.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    thing = getattr(simulator, name)
    assert inspect.getdoc(thing)
    if not isinstance(thing, types.ModuleType):
        assert thing.__module__.startswith("simulator.")


def test_dir_shows_the_public_names() -> None:
    assert set(dir(simulator)) == {*simulator.__all__, "__version__"}


def test_version_is_that_of_the_project() -> None:
    assert f'version = "{simulator.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sweeep'; it has BatchJob, ByCount"):
        _ = simulator.sweeep


def test_star_import_gives_the_public_names() -> None:
    assert set(importlib.import_module("simulator").__all__) <= set(dir(simulator))


@pytest.mark.parametrize("kind", ["scenarios", "topologies"])
def test_shipped_files_are_found_in_a_checkout_and_go_into_the_wheel(kind: str) -> None:
    from simulator.scenario import shipped

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert kind in wheel["only-include"]
    assert wheel["sources"][kind] == f"simulator/_shipped/{kind}"
    assert shipped.folder(kind) == ROOT / kind
