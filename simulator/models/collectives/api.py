"""What an algorithm says of itself: what it supports, what it costs, and which way its bytes go."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol as Interface

from simulator.core.errors import InputError, did_you_mean
from simulator.core.registry import Registry
from simulator.models.collectives.group import Group, Level

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "broadcast", "reduce", "send-recv")
_SPELLINGS = {name.replace("-", ""): name for name in COLLECTIVES}

Edge = tuple[int, int, float]
"""Two ranks of different domains, and the bytes that the first sends to the second per byte of the collective."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Time of one algorithm in one mode: latency + x + fill x (1 - exp(-x / fill)) with x = slope x S, for S bytes.

    ``fill`` is what a long message takes more than a short one while the pipeline fills with chunks: bandwidth builds
    up over the first fill / slope bytes (fitted form; see ``docs/collectives.md``).
    """

    protocol: str
    latency: float
    slope: float
    fill: float = 0.0

    def time(self, size: float) -> float:
        """Seconds for ``size`` bytes."""
        moving = self.slope * size
        filling = self.fill * -math.expm1(-moving / self.fill) if self.fill > 0 else 0.0
        return self.latency + moving + filling


class Algorithm(Interface):
    """One way to run some collectives."""

    auto: bool
    """Whether it is among those that are chosen from when the user names none."""

    def fault(self, collective: str, group: Group) -> str | None:
        """Say why it cannot run ``collective`` on ``group``, or None."""

    def costs(self, collective: str, group: Group) -> Iterator[Cost]:
        """Yield its cost in each mode that the fabrics carry."""

    def edges(self, collective: str, group: Group) -> list[Edge]:
        """Return what it sends between domains."""


algorithms: Registry[type[Algorithm]] = Registry("collective algorithm", "simulator.models.collectives.algorithm")


def collective_name(name: str) -> str:
    """Return the collective as ``COLLECTIVES`` spells it; NCCL's spellings (``all_reduce``, ``sendrecv``) will do.

    >>> collective_name("ReduceScatter"), collective_name("all_reduce")
    ('reduce-scatter', 'all-reduce')
    """
    plain = name.replace("-", "").replace("_", "").lower()
    if plain not in _SPELLINGS:
        raise InputError(f"unknown collective {name!r}. {did_you_mean(name, COLLECTIVES)}")
    return _SPELLINGS[plain]


def bus_factor(collective: str, ranks: int) -> float:
    """Bus bandwidth over algorithm bandwidth, as nccl-tests defines it (NVIDIA/nccl-tests doc/PERFORMANCE.md)."""
    if collective == "all-reduce":
        return 2 * (ranks - 1) / ranks
    if collective in ("all-gather", "reduce-scatter", "all-to-all"):
        return (ranks - 1) / ranks
    return 1.0


def modes(group: Group) -> tuple[str, ...]:
    """Return the modes that every fabric of the group carries."""
    inside = group.inside.protocol.share
    return tuple(m for m in inside if group.outside is None or m in group.outside.protocol.share)


def filling(mode: str, *stages: tuple[Level, float, float]) -> float:
    """Return the seconds that a pipeline takes to fill: ``ramp`` x steps x time, over its (level, steps, time of one).

    LL has a flag in every 8 bytes and no chunks to fill.
    """
    return 0.0 if mode == "LL" else sum(level.protocol.ramp * steps * time for level, steps, time in stages)


def only(collective: str, *supported: str) -> str | None:
    """Say which collectives there are when ``collective`` is none of them."""
    return None if collective in supported else f"it runs {', '.join(supported)} only"
