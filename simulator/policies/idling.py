"""How Knative lets the last pod go: active, inactive, and the time in between."""

from __future__ import annotations

import math

ACTIVATING, ACTIVE, INACTIVE = "activating", "active", "inactive"
HOLD = -1
"""Wanted: as many as there are. Also: that nothing is known."""
DEADLINE = 630.0
"""Seconds that a service may try to get its first pod: 600 s (``progress-deadline`` of config-deployment) + 30 s."""


class Idling:
    """``handleScaleToZero`` of kpa/scaler.go and the condition Active of kpa.go, Knative Serving 1.23. Seconds.

    Pods go to none when the service has been active for ``stable_window`` and then inactive for the longer of ``grace``
    and ``retention``; or after ``retention`` alone, if the activator has been in the path of requests for ``grace``.
    """

    def __init__(self, stable_window: float, grace: float, retention: float, to_zero: bool) -> None:
        self._window, self._grace, self._retention, self._to_zero = stable_window, grace, retention, to_zero
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new run begins."""
        self._state, self._since = ACTIVATING, math.nan
        self._proxied = math.inf

    @property
    def activating(self) -> bool:
        """Whether too few pods are ready, and are still waited for."""
        return self._state == ACTIVATING

    def settle(self, now: float, wanted: int, ready: int, spare: float, needed: int = 1) -> tuple[int, str]:
        """Return the pods to have, ``HOLD`` for those that there are, and the rule where it is not ``wanted``.

        ``wanted`` may be ``HOLD``, where nothing is known. ``spare`` is the excess burst capacity: below 0 the
        activator is in the path. ``needed`` pods must be ready for the service to be active (activeThreshold).
        """
        if math.isnan(self._since):
            self._since = now
        number, rule, seen = self._scaled(now, wanted)
        if seen <= 0 or spare < 0:
            self._proxied = min(self._proxied, now)
        else:
            self._proxied = math.inf
        self._become(now, seen, ready, needed)
        return number, rule

    def _scaled(self, now: float, wanted: int) -> tuple[int, str, int]:
        """Pods, the rule, and what the condition is told is wanted."""
        if wanted < 0:
            return HOLD, "no data", HOLD
        if wanted != 0:
            return wanted, "", wanted
        if not self._to_zero:
            return 1, "scale to zero is off", 1
        elapsed = now - self._since
        if self._state == ACTIVATING:
            return (0, "activation timed out", 0) if elapsed > DEADLINE else (HOLD, "activating", HOLD)
        if self._state == ACTIVE:
            return (HOLD, "becomes inactive", 0) if elapsed >= self._window else (1, "active for less than a window", 1)
        if elapsed >= max(self._grace, self._retention):
            return 0, "", 0
        if elapsed < self._retention:
            return HOLD, "retention of the last pod", 0
        if now - self._proxied >= self._grace:
            return 0, "", 0
        return HOLD, "grace period", 0

    def _become(self, now: float, wanted: int, ready: int, needed: int) -> None:
        """Take on the condition that computeActiveCondition gives."""
        if wanted == 0 or needed == 0 or (wanted < 0 and self._state == INACTIVE):
            state = INACTIVE
        else:
            state = ACTIVE if ready >= needed else ACTIVATING
        if state != self._state:
            self._state, self._since = state, now
