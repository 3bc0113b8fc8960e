"""The cycle collector of Python, which a run needs seldom."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_COLLECT_EVERY = 500_000
"""Objects made and kept between two looks of the cycle collector."""


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Let the cycle collector run less often: the engine makes many objects and few cycles."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
