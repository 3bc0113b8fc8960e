"""What the pages say is run: ``>>>`` examples, links, and every fenced block that follows ``<!-- tested -->``.

A tested ``console`` block runs its ``$ simulator ...`` lines in a folder that looks like a checkout; output shown after
a command must come out (``...`` stands for anything). ``<!-- tested: exit 2 -->`` expects that exit code. Tested
``python`` blocks of a page run one after the other in one namespace, tested ``yaml`` blocks must be valid scenarios.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [page for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md") if page.is_file()]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

TESTED = re.compile(r"^<!-- tested(?:: exit (\d+))? -->\n+```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block that is tested."""

    exit: int
    language: str
    text: str


def blocks(page: Path, language: str) -> list[Block]:
    found = [Block(int(code or 0), kind, text) for code, kind, text in TESTED.findall(page.read_text("utf-8"))]
    return [block for block in found if block.language == language]


def pages_with(language: str) -> list[Any]:
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, language)]


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    text = re.sub(r"[`*]", "", heading.strip().lower())
    kept = "".join(c for c in text if c in " -_" or unicodedata.category(c)[0] in "LN")
    return kept.replace(" ", "-")


def anchors(page: Path) -> list[str]:
    return [slug(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    failed, _ = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS, encoding="utf-8")
    assert failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    broken = []
    for target in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = page if not file else page.parent / file
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", pages_with("console"))
def test_commands(page: Path, tmp_path: Path) -> None:
    for folder in ("scenarios", "topologies", "notebooks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for block in blocks(page, "console"):
        for command, shown in commands(block.text):
            code, output = run(command, tmp_path)
            assert code == block.exit, f"$ {command}\n{output}"
            assert not shown or doctest.OutputChecker().check_output(shown, output, FLAGS), f"$ {command}\n{output}"


def commands(text: str) -> list[tuple[str, str]]:
    """Each ``$ simulator ...`` line of a console block, and the output shown after it."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    pairs = [part.partition("\n") for part in parts]
    return [(command, shown) for command, _, shown in pairs if command.startswith("simulator")]


def run(command: str, folder: Path) -> tuple[int, str]:
    program = "from simulator.cli import main; main(prog_name='simulator')"
    done = subprocess.run(
        [sys.executable, "-c", program, *shlex.split(command, comments=True)[1:]],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_blocks(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("scenarios", "topologies"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        exec(compile(block.text, page.name, "exec"), names)


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_scenario_blocks(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator import Scenario

    monkeypatch.chdir(ROOT)
    for block in blocks(page, "yaml"):
        Scenario.load(block.text)


def test_a_command_with_other_output_is_noticed() -> None:
    assert commands("$ simulator list\na  b\n$ other\nx\n$ simulator run x\n") == [
        ("simulator list", "a  b\n"),
        ("simulator run x", ""),
    ]
    assert not doctest.OutputChecker().check_output("a ... c\n", "a b d\n", FLAGS)
    assert slug("The `run` command, twice") == "the-run-command-twice"
