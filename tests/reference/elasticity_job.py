"""A job that writes checkpoints on machines that fail: event by event with a heap, nothing of the simulator."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

WAITING, RESTARTING, WORKING, WRITING, HUNG = "waiting", "restarting", "working", "writing", "hung"
FAILS, SEEN, REPAIRED, PHASE = "fails", "seen", "repaired", "phase"


@dataclass
class Life:
    """Where the time of a job went, s: ``kept`` work, work that was lost, and the phases without work."""

    kept: float = 0.0
    lost: float = 0.0
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys((WAITING, RESTARTING, WRITING, HUNG), 0.0))
    end: float = 0.0
    failures: int = 0
    """Failures that stopped the job; those of machines that fail beside a failed one are not counted."""
    checkpoints: int = 0
    up: float = 0.0
    """Mean number of machines up, also those whose failure nobody has seen, less those that failed."""


@dataclass
class Trainer:
    """``work`` seconds of work on ``needed`` of ``machines`` at once, with a checkpoint after each ``interval`` of it.

    ``life`` gives the time from the start of a machine, or its repair, to its failure, and ``repair`` the time that it
    takes from when it was seen. A failure in the job stops it at once and is seen ``detect`` seconds later; then the
    job takes whole machines, waits until there are enough, and restarts for ``restart`` seconds. Machines fail while
    they stand idle too, if ``always``; if not, only those of a job that is not hung, and a new life begins with each
    start of the job, so that lives must be without memory.
    """

    work: float
    interval: float
    cost: float
    restart: float
    life: Callable[[], float]
    repair: Callable[[], float]
    machines: int = 1
    needed: int = 1
    detect: float = 0.0
    always: bool = True

    now: float = 0.0
    number: int = 0
    events: list[tuple[float, int, str, int, int]] = field(default_factory=list)
    phase: str = WAITING
    saved: float = 0.0
    done: float = 0.0
    turn: int = 0

    def push(self, after: float, kind: str, machine: int, version: int) -> None:
        """Note an event that counts only if the version of its subject is still the same."""
        self.number += 1
        heapq.heappush(self.events, (self.now + after, self.number, kind, machine, version))

    def enter(self, phase: str, seconds: float | None = None) -> None:
        """Begin a phase that ends by itself after ``seconds``, or never."""
        self.phase, self.turn = phase, self.turn + 1
        if seconds is not None:
            self.push(seconds, PHASE, -1, self.turn)

    def run(self) -> Life:
        """Follow the job to its end."""
        found = Life()
        whole = list(range(self.machines))
        mine: list[int] = []
        broken = 0
        version = [0] * self.machines
        if self.always:
            for machine in whole:
                self.push(self.life(), FAILS, machine, 0)
        first = True
        while True:
            if self.phase == WAITING and len(whole) >= self.needed:
                mine = [whole.pop(0) for _ in range(self.needed)]
                if not self.always:
                    for machine in mine:
                        version[machine] += 1
                        self.push(self.life(), FAILS, machine, version[machine])
                self.enter(RESTARTING, 0.0 if first else self.restart)
                first = False
            time, _, kind, machine, valid = heapq.heappop(self.events)
            if valid != (self.turn if kind == PHASE else version[machine]):
                continue
            found.up += (self.machines - broken) * (time - self.now)
            if self.phase == WORKING:
                self.done += time - self.now
            else:
                found.spent[self.phase] += time - self.now
            self.now = time
            if kind == PHASE:
                if self.phase == WORKING and self.work - self.done <= 1e-9 * self.work:
                    found.kept, found.end, found.up = self.done, time, found.up / time
                    return found
                if self.phase == WORKING:
                    self.enter(WRITING, self.cost)
                elif self.phase == HUNG:
                    whole = sorted(whole + [each for each in mine if version[each] >= 0])
                    mine = []
                    self.enter(WAITING)
                else:
                    if self.phase == WRITING:
                        self.saved, found.checkpoints = self.done, found.checkpoints + 1
                    self.enter(WORKING, min(self.interval, self.work - self.done))
            elif kind == FAILS:
                broken += 1
                version[machine] = -version[machine] - 1
                self.push(self.detect, SEEN, machine, version[machine])
                if machine in mine and self.phase != HUNG:
                    found.failures += 1
                    found.lost += self.done - self.saved
                    self.done = self.saved
                    if not self.always:
                        version = [each + 1 if each >= 0 else each for each in version]
                    self.enter(HUNG, self.detect)
                elif machine in whole:
                    whole.remove(machine)
            elif kind == SEEN:
                self.push(self.repair(), REPAIRED, machine, version[machine])
            else:
                broken -= 1
                version[machine] = -version[machine]
                whole = sorted([*whole, machine])
                if self.always:
                    self.push(self.life(), FAILS, machine, version[machine])
