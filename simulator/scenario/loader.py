"""Find a scenario file, read it, and lay it over the files it includes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from simulator.core.errors import InputError, Problem, nearest
from simulator.scenario import shipped
from simulator.scenario.nodes import Mark, Node, merge
from simulator.scenario.yamltext import MAX_BYTES, parse

MAX_FILES = 50
"""Files that one scenario may include, directly or not."""


@dataclass(slots=True)
class Source:
    """A scenario as it was found: the marked tree of all files, and the file (or text) that the user named."""

    root: Node
    text: str
    path: str | None = None
    problems: list[Problem] = field(default_factory=list)
    """What is wrong but did not stop the reading: repeated keys."""


def read_source(source: str | os.PathLike[str]) -> Source:
    """Read a scenario given as a path, as the name of a shipped one, or as YAML text.

    Text is told by a line break or a leading ``{``. Raises ``InputError`` for a file that is missing, unreadable, not
    text, too large, not YAML, empty, or part of a circle of includes.
    """
    problems: list[Problem] = []
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        root = _with_includes(parse(source, "<text>", os.getcwd(), problems), (), problems, [])
        return Source(root, source, None, problems)
    path = resolve(source)
    text = read_text(path)
    root = _with_includes(_parse_file(path, text, problems), (path.resolve(),), problems, [])
    return Source(root, text, str(path), problems)


def resolve(source: str | os.PathLike[str]) -> Path:
    """Return the file that ``source`` means: a path, else the name of a shipped scenario."""
    name, path = os.fspath(source), Path(source)
    if not name.strip():
        raise InputError(Problem("no scenario is named", hint="give a file or the name of a shipped scenario"))
    if is_file(path):
        return path
    if path.parent == Path(".") and name.removesuffix(".yaml") in shipped.names("scenarios"):
        return shipped.shipped("scenarios", name)
    what = in_the_way(path)
    if what:
        raise InputError(Problem(f"{name!r} is {what}", hint="a scenario is a YAML file"))
    if path.suffix.lower() in (".yaml", ".yml") or path.parent != Path("."):
        close = nearest(path.stem, shipped.names("scenarios"))
        known = f"There is a shipped scenario {close!r}." if close else ""
        raise InputError(Problem(f"there is no file {name!r}", hint=nearby(path) or known or None))
    return shipped.shipped("scenarios", name)


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is simply not one."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def in_the_way(path: Path) -> str:
    """Say what stands where a file is wanted (a folder, a device, a pipe); empty when nothing does."""
    try:
        return "" if not path.exists() else "a folder" if path.is_dir() else "not a regular file"
    except (OSError, ValueError):
        return ""


def nearby(path: Path) -> str:
    """Say which file that exists is nearest to ``path``, or what else is wrong with the folder; may be empty."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return f"there is no folder {str(path.parent)!r}"
    close = nearest(path.name, names)
    return f"Did you mean {str(path.with_name(close))!r}?" if close else ""


def read_text(path: Path) -> str:
    """Return the text of a file; raise ``InputError`` when it cannot be read, is too large, or is not UTF-8 text."""
    try:
        if path.stat().st_size > MAX_BYTES:
            size, limit = path.stat().st_size / 2**20, MAX_BYTES // 2**20
            raise InputError(Problem(f"{size:.0f} MiB is too large for a scenario (limit {limit})", file=str(path)))
        data = path.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"cannot be read: {error.strerror or error}", file=str(path))) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"not a text file: byte 0x{data[error.start]:02x} in line {line} is not UTF-8"
        raise InputError(Problem(what, file=str(path), line=line, hint="a scenario is a YAML file in UTF-8")) from None


def _parse_file(path: Path, text: str, problems: list[Problem]) -> Node:
    return parse(text, str(path), str(path.resolve().parent), problems)


def with_includes(root: Node, problems: list[Problem]) -> Node:
    """Return ``root`` laid over the files that its ``include:`` names, if it has one."""
    return _with_includes(root, (), problems, [])


def _with_includes(root: Node, chain: tuple[Path, ...], problems: list[Problem], seen: list[Path]) -> Node:
    """Return ``root`` without its ``include:``, laid over what that names; later files win over earlier ones."""
    if not isinstance(root.value, dict) or "include" not in root.value:
        return root
    under: Node | None = None
    for entry in _include_entries(root.value["include"]):
        included = _included(entry, chain, problems, seen)
        under = included if under is None else merge(under, included)
    own = replace(root, value={key: node for key, node in root.value.items() if key != "include"})
    return own if under is None else merge(under, own)


def _include_entries(node: Node) -> list[Node]:
    entries = list(node.value) if isinstance(node.value, tuple) else [node]
    if not all(isinstance(entry.value, str) and entry.value for entry in entries):
        raise InputError(node.problem((), "include takes a file name or a list of file names", at_key=True))
    return entries


def _included(entry: Node, chain: tuple[Path, ...], problems: list[Problem], seen: list[Path]) -> Node:
    path = Path(entry.mark.base) / entry.value
    name = shown(entry.mark, entry.value)
    target = path.resolve()
    if target in chain:
        circle = " -> ".join(part.name for part in (*chain[chain.index(target) :], target))
        raise InputError(entry.problem((), f"the includes go in a circle: {circle}"))
    seen.append(target)
    if len(seen) > MAX_FILES:
        raise InputError(entry.problem((), f"more than {MAX_FILES} included files"))
    if not is_file(target):
        raise InputError(entry.problem((), f"there is no file {name!r} to include", nearby(Path(name)) or None))
    root = parse(read_text(Path(name)), name, str(target.parent), problems)
    if not isinstance(root.value, dict):
        raise InputError(root.problem((), "an included file must be a mapping of scenario keys"))
    return _with_includes(root, (*chain, target), problems, seen)


def shown(mark: Mark, name: str) -> str:
    """Name an included file as seen from where the user stands."""
    return os.path.normpath(os.path.join(os.path.dirname(mark.file or ""), name))
