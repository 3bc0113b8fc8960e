"""Trackable resources of Slurm: what a job asked for or had, as ``AllocTRES`` and ``ReqTRES`` write it.

Names and suffixes: SchedMD/slurm, doc/man/man1/sacct.1 (read at commit 042ace2).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np

_PREFIX = {"": 1.0, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40, "P": 2.0**50}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)[Bcn]?")


class Tres(NamedTuple):
    """What a TRES text says: GPUs, their type where one is named, CPUs, and memory in bytes."""

    gpus: float = 0.0
    type: str = ""
    cpus: float = 0.0
    memory: float = 0.0


@lru_cache(maxsize=65536)
def read_tres(text: str) -> Tres | None:
    """Read a TRES list; None when it makes no sense. An untyped GPU count is the sum of the typed ones.

    >>> read_tres("billing=64,cpu=64,gres/gpu:h100=8,gres/gpu=8,mem=500G,node=1")
    Tres(gpus=8.0, type='h100', cpus=64.0, memory=536870912000.0)
    """
    sizes: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        match = _SIZE.fullmatch(value)
        size = float(match[1]) * _PREFIX[match[2]] if match else np.nan
        if not equals or (name in ("cpu", "mem", "gres/gpu") and not size < np.inf):
            return None
        if match is not None:
            sizes[name] = size
    typed = {name.partition(":")[2]: count for name, count in sizes.items() if name.startswith("gres/gpu:")}
    gpus = sizes.get("gres/gpu", sum(typed.values()))
    return Tres(gpus, next(iter(typed)) if len(typed) == 1 else "", sizes.get("cpu", 0.0), sizes.get("mem", 0.0))
