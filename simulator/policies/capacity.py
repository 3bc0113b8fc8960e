"""When capacity may change again: cooldowns of AWS Application Auto Scaling, warm-up of Amazon EC2 Auto Scaling."""

from __future__ import annotations

import math


class Capacity:
    """What a scaling policy may ask for, after what it has asked for before. Times in seconds.

    Cooldowns are those of Application Auto Scaling (API reference 2016-02-06, ``StepScalingPolicyConfiguration``, read
    2025): within ``out_cooldown`` of a growth, an adjustment is added to what there was before that growth, so only a
    larger one adds anything; within ``in_cooldown`` of a shrinkage there is no other, and a growth ends that wait.

    Warm-up is that of EC2 Auto Scaling (user guide, 2025, "Set the default instance warmup"): members do not count
    until ``warmup`` after they first took work, and nothing shrinks while any are coming or warming up. Those that are
    there at the first step are warm. When members leave, the youngest are thought to.

    Raises ``ValueError`` for a time that is negative or no number.
    """

    def __init__(self, out_cooldown: float = 0.0, in_cooldown: float = 0.0, warmup: float = 0.0) -> None:
        for name, time in (
            ("scale_out_cooldown", out_cooldown),
            ("scale_in_cooldown", in_cooldown),
            ("warmup", warmup),
        ):
            if not 0 <= time < math.inf:
                raise ValueError(f"{name} is {time:g} s; it must be 0 or more")
        self._out, self._in, self._warmup = out_cooldown, in_cooldown, warmup
        self.reset()

    def reset(self) -> None:
        """Forget earlier changes: a new run begins."""
        self._last_out = self._last_in = -math.inf
        self._before = 0
        self._ready: int | None = None
        self._warming: list[tuple[float, int]] = []

    def warm(self, now: float, ready: int) -> int:
        """Return how many of the members that take work have warmed up; to be asked once a step."""
        grown = 0 if self._ready is None else ready - self._ready
        self._ready = ready
        if grown > 0:
            self._warming.append((now, grown))
        while grown < 0 and self._warming:
            since, count = self._warming.pop()
            if count + grown > 0:
                self._warming.append((since, count + grown))
            grown += count
        self._warming = [(since, count) for since, count in self._warming if now - since < self._warmup]
        return ready - sum(count for _, count in self._warming)

    def base(self, now: float, current: int) -> int:
        """Return what an adjustment that grows is added to: ``current``, or what there was before the last growth."""
        return self._before if now - self._last_out < self._out else current

    def grow(self, now: float, have: int, wanted: int) -> tuple[int, str]:
        """Return how many to ask for, not below ``have``, and the rule that forbade growing; empty: none did."""
        cooling = now - self._last_out < self._out
        if wanted <= have:
            return have, "cooldown" if cooling else "warm-up" if self._warming else "coming"
        if not cooling:
            self._last_out, self._before = now, have
        self._last_in = -math.inf
        return wanted, ""

    def shrink(self, now: float, have: int, coming: int, wanted: int) -> tuple[int, str]:
        """Return how many to keep, not above ``have``, and the rule that forbade shrinking; empty: none did."""
        if wanted >= have:
            return have, "rounding"
        if self._warmup and (coming or self._warming):
            return have, "warm-up"
        if now - self._last_in < self._in:
            return have, "cooldown"
        self._last_in = now
        return wanted, ""
