"""Named random streams from one root seed, so that no draw of one part can change another part."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, name: str, replication: int = 0) -> np.random.Generator:
    """Return the generator that belongs to ``name`` under root ``seed``.

    Streams of different names or replications are independent (numpy ``SeedSequence`` with a spawn key); the same
    arguments give the same numbers on every platform and under every ``PYTHONHASHSEED``.

    >>> stream(7, "arrivals").integers(100, size=3).tolist() == stream(7, "arrivals").integers(100, size=3).tolist()
    True
    """
    key = (zlib.crc32(name.encode()), replication)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=key)))
