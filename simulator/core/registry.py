"""One registry for every kind of plug-in: built-ins found by looking, entry points, and ``file.py:Name``."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from simulator.core.errors import InputError, did_you_mean


T = TypeVar("T")


class Registry(Generic[T]):
    """Named plug-ins of one kind.

    A built-in is any object of a module in ``package`` that was marked with ``@registry.register(name)``; a module
    is imported when it is first asked for, so adding a plug-in is adding a file. Packages elsewhere announce
    theirs as entry points of the group ``simulator.<kind>``.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._known: dict[str, T] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[T], T]:
        """Mark a class or function as the built-in called ``name``."""

        def mark(thing: T) -> T:
            self._known[name] = thing
            return thing

        return mark

    def names(self) -> list[str]:
        """All known names, sorted."""
        self._load_all()
        return sorted(self._known)

    def get(self, name: str) -> T:
        """Return the plug-in called ``name``; raise ``InputError`` with the nearest name when there is none."""
        if name not in self._known:
            self._load_all()
        if name not in self._known:
            raise InputError(f"unknown {self.kind} {name!r}. {did_you_mean(name, self._known)}")
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
        for entry in entry_points(group=f"simulator.{self.kind}"):
            self._known.setdefault(entry.name, entry.load())
        self._complete = True


def load_from_file(reference: str, base: Path) -> Any:
    """Load ``Name`` from ``path/to/file.py:Name``, the path being relative to ``base``. Runs that file."""
    path_text, _, name = reference.rpartition(":")
    path = (base / path_text).resolve()
    if not path.is_file():
        raise InputError(f"{reference!r}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{reference!r}: {path.name} is not a Python file; write path/to/file.py:Name")
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, name):
        raise InputError(f"{reference!r}: {path.name} has no {name!r}. {did_you_mean(name, vars(module))}")
    return getattr(module, name)
