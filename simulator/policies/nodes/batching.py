"""Karpenter's batch window: waiting jobs are gathered for a while before machines are asked for.

Source: kubernetes-sigs/karpenter 1.x, pkg/controllers/provisioning/{batcher,controller}.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from simulator.policies.supply import Unplaced

_AGAIN = 10.0
"""Seconds after which a job that still waits triggers again (``RequeueAfter`` of the pod controller)."""


class Batch:
    """A window that opens with the first job and closes ``idle`` s after the last, or ``most`` s after the first."""

    def __init__(self, idle: float, most: float) -> None:
        self._idle, self._most = idle, most
        self.reset()

    def reset(self) -> None:
        """Forget all jobs."""
        self._triggered: dict[str, float] = {}
        self._opened = self._last = math.nan
        self._before = -math.inf

    def ready(self, now: float, pending: Iterable[Unplaced]) -> bool:
        """Whether the window closes now; then the next one opens with the next job."""
        triggers, known = [], {}
        for job in pending:
            last = self._triggered.get(job.id)
            if last is None:
                last = min(max(job.since, self._before), now)
                triggers.append(last)
            elif now - last >= _AGAIN:
                last += _AGAIN * math.floor((now - last) / _AGAIN)
                triggers.append(last)
            known[job.id] = last
        self._triggered, self._before = known, now
        for time in sorted(triggers):
            if math.isnan(self._opened):
                self._opened = time
            self._last = time
        if math.isnan(self._opened) or now < min(self._last + self._idle, self._opened + self._most):
            return False
        self._opened = self._last = math.nan
        return True

    def quiet(self, now: float) -> float:
        """Return the time before which the window neither closes nor opens, while the same jobs wait."""
        again = [last + _AGAIN for last in self._triggered.values()]
        closes = [] if math.isnan(self._opened) else [min(self._last + self._idle, self._opened + self._most)]
        return min([*again, *closes], default=math.inf)

    def left_out(self, time: float) -> None:
        """Take note that until a time looks were left out at which nothing was new."""
        self._before = time
