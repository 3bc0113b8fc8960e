"""What one iteration of a gang is made of: computing, and bursts of traffic on the links of its placement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Burst:
    """One communication of an iteration.

    ``usage`` is the bytes that it puts on each of ``links``; they are those of flows of ``flow`` bytes each, between
    which links are shared. Times in seconds: ``latency`` passes whatever the rate; ``own`` is what the bytes take where
    no link is short (network cards, scale-up fabric), ``alone`` what they take on the links with nobody else there; up
    to ``hidden`` of it runs behind computing.
    """

    name: str
    links: tuple[int, ...]
    usage: tuple[float, ...]
    flow: float
    latency: float
    own: float
    alone: float
    hidden: float

    def exposed(self, stretch: float = 1.0) -> float:
        """Seconds that computing waits for it, when its bytes take ``stretch`` times as long as alone."""
        return max(0.0, self.latency + self.alone * stretch - self.hidden) if self.alone else max(0.0, self.latency)

    def left(self, after: float) -> float:
        """Share of the bytes that is still to be sent ``after`` so many seconds alone."""
        sending = max(0.0, after - self.latency)
        return max(0.0, 1.0 - sending / self.alone) if 0 < self.alone < math.inf else 1.0


@dataclass(frozen=True)
class Pattern:
    """An iteration: ``compute`` seconds, ``inside`` seconds of exposed traffic that meets no link, and the bursts.

    Bursts follow one another, each beside as much computing as it can hide behind. ``iterations`` is how many there
    are; ``given`` the seconds that all take alone, where that is known better than by adding up.
    """

    compute: float
    inside: float = 0.0
    bursts: tuple[Burst, ...] = ()
    iterations: float = 1.0
    given: float | None = None

    def time(self, stretch: float = 1.0) -> float:
        """Seconds of one iteration whose bursts take ``stretch`` times as long as alone."""
        return self.compute + self.inside + sum([burst.exposed(stretch) for burst in self.bursts])

    def duty(self, stretch: float = 1.0) -> float:
        """Share of the time that its bytes are on the network, then."""
        busy, whole = self.alone * stretch, self.time(stretch)
        if busy == math.inf:
            return 1.0
        return min(1.0, busy / whole) if whole > 0 else 0.0

    @cached_property
    def base(self) -> float:
        """Seconds of one iteration alone."""
        return self.time()

    @cached_property
    def alone(self) -> float:
        """Seconds that all bursts take on the links, alone and without latency."""
        return sum(burst.alone for burst in self.bursts)

    @cached_property
    def share(self) -> float:
        """Share of an iteration, alone, that is exposed communication."""
        return 1.0 - self.compute / self.base if self.base > 0 else 0.0

    @cached_property
    def work(self) -> float:
        """Seconds that all iterations take alone."""
        if self.given is not None:
            return self.given
        return self.iterations * self.base if self.iterations else 0.0

    @cached_property
    def flow(self) -> float:
        """Bytes that one flow carries in an iteration, over all bursts."""
        return sum(burst.flow for burst in self.bursts)

    @cached_property
    def usage(self) -> dict[int, float]:
        """Flows on each link: the bytes that an iteration puts there over the bytes of one flow."""
        total: dict[int, float] = {}
        for burst in self.bursts:
            for link, volume in zip(burst.links, burst.usage, strict=True):
                total[link] = total.get(link, 0.0) + volume / self.flow
        return total

    @cached_property
    def pace(self) -> float:
        """Bytes/s of one flow, alone."""
        return self.flow / self.alone if self.alone > 0 else math.inf

    @cached_property
    def limit(self) -> float:
        """Bytes/s that one flow can have at most.

        One burst is held by its own limits alone, so that a link that gets faster than it was built speeds it up; of
        several, each is held by another link, and together they are never faster than one after the other, alone.
        """
        seconds = self.bursts[0].own if len(self.bursts) == 1 else self.alone
        return self.flow / seconds if seconds > 0 else math.inf

    @cached_property
    def stages(self) -> tuple[tuple[float, Burst | None], ...]:
        """The iteration in order: seconds of computing, and the burst beside them; the first has none."""
        beside = sum(burst.hidden for burst in self.bursts)
        return (self.compute + self.inside - beside, None), *((burst.hidden, burst) for burst in self.bursts)

    @cached_property
    def bounds(self) -> tuple[float, ...]:
        """Seconds, alone, at which each stage begins, and the end of the last."""
        lengths = (max(compute, burst.latency + burst.alone if burst else 0.0) for compute, burst in self.stages)
        return tuple(accumulate(lengths, initial=0.0))

    def length(self, stage: int) -> float:
        """Seconds, alone, of a stage."""
        return self.bounds[stage + 1] - self.bounds[stage]
