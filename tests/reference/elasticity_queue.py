"""A queue whose servers are switched off and need a set-up: event by event with a heap, nothing of the simulator."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

ARRIVAL, END, READY, OFF = "arrival", "end", "ready", "off"


@dataclass
class Outcome:
    """Waits of the jobs in the order of their arrival (s), and the mean numbers of servers by state."""

    waits: list[float]
    busy: float = 0.0
    idle: float = 0.0
    setup: float = 0.0
    begun: int = 0
    """Set-ups that were begun."""
    given_up: int = 0
    """Set-ups that were given up before their end."""
    span: float = 0.0


@dataclass
class Farm:
    """``servers`` that are off, in set-up, idle or busy; one queue, first come first served.

    ``service``, ``setup`` and ``delay`` give the next time of their kind in seconds; without ``delay`` a server that
    finds nobody waiting is off at once. A job goes to the server that fell idle last (``newest``) or first. As many
    servers are in set-up as jobs wait, or one if ``staggered``; the youngest set-up is given up first, and with
    ``keep`` none is.
    """

    servers: int
    service: Callable[[], float]
    setup: Callable[[], float]
    delay: Callable[[], float] | None = None
    newest: bool = True
    staggered: bool = False
    keep: bool = False

    now: float = 0.0
    number: int = 0
    events: list[tuple[float, int, str, int, int]] = field(default_factory=list)
    queue: deque[int] = field(default_factory=deque)
    off: list[int] = field(default_factory=list)
    coming: list[int] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    version: dict[int, int] = field(default_factory=dict)

    def push(self, after: float, kind: str, server: int) -> None:
        """Note an event; one of a server counts only while the server is in the state that it was noted in."""
        self.number += 1
        heapq.heappush(self.events, (self.now + after, self.number, kind, server, self.version.get(server, 0)))

    def enter(self, server: int) -> None:
        """Let a server enter a new state: its events from before do not count any more."""
        self.version[server] = self.version.get(server, 0) + 1

    def run(self, gaps: list[float], warmup: int = 0) -> Outcome:
        """Serve jobs that come ``gaps`` seconds apart; means are taken from the arrival of job ``warmup`` on."""
        self.off = list(range(self.servers))[::-1]
        found = Outcome(waits=[0.0] * len(gaps))
        came, arrived, busy, started = [0.0] * len(gaps), 0, 0, 0
        self.push(gaps[0], ARRIVAL, -1)
        while started < len(gaps):
            time, _, kind, server, version = heapq.heappop(self.events)
            if server >= 0 and self.version[server] != version:
                continue
            if arrived > warmup:
                found.busy += busy * (time - self.now)
                found.idle += len(self.idle) * (time - self.now)
                found.setup += len(self.coming) * (time - self.now)
                found.span += time - self.now
            self.now = time
            free = -1
            if kind == ARRIVAL:
                came[arrived] = time
                self.queue.append(arrived)
                arrived += 1
                if arrived < len(gaps):
                    self.push(gaps[arrived], ARRIVAL, -1)
                if self.idle:
                    free = self.idle.pop(-1 if self.newest else 0)
            elif kind == END:
                busy -= 1
                free = server
            elif kind == READY:
                self.coming.remove(server)
                free = server
            else:
                self.idle.remove(server)
                self.off.append(server)
                self.enter(server)
            if free >= 0:
                self.enter(free)
                if self.queue:
                    job = self.queue.popleft()
                    found.waits[job] = time - came[job]
                    started += 1
                    busy += 1
                    self.push(self.service(), END, free)
                elif self.delay is None:
                    self.off.append(free)
                else:
                    self.idle.append(free)
                    self.push(self.delay(), OFF, free)
            self.match(found)
        for name in ("busy", "idle", "setup"):
            setattr(found, name, getattr(found, name) / found.span)
        return found

    def match(self, found: Outcome) -> None:
        """Begin or give up set-ups until there are as many as there should be."""
        wanted = min(len(self.queue), 1) if self.staggered else len(self.queue)
        while len(self.coming) < wanted and self.off:
            server = self.off.pop()
            self.enter(server)
            self.coming.append(server)
            self.push(self.setup(), READY, server)
            found.begun += 1
        while len(self.coming) > wanted and not self.keep:
            server = self.coming.pop()
            self.enter(server)
            self.off.append(server)
            found.given_up += 1
