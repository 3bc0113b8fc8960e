"""Windows of time in which servers are kept from work: maintenance, and bookings in advance for a tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from simulator.core.clock import Clock, Phase
from simulator.core.errors import InputError
from simulator.runtime.availability import Availability
from simulator.workload.jobs import Job


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Servers (by index) that are down from ``start`` to ``end`` (s).

    They take no new work from ``drain`` seconds before; what still runs there at ``start`` is stopped, keeps its work
    up to its last checkpoint, and waits again.
    """

    start: float
    end: float
    servers: tuple[int, ...]
    drain: float = 0.0


@dataclass(frozen=True, slots=True)
class Booking:
    """Servers (by index) that take only work of ``tenant`` from ``start`` to ``end`` (s).

    Others' work that is there at ``start`` goes on to its end. They take nobody else's from ``drain`` seconds before.
    """

    start: float
    end: float
    servers: tuple[int, ...]
    tenant: str
    drain: float = 0.0


NOBODY = "a maintenance window"
"""The tenant for whom servers are kept that drain before a maintenance."""


class Windows:
    """Puts maintenance and bookings on the clock.

    ``stop`` stops the jobs it is given, ``changed(event, server)`` is told of every server that goes down or comes up.
    """

    def __init__(
        self,
        clock: Clock,
        servers: int,
        availability: Availability,
        running: Iterable[Job],
        stop: Callable[[Job], None],
        changed: Callable[[str, int], None],
    ) -> None:
        self._clock, self._servers, self._availability, self._running = clock, servers, availability, running
        self._stop, self._changed = stop, changed

    def plan(self, maintenance: Sequence[Maintenance], bookings: Sequence[Booking]) -> None:
        """Put all windows on the clock; raise ``InputError`` for one that makes no sense."""
        windows: list[Maintenance | Booking] = [*maintenance, *bookings]
        for window in windows:
            self._check(window)
        for work in maintenance:
            if work.drain > 0:
                self._at(work.start - work.drain, self._keep, work, NOBODY)
            self._at(work.start, self._down, work)
            self._at(work.end, self._up, work)
        for booking in bookings:
            self._at(booking.start - booking.drain, self._keep, booking, booking.tenant)
            self._at(booking.end, self._over, booking)

    def _check(self, window: Maintenance | Booking) -> None:
        if not 0 <= window.start < window.end < float("inf") or not window.drain >= 0:
            raise InputError(
                f"a window from {window.start:g} to {window.end:g} s, drained for {window.drain:g} s before: it must "
                "begin at 0 or later, and end after that"
            )
        for server in window.servers:
            if not 0 <= server < self._servers:
                raise InputError(f"a window names server {server}; servers are 0 to {self._servers - 1}")

    def _at(self, time: float, function: Callable[..., None], *arguments: object) -> None:
        self._clock.at(max(0.0, time), function, *arguments, phase=Phase.FAILURES)

    def _keep(self, window: Maintenance | Booking, tenant: str) -> None:
        self._availability.keep(window.servers, tenant, id(window))

    def _down(self, work: Maintenance) -> None:
        chosen = dict.fromkeys(work.servers)
        for job in self._running:
            if any(server in chosen for server, _ in job.placement):
                self._stop(job)
        for server in chosen:
            if self._availability.down(server, id(work)):
                self._changed("node-down", server)

    def _up(self, work: Maintenance) -> None:
        if work.drain > 0:
            self._availability.release(work.servers, id(work))
        for server in dict.fromkeys(work.servers):
            if self._availability.up(server, id(work)):
                self._changed("node-up", server)

    def _over(self, booking: Booking) -> None:
        self._availability.release(booking.servers, id(booking))
        self._changed("booking-over", booking.servers[0])
