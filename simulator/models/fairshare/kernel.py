"""The code that keeps rates up to date, plain or compiled by numba where that is installed (extra ``fast``)."""

from __future__ import annotations

import importlib.util
import inspect
import math
import os
from functools import cache
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from simulator.models.fairshare import heap, rows, sweep

SWITCH = "SIMULATOR_NUMBA"
"""Environment variable: 0 never compiles, 1 at once; else it is done when it pays."""
_PATIENCE = 400_000
"""Entries that plain code looks at before it is compiled: half a second, as long as machine code takes to load."""
_MODULES: tuple[ModuleType, ...] = (heap, rows, sweep)
"""In the order in which they use one another."""


def patience() -> float:
    """Entries that plain code may look at before it is worth compiling; infinity where the user wants none of it."""
    return {"0": math.inf, "1": 0.0}.get(os.environ.get(SWITCH, ""), _PATIENCE)


def plain() -> Any:
    """Return the functions of the rows and the sweep."""
    return SimpleNamespace(**{name: function for module in _MODULES for name, function in _own(module)})


@cache
def compiled() -> Any:
    """Return what ``plain`` does, each function being compiled at its first call; None without numba.

    Machine code is kept on disk (in ``__pycache__``, or where ``NUMBA_CACHE_DIR`` says) and so made once; where nothing
    can be written it is made again in each process, which takes some seconds. numba knows old code by the time of the
    function's own file: who edits one of these modules runs ``make clean``, or touches all of them.
    """
    try:
        import numba
    except ImportError:
        return None
    found: dict[str, Any] = {}
    for module in _MODULES:
        twin = _copy(module)
        vars(twin).update({name: function for name, function in found.items() if hasattr(twin, name)})
        for name, function in _own(twin):
            found[name] = _jit(numba, function)
            setattr(twin, name, found[name])
    return SimpleNamespace(**found)


def _own(module: ModuleType) -> list[tuple[str, FunctionType]]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return [(name, function) for name, function in functions if function.__module__ == module.__name__]


def _copy(module: ModuleType) -> ModuleType:
    """Return a module of the same code, in which names can be changed without changing the module."""
    spec = importlib.util.find_spec(module.__name__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


def _jit(numba: Any, function: FunctionType) -> Any:
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # no place for the cache
        return numba.njit(function)
