"""When a controller of nodes is not asked any more: nothing gets on, whatever it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.core.units import format_quantity

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

STEPS = 10_000
"""Steps in a row that bring nothing forward, with no job to come, after which the controller rests (ours)."""
CHANGES = 1_000
"""Steps of these that grow or shrink something, after which it rests too: it goes back and forth (ours)."""

LOOKS = 25
"""Times that it looks at the work of all jobs within so many steps, as that takes long where there are many (ours)."""


class Patience:
    """Counts the steps since any job last got on; a controller that rests is asked again when a job comes or ends."""

    def __init__(self, simulation: Simulation, kind: str = "") -> None:
        self._simulation, self._kind = simulation, kind
        self._rested = 0.0
        """When the controller was asked last before it rested (s)."""
        self._steps = self._changes = 0
        self._seen: tuple[float, ...] = ()
        self._since = 0

    @property
    def over(self) -> bool:
        """Whether the controller rests."""
        return (self._steps >= STEPS or self._changes >= CHANGES) and self._simulation.counts() == self._seen[:2]

    def notes(self) -> list[str]:
        """Return a sentence on the rest of the controller, if it rests at the end of the run."""
        if not self.over:
            return []
        steps = f"{self._changes:,} of them changed something" if self._changes else "none of them changed anything"
        return [
            f"Autoscaler {self._kind} was not asked any more from {_time(self._rested)} on: {self._steps:,} steps in a "
            f"row brought no job forward, and {steps}. {_ADVICE[self._changes >= CHANGES]}."
        ]

    def note(self, changed: bool, booting: bool) -> None:
        """A step is over; it may have changed something, and nodes may be coming."""
        simulation = self._simulation
        counts = simulation.counts()
        if simulation.to_come() or counts != self._seen[:2]:
            self._steps = self._changes = self._since = 0
            self._seen = counts
            return
        self._changes += changed
        self._steps += changed or not booting
        self._rested = simulation.clock.now
        self._count(1)

    def rest(self, steps: int, booting: bool) -> None:
        """So many steps were left out that would have changed nothing."""
        counts = self._simulation.counts()
        if not steps:
            return
        if self._simulation.to_come() or counts != self._seen[:2]:
            self._steps = self._changes = self._since = 0
            self._seen = counts
            return
        self._steps += 0 if booting else steps
        self._rested = self._simulation.clock.now
        self._count(steps)

    def _count(self, steps: int) -> None:
        self._since += steps
        if self._since >= min(STEPS, CHANGES) // LOOKS:
            seen = self._simulation.work_so_far()
            if seen != self._seen:
                self._steps = self._changes = 0
            self._seen, self._since = seen, 0


_ADVICE = {
    True: "It goes back and forth: let idle nodes stay longer, have jobs checkpoint more often or take fewer nodes, or "
    "give the run an end (run: {until: 30 d})",
    False: "Nothing that it may do helps: give its groups more nodes (max, quota, servers), or let jobs ask for less",
}
"""What may be changed, by whether the controller still did something."""


def _time(seconds: float) -> str:
    return format_quantity(seconds, "time", 3)
