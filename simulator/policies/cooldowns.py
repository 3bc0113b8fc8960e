"""Cooldowns between changes of a number of things, as AWS target tracking has them."""

from __future__ import annotations

import math


class Cooldowns:
    """Lets a number grow ``out`` seconds after it last grew, and shrink ``into`` seconds after its last change.

    Raises ``ValueError`` for a cooldown that is negative or no number.
    """

    def __init__(self, out: float, into: float) -> None:
        for name, cooldown in (("scale_out_cooldown", out), ("scale_in_cooldown", into)):
            if not cooldown >= 0:
                raise ValueError(f"{name} is {cooldown:g} s; it must be 0 or more")
        self._out, self._in = out, into
        self.reset()

    def reset(self) -> None:
        """Forget earlier changes: a new run begins."""
        self._last_out = self._last_change = -math.inf

    def settle(self, now: float, have: int, wanted: int) -> int:
        """Return what may be asked for now: ``wanted``, or ``have`` while it is too early for a change."""
        if wanted > have and now - self._last_out >= self._out:
            self._last_out = self._last_change = now
            return wanted
        if wanted < have and now - self._last_change >= self._in:
            self._last_change = now
            return wanted
        return have
