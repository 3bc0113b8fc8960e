"""Theory of queues whose servers are switched off when idle and need a set-up time before they serve again.

Poisson arrivals wait in one queue, first come first served, for ``servers`` equal servers. Times of service, of set-up
and of idling are exponential. A server that finds nobody waiting is off at once, or stays on for a mean ``delay`` and
then goes off (delayed-off). An arrival that finds no idle server brings one that is off into set-up; a set-up is given
up when the job that it was begun for, or one before it, went to a server that became free. So there are as many
set-ups as jobs wait, while there are servers off; in the staggered variant there is one at a time. Model and names:
Gandhi, Doroudi, Harchol-Balter and Scheller-Wolf, "Exact analysis of the M/M/k/setup class of Markov chains via
recursive renewal reward", SIGMETRICS 2013 (Queueing Systems 77, 2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.core.errors import InputError

MOST_SERVERS = 400
"""Servers up to which the chain is solved; the work grows with their fourth power (400 take about 8 s)."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SetupQueue:
    """Means of a queue with set-up in the long run: times in seconds, numbers of jobs and servers."""

    wait: float
    """Mean time in the queue."""
    response: float
    """Mean time from arrival to end of service."""
    waits: float
    """Probability that an arrival finds no idle server."""
    queue: float
    """Mean number of jobs that wait."""
    busy: float
    """Mean number of servers that serve: the offered load."""
    idle: float
    """Mean number of servers that are on and have nothing to do."""
    setup: float
    """Mean number of servers in set-up."""

    @property
    def on(self) -> float:
        """Mean number of servers that can serve: busy and idle."""
        return self.busy + self.idle

    @property
    def powered(self) -> float:
        """Mean number of servers that draw power: on and in set-up."""
        return self.on + self.setup


def single_server(
    arrival_rate: float, service: float, setup: float, delay: float = 0.0, variation: float = 1.0
) -> float:
    """Return the mean response time, s, of M/M/1 whose server is off when it was idle for ``delay`` seconds, no more.

    ``arrival_rate`` in 1/s, ``service`` and ``setup`` the mean times, s; ``variation`` is the squared coefficient of
    variation of set-up times, 1 for exponential and 0 for constant ones. 1/(mu - lambda) + (2 E[D] + lambda E[D^2]) /
    (2 + 2 lambda E[D]), where D is what the first job of a busy period finds: a set-up with probability
    e^(-lambda delay), else nothing. Without a delay and with exponential set-ups that is 1/(mu - lambda) + 1/alpha.
    Source: P. D. Welch, "On a generalized M/G/1 queuing process in which the first customer of each busy period
    receives exceptional service", Operations Research 12(5), 1964.

    >>> single_server(0.5, 1.0, 10.0), round(single_server(0.5, 1.0, 10.0, variation=0.0), 3)
    (12.0, 7.833)
    """
    _check(1, arrival_rate, service, setup, delay)
    if not variation >= 0:
        raise InputError(f"the squared coefficient of variation is {variation:g}: it must be at least 0")
    off = math.exp(-arrival_rate * delay)
    first, second = off * setup, off * setup**2 * (1.0 + variation)
    extra = (2.0 * first + arrival_rate * second) / (2.0 + 2.0 * arrival_rate * first)
    return 1.0 / (1.0 / service - arrival_rate) + extra


def setup_queue(
    servers: int, arrival_rate: float, service: float, setup: float, delay: float = 0.0, staggered: bool = False
) -> SetupQueue:
    """Return the means of M/M/k/setup, of M/M/k/delayed-off with a ``delay``, and of M/M/k/staggered.

    ``arrival_rate`` in 1/s; ``service``, ``setup`` and ``delay`` the mean times, s. Raises ``InputError`` for a load of
    1 or more and for more than ``MOST_SERVERS``.

    The chain of (servers on, jobs there) repeats itself from ``servers`` jobs on, where servers only go on, so that its
    rate matrix is triangular and comes entry by entry: Phung-Duc, "Exact solutions for M/M/c/setup queues",
    Telecommunication Systems 64 (2017; arXiv 1406.3084), section 4. Below, the levels are joined one by one
    (Latouche and Ramaswami, "Introduction to matrix analytic methods", 1999, chapter 12). Nothing is cut off.

    >>> off, delayed = setup_queue(10, 5.0, 1.0, 10.0), setup_queue(10, 5.0, 1.0, 10.0, delay=20.0)
    >>> round(off.wait, 2), round(delayed.wait, 2), round(off.powered, 1), round(delayed.powered, 1)
    (1.66, 0.26, 8.6, 7.5)
    """
    _check(servers, arrival_rate, service, setup, delay)
    chain = _Chain(servers, arrival_rate, 1.0 / service, 1.0 / setup, 1.0 / delay if delay > 0 else None, staggered)
    return _means(chain, chain.levels())


