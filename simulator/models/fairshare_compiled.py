"""The code of ``fairshare_sweep``, compiled by numba where that is installed (extra ``fast``)."""

from __future__ import annotations

import importlib.util
import inspect
import math
import os
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from simulator.models import fairshare_sweep

SWITCH = "SIMULATOR_NUMBA"
"""Environment variable: 0 never compiles, 1 at once; else it is done when it pays."""
_PATIENCE = 400_000
"""Entries that plain code looks at before it is compiled: a few seconds, as many as compiling takes the first time."""


def patience() -> float:
    """Entries that plain code may look at before it is worth compiling; infinity where the user wants none of it."""
    return {"0": math.inf, "1": 0.0}.get(os.environ.get(SWITCH, ""), _PATIENCE)


@cache
def compiled() -> ModuleType | None:
    """Return a twin of ``fairshare_sweep`` whose functions are compiled at their first call; None without numba.

    Machine code is kept on disk (in ``__pycache__``, or where ``NUMBA_CACHE_DIR`` says) and so made once; where nothing
    can be written it is made again in each process, which takes some seconds.
    """
    try:
        import numba
    except ImportError:
        return None
    spec = importlib.util.find_spec(fairshare_sweep.__name__)
    assert spec is not None
    assert spec.loader is not None
    twin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(twin)
    for name, function in inspect.getmembers(twin, inspect.isfunction):
        if function.__module__ == twin.__name__:
            setattr(twin, name, _jit(numba, function))
    return twin


def _jit(numba: Any, function: FunctionType) -> Any:
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # no place for the cache
        return numba.njit(function)
