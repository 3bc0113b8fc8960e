"""Steps of a controller of nodes that would do nothing, and are left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulator.policies.supply import Autoscaler
from simulator.runtime.supply.pool import Pool

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

_SLACK = 1e-6
"""Seconds before the time that a controller names from which it is asked again, as sums of floats are rounded; ours."""
MOST = 10_000
"""Steps that are left out in one go (ours)."""


class Rest:
    """Knows when a step of ``scaler`` would find nothing new; one without ``quiet`` never rests.

    A step is left out only when no event has been on the clock since the last one but those of the controller itself
    (``expect`` counts them), when what it is shown has not changed, and when the time is not yet that which the
    controller names. So runs are the same as without.
    """

    def __init__(self, scaler: Autoscaler | None, pool: Pool, simulation: Simulation) -> None:
        self._pool, self._simulation, self._clock = pool, simulation, simulation.clock
        self._quiet = getattr(scaler, "quiet", None) if getattr(scaler, "detailed", False) else None
        self._told = getattr(scaler, "left_out", None)
        self._until, self._calm = -math.inf, False
        self._count = self._own = 0
        self._stamp: tuple[int, ...] = ()
        self.left: list[float] = []
        """Times of the steps that were left out last."""

    def expect(self) -> None:
        """One more event of the controller itself is put on the clock: a step, or the pass that follows it."""
        self._own += 1

    def stepped(self, acted: bool) -> None:
        """The controller has been asked; it wanted something, or nothing."""
        if self._quiet is None:
            return
        now = self._clock.now
        self._until = -math.inf if acted else min(self._quiet(now), self._dearer(now)) - _SLACK
        self._calm, self._stamp = True, self._look()

    def still(self) -> bool:
        """Whether a step now would be told the same as the last one, and would do nothing."""
        if self._quiet is None:
            return False
        count = self._clock.happened()
        new, self._count, self._own = count - self._count - self._own, count, 0
        self._calm = self._calm and new == 0
        return self._calm and self._clock.now < self._until and self._look() == self._stamp

    def leave_out(self, interval: float) -> float:
        """Leave out the step that is due now, and those before anything happens; return when the next one is due."""
        end = min(self._until, self._clock.ahead)
        self.left.append(self._clock.now)
        time = self._clock.now + interval
        while time < end and len(self.left) < MOST:
            self.left.append(time)
            time += interval
        return time

    def wake(self) -> int:
        """Tell the controller of the steps that were left out; return how many there were."""
        count = len(self.left)
        if count and self._told is not None:
            self._told(self.left)
        self.left = []
        return count

    def _look(self) -> tuple[int, ...]:
        simulation = self._simulation
        queue = len(simulation.view.queue)
        return (self._pool.roster.version, self._pool.changes, queue, *simulation.counts())

    def _dearer(self, now: float) -> float:
        """Return when a price or a carbon intensity changes next."""
        steps = [each for group in self._pool.groups for each in (group.price, group.carbon) if each is not None]
        changes = [time for each in steps if (time := each.after(now)) is not None]
        return min(changes, default=math.inf)