class _Chain:
    """The generator, level by level: how many jobs there are; within a level, by how many servers are on."""

    def __init__(
        self, servers: int, arrival: float, serve: float, setup: float, off: float | None, staggered: bool
    ) -> None:
        self.servers, self.arrival, self.serve, self.setup, self.off = servers, arrival, serve, setup, off
        self.staggered = staggered

    def states(self, jobs: int) -> int:
        """Number of states of a level; without delay no server is on without a job."""
        return self.servers + 1 if self.off else min(jobs, self.servers) + 1

    def setups(self, jobs: int) -> Matrix:
        """Servers in set-up, by servers on."""
        on = np.arange(self.states(jobs))
        wanted = np.clip(np.minimum(jobs - on, self.servers - on), 0, None)
        return np.asarray(np.minimum(wanted, 1) if self.staggered else wanted, dtype=float)

    def idle(self, jobs: int) -> Matrix:
        """Servers on without a job, by servers on."""
        return np.asarray(np.clip(np.arange(self.states(jobs)) - jobs, 0, None), dtype=float)

    def busy(self, jobs: int) -> Matrix:
        """Servers at work, by servers on."""
        return np.asarray(np.minimum(np.arange(self.states(jobs)), jobs), dtype=float)

    def within(self, jobs: int) -> Matrix:
        """Rates inside a level; the diagonal makes the rows of the whole generator add up to 0."""
        size = self.states(jobs)
        starts, stops = self.setups(jobs) * self.setup, self.idle(jobs) * (self.off or 0.0)
        away = self.arrival + self.busy(jobs) * self.serve + starts + stops
        return np.asarray(np.diag(-away) + np.diag(starts[: size - 1], 1) + np.diag(stops[1:], -1))

    def down(self, jobs: int) -> Matrix:
        """Rates to the level below: ends of service; without delay the last server goes off with the last job."""
        rates = np.zeros((self.states(jobs), self.states(jobs - 1)))
        for on, busy in enumerate(self.busy(jobs).tolist()):
            rates[on, min(on, self.states(jobs - 1) - 1)] = busy * self.serve
        return rates

    def up(self, jobs: int) -> Matrix:
        """Rates to the level above."""
        return np.asarray(self.arrival * np.eye(self.states(jobs), self.states(jobs + 1)))

    def repeating(self) -> Matrix:
        """The rate matrix R with pi(n + 1) = pi(n) R from ``servers`` jobs on: upper triangular, column by column."""
        size = self.servers + 1
        starts = (self.setups(self.servers + 1) * self.setup).tolist()
        found = np.zeros((size, size))
        for column in range(size):
            leave, end = self.arrival + column * self.serve + starts[column], column * self.serve
            found[column, column] = 2 * self.arrival / (leave + (leave**2 - 4 * end * self.arrival) ** 0.5)
            for row in range(column - 1, -1, -1):
                through = float(found[row, row + 1 : column] @ found[row + 1 : column, column])
                gain = float(found[row, column - 1]) * starts[column - 1] + end * through
                found[row, column] = gain / (leave - end * (found[row, row] + found[column, column]))
        return found

    def levels(self) -> tuple[list[Matrix], Matrix]:
        """Probabilities of the levels 0 to ``servers``, by servers on, and the matrix R of those above."""
        tail = self.repeating()
        joins, above = [], tail @ self.down(self.servers + 1)
        for jobs in range(self.servers, 0, -1):
            joins.append(np.linalg.solve(-(self.within(jobs) + above).T, self.up(jobs - 1).T).T)
            above = joins[-1] @ self.down(jobs)
        first = _stationary(self.within(0) + above)
        found = [first]
        for join in reversed(joins):
            found.append(found[-1] @ join)
        rest = np.linalg.solve((np.eye(self.servers + 1) - tail).T, found[-1])
        total = sum(float(level.sum()) for level in found[:-1]) + float(rest.sum())
        return [level / total for level in found], tail


def _stationary(generator: Matrix) -> Matrix:
    """A vector with ``x Q = 0`` whose entries add up to 1."""
    system = generator.T.copy()
    system[-1] = 1.0
    wanted = np.zeros(len(generator))
    wanted[-1] = 1.0
    return np.asarray(np.linalg.solve(system, wanted))


def _means(chain: _Chain, solved: tuple[list[Matrix], Matrix]) -> SetupQueue:
    levels, tail = solved
    last = levels.pop()
    every = np.linalg.inv(np.eye(chain.servers + 1) - tail)
    above = last @ every  # all levels from ``servers`` on, by servers on
    beyond = float((above @ tail @ every).sum())  # mean number of jobs beyond ``servers``
    on = np.arange(chain.servers + 1)
    waiting = float(np.clip(chain.servers - on, 0, None) @ above) + beyond
    setup, idle = float(chain.setups(chain.servers + 1) @ above), 0.0
    waits = float(above.sum())
    for jobs, level in enumerate(levels):
        there = np.arange(len(level))
        waiting += float(np.clip(jobs - there, 0, None) @ level)
        setup += float(chain.setups(jobs) @ level)
        idle += float(chain.idle(jobs) @ level)
        waits += float(level[: jobs + 1].sum())
    wait = waiting / chain.arrival
    return SetupQueue(
        wait=wait, response=wait + 1.0 / chain.serve, waits=waits, queue=waiting,
        busy=chain.arrival / chain.serve, idle=idle, setup=setup,
    )  # fmt: skip


def _check(servers: int, arrival_rate: float, service: float, setup: float, delay: float) -> None:
    if not 1 <= servers <= MOST_SERVERS:
        raise InputError(f"{servers} servers: between 1 and {MOST_SERVERS} can be worked out")
    for value, name in ((arrival_rate, "arrival rate"), (service, "service time"), (setup, "set-up time")):
        if not value > 0:
            raise InputError(f"the {name} is {value:g}: it must be above 0")
    if not delay >= 0:
        raise InputError(f"the delay before a server goes off is {delay:g} s: it must be at least 0")
    load = arrival_rate * service / servers
    if not load < 1:
        raise InputError(f"a load of {load:g} never settles: it must be below 1")
