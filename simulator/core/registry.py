"""One registry for every kind of plug-in: built-ins found by looking, entry points, and ``file.py:Name``."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback
import zlib
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from simulator.core.errors import InputError, Problem, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Named plug-ins of one kind.

    A built-in is any object of a module in ``package`` that was marked with ``@registry.register(name)``; a module
    is imported when it is first asked for, so adding a plug-in is adding a file. Packages elsewhere announce
    theirs as entry points of the group ``simulator.<kind>``, spaces as underscores.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._known: dict[str, T] = {}
        self._elsewhere: dict[str, EntryPoint] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[T], T]:
        """Mark a class or function as the built-in called ``name``; a name may be taken again only by its namesake.

        A class that has no ``kind`` of its own gets its name as one, so that its objects can say what they are.
        """

        def mark(thing: T) -> T:
            before = self._known.setdefault(name, thing)
            if before is not thing and _identity(before) != _identity(thing):
                taken = f"{self.kind} {name!r} is {_identity(before)} already"
                raise ValueError(f"{taken}; {_identity(thing)} needs another name")
            self._known[name] = thing
            if isinstance(thing, type) and "kind" not in vars(thing):
                thing.kind = name  # type: ignore[attr-defined]
            return thing

        return mark

    def names(self) -> list[str]:
        """All known names, sorted."""
        self._load_all()
        return sorted({**self._known, **self._elsewhere})

    def get(self, name: str) -> T:
        """Return the plug-in called ``name``; raise ``InputError`` with the nearest name when there is none."""
        if name not in self._known:
            self._load_all()
        if name not in self._known and name in self._elsewhere:
            self._known[name] = _load_entry(self.kind, self._elsewhere[name])
        if name not in self._known:
            raise InputError(f"unknown {self.kind} {name!r}. {did_you_mean(name, self.names())}")
        return self._known[name]

    def summary(self, name: str) -> str:
        """First line of the docstring of the plug-in called ``name``."""
        return (self.get(name).__doc__ or "").strip().partition("\n")[0]

    def _load_all(self) -> None:
        if self._complete:
            return
        package = importlib.import_module(self._package)
        for module in sorted(info.name for info in pkgutil.iter_modules(getattr(package, "__path__", ()))):
            importlib.import_module(f"{self._package}.{module}")
        found = sorted(
            entry_points(group=f"simulator.{self.kind.replace(' ', '_')}"), key=lambda entry: (entry.name, entry.value)
        )
        self._elsewhere = {entry.name: entry for entry in reversed(found) if entry.name not in self._known}
        self._complete = True


def _identity(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def _load_entry(kind: str, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise InputError(f"the {kind} {entry.name!r} of {entry.value} cannot be loaded: {_words(error)}") from error


def load_from_file(reference: str, base: Path) -> Any:
    """Load ``Name`` from ``path/to/file.py:Name``, the path being relative to ``base``. Runs that file.

    Raises ``InputError`` when there is no such file or name, and when the file itself fails, with its line.
    """
    path_text, _, name = reference.rpartition(":")
    path = (base / path_text).resolve()
    if not path.is_file():
        raise InputError(f"{reference!r}: there is no file {path}")
    module = _run(reference, path)
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise InputError(Problem(f"{reference!r}: {path.name} has no {name!r}", hint=did_you_mean(name, public)))
    return getattr(module, name)


def _run(reference: str, path: Path) -> ModuleType:
    """Run a file as a module that is known to the import system while it runs, as dataclasses need, and not after."""
    spec = importlib.util.spec_from_file_location(f"_user_{zlib.crc32(str(path).encode()):08x}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{reference!r}: {path.name} is not a Python file; write path/to/file.py:Name")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
        place = f" in line {line}" if line else ""
        raise InputError(f"{reference!r} cannot be loaded: {path.name} fails{place}: {_words(error)}") from error
    finally:
        sys.modules.pop(spec.name, None)
    return module


def _words(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
