"""A load on the clock: its demand, its replicas, what it is worth to an autoscaler, what it leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any

from simulator.core.clock import Phase
from simulator.runtime.fleets.monitor import Gauges
from simulator.runtime.fleets.seat import Cluster, Seat
from simulator.runtime.loads.fleet import PodFleet
from simulator.runtime.loads.line import Line
from simulator.runtime.loads.log import LoadLog
from simulator.runtime.loads.pod import Pod
from simulator.runtime.loads.randomly import waits
from simulator.runtime.loads.spec import LoadSpec


class Load:
    """One load. ``changed(load)`` asks for its row at the end of the instant, which ``write`` writes."""

    def __init__(self, spec: LoadSpec, cluster: Cluster, log: LoadLog, changed: Callable[[Load], None]) -> None:
        self.spec, self.name = spec, spec.name
        self._cluster, self._clock, self._log, self._changed = cluster, cluster.clock, log, changed
        self._line = Line(self._note, spec.patience)
        self._times: list[float] = spec.demand.times.tolist()
        self._rates: list[float] = spec.demand.rates.tolist()
        self._place = 0
        self._since = self._area = 0.0
        self._chance = self._delay = 0.0
        self._share = self._working = self._there = self._held = 0.0
        self._placed = self._ready = 0
        self._capacity = 0.0
        self.over = self._leaves = False
        self.last_end = self._written = 0.0
        self.fleet = PodFleet(spec.fleet, cluster, self._make, self._read, count(), self, lambda: None)
        self.fleet.progress = lambda: (self._line.arrived, self._line.served)

    # -- time ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask for the first replicas."""
        self.fleet.begin()
        self._changed(self)

    def next_change(self) -> float | None:
        """When the demand changes next (s); at its end too. None after that."""
        if self._place < len(self._times):
            return self._times[self._place]
        return self.spec.demand.end if self._place == len(self._times) else None

    @property
    def busy(self) -> bool:
        """Whether demand is yet to come, or what waits may yet be served or give up."""
        return not self.over and (self._place <= len(self._times) or self._leaves or not self.fleet.given_up)

    def change(self) -> None:
        """The demand changes now."""
        self._advance()
        place = self._place
        self._place += 1
        rate = self._rates[place] if place < len(self._rates) else 0.0
        self._set(rate, self._capacity)
        if place == len(self._rates):
            self._end()
        elif rate > 0:
            self.fleet.watch()

    def _end(self) -> None:
        """The demand is over: the replicas may go when nothing waits any more."""
        if self.over:
            return
        self._advance()
        line = self._line
        if line.backlog <= 0 or self.fleet.hopeless:
            self.over, self.last_end = True, self._clock.now
            self.fleet.close()
            self._changed(self)
            return
        left = min(line.wait, self.spec.patience)
        self._leaves = left < math.inf
        if self._leaves:
            now = self._clock.now
            self._clock.at(max(now + left, math.nextafter(now, math.inf)), self._end, phase=Phase.ENDS)

    def _advance(self) -> None:
        """Bring all sums up to now."""
        now = self._clock.now
        seconds = now - self._since
        if seconds <= 0:
            return
        line, ready = self._line, self._ready
        served, area = line.served, line.area
        line.advance(now)
        self._since = now
        self._held += self._placed * seconds
        self._there += ready * seconds
        done = line.served - served
        if ready and self._capacity > 0:
            share = min(done / self._capacity, seconds)
            self._share += share
            self._working += share * ready
            self._area += share * ready
        self._area += line.area - area
        if line.emptied < now:
            self._write(line.emptied, 0.0, line.served - (now - line.emptied) * line.demand)
        elif line.emptied == now:
            self._changed(self)
        if self.spec.random:
            line.settle()

    def _set(self, demand: float, capacity: float) -> None:
        """Set both rates from now on."""
        self._line.change(demand, capacity)
        if self.spec.random:
            self._chance, self._delay = waits(self._ready, demand, capacity)
        self._changed(self)

    def _note(self, since: float, until: float, amount: float, first: float, last: float, fate: str) -> None:
        random = self.spec.random and first == last == 0.0
        chance, delay = (self._chance, self._delay) if random else (0.0, 0.0)
        self._log.wait((self.name, since, until, amount, first, last, chance, delay, fate))

    def settle(self) -> None:
        """Let what came before now be told apart from what comes after."""
        self._advance()
        self._line.settle()

    # -- replicas -----------------------------------------------------------------------------------------------------

    def _make(self, seat: Seat[Pod]) -> Pod:
        self._advance()
        self._placed += 1
        server = self._cluster.topology.servers[seat.job.placement[0][0]]
        return Pod(self, seat.number, self.spec.rate(server.accelerator))

    def turned(self, rate: float) -> None:
        """A replica takes work now, at so much a second, or takes no more (below 0)."""
        self._advance()
        self._ready += 1 if rate > 0 else -1
        self._capacity = self._capacity + rate if self._ready else 0.0
        self._set(self._line.demand, self._capacity)
        if self._place > len(self._times) and not self.over and rate > 0:
            self._end()

    def gone(self) -> None:
        """A replica has lost its place."""
        self._advance()
        self._placed -= 1

    @property
    def share(self) -> float:
        """Seconds that a replica which takes work all the time has worked, up to now."""
        self._advance()
        return self._share

    def seconds(self) -> tuple[float, float]:
        """Replica-seconds up to now: taking work, and working."""
        self._advance()
        return self._there, self._working

    def _read(self) -> Gauges:
        """What is true now: work that waits, and as many in service as replicas are busy."""
        self._advance()
        line = self._line
        backlog = line.backlog
        busy = float(self._ready)
        if self._capacity > 0 and backlog <= 0:
            busy *= min(1.0, line.demand / self._capacity)
        return Gauges(backlog + busy, backlog, busy, 0.0, line.arrived, self._area)

    # -- what it leaves behind ----------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the row of this instant, unless the one before is too young for it."""
        self._advance()
        now = self._clock.now
        if now - self._written >= self.spec.record_interval or now == 0.0 or self.over:
            self._written = now
            self._write(now, self._line.backlog, self._line.served)

    def _write(self, time: float, backlog: float, served: float) -> None:
        line, fleet = self._line, self.fleet
        wait = 0.0 if backlog <= 0 else line.wait
        self._log.load(
            (time, self.name, line.demand, self._capacity, self._ready, fleet.wanted, fleet.coming, backlog, served,
             line.dropped, wait)
        )  # fmt: skip

    def close(self, now: float) -> dict[str, Any]:
        """Tell of what waits at the end of the run, and return the facts."""
        self._advance()
        self._line.close()
        if self._written < now:
            self._write(now, self._line.backlog, self._line.served)
        line, spec = self._line, self.spec
        size = spec.fleet.accelerators
        return {
            "kind": "load", "accelerators": size, "slo": spec.slo, "demand": line.arrived, "served": line.served,
            "dropped": line.dropped, "waiting": line.backlog, "replica_seconds": self._held,
            "ready_seconds": self._there, "busy_seconds": self._working, "accelerator_seconds": size * self._held,
            "busy_accelerator_seconds": size * self._working,
            "record_interval": spec.record_interval,
            "optimum": spec.demand.servers(spec.best, spec.fleet.minimum, now),
        }  # fmt: skip
