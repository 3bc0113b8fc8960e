"""The registry: built-ins by looking, entry points, code from a file."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from simulator.core import registry as module
from simulator.core.errors import InputError
from simulator.core.registry import Registry, load_from_file


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with two plug-ins in two files."""
    folder = tmp_path / "plugs"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from simulator.core.registry import Registry\nthings = Registry('thing', 'plugs')\n"
    )
    for name in ("alpha", "beta"):
        (folder / f"{name}.py").write_text(
            f"from plugs import things\n\n@things.register('{name}')\ndef make():\n    '''Make {name}.\n\n    More'''\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugs"]:
        monkeypatch.delitem(sys.modules, name)
    return "plugs"


@pytest.fixture
def things(package: str) -> Registry[object]:
    found: Registry[object] = __import__(package).things
    return found


def test_a_file_in_the_package_is_a_plugin(things: Registry[object]) -> None:
    assert things.names() == ["alpha", "beta"]
    assert things.summary("alpha") == "Make alpha."


def test_an_unknown_name_gets_the_nearest(things: Registry[object]) -> None:
    with pytest.raises(InputError) as caught:
        things.get("alhpa")
    assert str(caught.value) == "unknown thing 'alhpa'. Did you mean 'alpha'? Known: alpha, beta."


def test_a_name_belongs_to_one_thing(things: Registry[object]) -> None:
    assert "alpha" in things.names()
    with pytest.raises(ValueError, match=r"thing 'alpha' is plugs\.alpha\.make already; "):
        things.register("alpha")(test_a_name_belongs_to_one_thing)


def test_a_cell_may_be_run_again() -> None:
    things: Registry[object] = Registry("thing", "simulator")
    for _ in range(2):

        @things.register("mine")
        def make() -> None:
            """Make it."""

    assert things._known["mine"] is make


def test_entry_points_are_loaded_when_asked_for(things: Registry[object], monkeypatch: pytest.MonkeyPatch) -> None:
    group = "simulator.thing"
    entries = [
        EntryPoint("ceil", "math:ceil", group),
        EntryPoint("broken", "no_such_package:x", group),
        EntryPoint("alpha", "math:floor", group),
    ]
    monkeypatch.setattr(module, "entry_points", lambda group: entries)
    assert things.names() == ["alpha", "beta", "broken", "ceil"]
    import math

    assert things.get("ceil") is math.ceil
    assert things.get("alpha") is not math.floor
    with pytest.raises(InputError, match="the thing 'broken' of no_such_package:x cannot be loaded: ModuleNotFound"):
        things.get("broken")


def test_code_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Ageing:\n    rate: float = 2.0\n"
    )
    before = dict(sys.modules)
    assert load_from_file("mine.py:Ageing", tmp_path)().rate == 2.0
    assert [name for name in sys.modules if name not in before] == []


BROKEN = [
    ("nothing.py:X", None, "'nothing.py:X': there is no file "),
    (
        "a.py:Agein",
        "class Ageing: pass\n",
        "'a.py:Agein': a.py has no 'Agein'\n    Did you mean 'Ageing'? Known: Ageing.",
    ),
    ("a.py:X", "x = 1\ny = (\n", "'a.py:X' cannot be loaded: a.py fails in line 2: SyntaxError: '(' was never closed"),
    ("a.py:X", "\n\n1 / 0\n", "'a.py:X' cannot be loaded: a.py fails in line 3: ZeroDivisionError: division by zero"),
    ("a.py:X", "import sys\nsys.exit(3)\n", "'a.py:X' cannot be loaded: a.py fails in line 2: SystemExit: 3"),
    ("a.txt:X", "x", "'a.txt:X': a.txt is not a Python file; write path/to/file.py:Name"),
]


@pytest.mark.parametrize(
    ("reference", "text", "message"), BROKEN, ids=lambda value: "" if value is None else value[:20]
)
def test_code_that_cannot_be_loaded(reference: str, text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / reference.partition(":")[0]).write_text(text)
    with pytest.raises(InputError) as caught:
        load_from_file(reference, tmp_path)
    assert str(caught.value).startswith(message)
