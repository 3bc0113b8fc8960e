"""What the provider does: it has more or fewer nodes over time, and takes some back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulator.core.clock import Phase
from simulator.runtime.supply.drains import Drains
from simulator.runtime.supply.pool import Pool

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation


class Market:
    """Interrupts nodes: after a time that is drawn for each, at given times, or when the provider has too few.

    Which nodes are hit is drawn from the stream ``market:GROUP``, as are the times.
    """

    def __init__(self, pool: Pool, simulation: Simulation, drains: Drains) -> None:
        self._pool, self._simulation, self._drains = pool, simulation, drains
        self._draws = [simulation.stream(f"market:{group.name}") for group in pool.groups]

    @property
    def moves(self) -> bool:
        """Whether nodes may be taken back, or not be had for a time."""
        return any(_moves(group.interruptions) or group.capacity is not None for group in self._pool.groups)

    def begin(self) -> None:
        """Put what is known beforehand on the clock."""
        for number, group in enumerate(self._pool.groups):
            if group.capacity is not None:
                self._wait(number)
            if not isinstance(group.interruptions, float | int):
                for time, count in group.interruptions:
                    self._simulation.clock.at(time, self._strike, number, count, phase=Phase.FAILURES)

    def asked(self, server: int) -> None:
        """A node has been given out: draw when it is taken back."""
        number = self._pool.roster.owner.item(server)
        mean = self._pool.groups[number].interruptions
        if isinstance(mean, float | int) and mean < math.inf:
            after = float(self._draws[number].exponential(mean))
            life = self._pool.roster.lives[server]
            self._simulation.clock.after(after, self._interrupt, server, life, phase=Phase.FAILURES)

    def _interrupt(self, server: int, life: int) -> None:
        if self._pool.roster.lives[server] == life and not self._simulation.over():
            self._drains.interrupt(server)

    def _strike(self, number: int, count: int) -> None:
        """Interrupt some of the nodes of a group, as many as there are at most."""
        if self._simulation.over():
            return
        there = [server for server in self._pool.roster.given(number) if not self._drains.doomed(server)]
        hit = self._draws[number].permutation(len(there))[:count].tolist()
        for index in sorted(hit):
            self._drains.interrupt(there[index])

    def _wait(self, number: int) -> None:
        capacity = self._pool.groups[number].capacity
        following = None if capacity is None else capacity.after(self._simulation.clock.now)
        if following is not None:
            self._simulation.clock.at(following, self._changed, number, phase=Phase.FAILURES)

    def _changed(self, number: int) -> None:
        """The provider has another number of nodes."""
        if self._simulation.over():
            return
        capacity, roster = self._pool.groups[number].capacity, self._pool.roster
        assert capacity is not None
        there = [server for server in roster.given(number) if not self._drains.doomed(server)]
        too_many = len(there) - int(capacity.at(self._simulation.clock.now))
        if too_many > 0:
            self._strike(number, too_many)
        else:
            self._pool.refill()
        self._wait(number)


def _moves(interruptions: object) -> bool:
    return not isinstance(interruptions, float | int) or interruptions < math.inf
