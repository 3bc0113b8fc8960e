"""The input pipeline: how many samples per second reach an accelerator."""

from __future__ import annotations

import math


def fed(prepare: float, memory: float, storage: float, cached: float, share: float = 1.0) -> float:
    """Samples/s that an input pipeline delivers: min(preparation, fetch).

    ``prepare`` is what the processors decode and augment, ``memory`` and ``storage`` what the cache and the storage
    behind it fetch (samples/s), ``cached`` the share of samples in the cache. ``share`` is the part of all that one of
    several jobs of a node gets when they do not share their preparation. Source: Mohan et al., "Analyzing and
    mitigating data stalls in DNN training" (arXiv 2007.06775): 1 / fetch = cached / memory + (1 - cached) / storage.

    >>> fed(prepare=1000.0, memory=4000.0, storage=400.0, cached=0.5)
    727.2727272727274
    """
    slow = cached / memory + (1 - cached) / storage
    return share * min(prepare, 1 / slow if slow > 0 else math.inf)
