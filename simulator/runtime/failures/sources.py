"""Where failures come from: rates of kinds of components, or a list of what has happened."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from simulator.runtime.failures.repair import Repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A cause of failures: every component of a kind fails at ``rate`` per second of being up, in the mean.

    ``shape`` is that of a Weibull life: 1 has no memory, less than 1 is infant mortality, more is ageing; all
    components are new when the run begins and after each repair. ``detection`` seconds pass until anybody notices; None
    leaves that to the run. ``effect`` slow lets servers compute at ``pace`` until they are repaired. ``servers`` are
    those whose components count; None for all.

    Raises ``ValueError`` that begins with the name of the number that makes no sense.
    """

    name: str
    component: str
    rate: float
    repair: Repair
    shape: float = 1.0
    detection: float | None = None
    effect: Literal["down", "slow"] = "down"
    pace: float = 1.0
    servers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise ValueError(f"rate is {self.rate:g} failures per second; it must be a finite number above 0")
        if not _LEAST_SHAPE <= self.shape < math.inf:
            raise ValueError(f"shape is {self.shape:g}; it must be at least {_LEAST_SHAPE:g} (1: no memory)")
        if self.detection is not None and not 0 <= self.detection < math.inf:
            raise ValueError(f"detection is {self.detection:g} s; it must be a finite time, 0 or more")
        if self.effect not in ("down", "slow"):
            raise ValueError(f"effect is {self.effect!r}; it must be down or slow")
        if self.effect == "slow" and not 0 < self.pace < 1:
            raise ValueError(f"pace is {self.pace:g}; a slow server computes at a pace above 0 and below 1")
        if self.effect == "down" and self.pace != 1:
            raise ValueError(f"pace is {self.pace:g}, and effect is down: only what is slow has a pace")


_LEAST_SHAPE = 0.1
"""Below it one life in a thousand is longer than 10^8 mean ones; ours."""


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """One failure of a list: at ``time`` (s) ``name``, a component of kind ``component``; ``repair`` in seconds."""

    time: float
    component: str
    name: str
    repair: float
    place: str = field(default="", compare=False)
    """Where it is listed."""


@dataclass(frozen=True, slots=True)
class LoggedSource:
    """Failures that are known one by one."""

    name: str
    events: tuple[LoggedFailure, ...]
    detection: float | None = None


@dataclass(frozen=True, slots=True)
class Lemons:
    """Servers that fail ``times`` as often as the others: a ``share`` of them, drawn once a run.

    The mean over all servers stays what the sources say. Meta's RSC-1 had 1.2 % of such nodes, which hit 13 % of the
    daily jobs (Kokolis et al., HPCA 2025, arXiv 2410.21680): with 12.3 times the rate of the others, 1.2 % of the nodes
    have 13 % of the failures, which is the default (ours).
    """

    share: float
    times: float = 12.3

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share is {self.share:g}; it must be above 0 and below 1")
        if not 1 < self.times < math.inf:
            raise ValueError(f"times is {self.times:g}; lemons fail more often than others: it must be above 1")
