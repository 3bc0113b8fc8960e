"""Where each server of the groups is in its life, as arrays and as counts."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence

import numpy as np

from simulator.policies.supply import NodeState
from simulator.runtime.supply.groups import Group
from simulator.workload.jobs import Job

BOOTING, STARTING, READY, DRAINING = (
    int(NodeState.BOOTING), int(NodeState.STARTING), int(NodeState.READY), int(NodeState.DRAINING),
)  # fmt: skip
OFF, WARMING, WARM = -1, -2, -3
"""Not asked for; booting to be warm; warm. All others are the states that controllers see."""


class Roster:
    """The states of the servers of all groups; arrays have shape (servers,).

    ``owner`` is the number of the group of a server, -1 for none, which is always up. ``lives`` counts how often a
    server was given back, so that what was put on the clock for one node does not strike the next.
    """

    def __init__(self, groups: Sequence[Group], servers: int) -> None:
        self.groups = groups
        self.owner = np.full(servers, -1)
        self.state = np.full(servers, OFF, dtype=np.int8)
        self.created, self.ready, self.idle = (np.full(servers, math.nan) for _ in range(3))
        self.lives = [0] * servers
        self.residents: list[dict[Job, None]] = [{} for _ in range(servers)]
        """Jobs on each server."""
        self.busy = 0
        """Servers of groups with at least one job."""
        self.version = 0
        """Changes whenever a node changes its state."""
        self._counts = [dict.fromkeys(range(WARM, DRAINING + 1), 0) for _ in groups]
        self._off: list[list[int]] = []
        for number, group in enumerate(groups):
            self.owner[list(group.servers)] = number
            self._counts[number][OFF] = len(group.servers)
            self._off.append(sorted(group.servers))
        self._rows, self._rows_of = np.empty(0, dtype=np.int64), -1

    def set(self, server: int, state: int) -> None:
        """Move a server into another state."""
        counts, before = self._counts[self.owner.item(server)], self.state.item(server)
        counts[before] -= 1
        counts[state] += 1
        self.state[server] = state
        self.version += 1
        if state == OFF:
            self.lives[server] += 1
            heapq.heappush(self._off[self.owner.item(server)], server)
            self.created[server] = self.ready[server] = self.idle[server] = math.nan

    def take(self, group: int, fit: Callable[[int], bool]) -> int | None:
        """Return the first server of a group that is off and ``fit`` to boot, which must then be moved; None: none."""
        off, unfit = self._off[group], []
        found = None
        while off and found is None:
            server = heapq.heappop(off)
            if fit(server):
                found = server
            else:
                unfit.append(server)
        for server in unfit:
            heapq.heappush(off, server)
        return found

    def count(self, group: int, *states: int) -> int:
        """Return how many servers of a group are in any of these states."""
        counts = self._counts[group]
        return sum([counts[state] for state in states])

    def size(self, group: int) -> int:
        """Nodes of a group that are up or coming; those that are draining or warm are not."""
        return self.count(group, BOOTING, STARTING, READY)

    def total(self, group: int) -> int:
        """All nodes of a group that the provider has given out, warm and draining ones included."""
        return len(self.groups[group].servers) - self._counts[group][OFF]

    def coming(self) -> int:
        """Nodes of all groups that are booting or starting."""
        return sum([self.count(number, BOOTING, STARTING) for number in range(len(self.groups))])

    def rows(self) -> np.ndarray:
        """Servers that a controller sees, in their order."""
        if self._rows_of != self.version:
            self._rows, self._rows_of = np.flatnonzero(self.state >= 0), self.version
        return self._rows

    def given(self, group: int) -> list[int]:
        """Return the servers of a group that the provider has given out, in their order."""
        servers = np.array(self.groups[group].servers)
        found: list[int] = np.sort(servers[self.state[servers] != OFF]).tolist()
        return found
