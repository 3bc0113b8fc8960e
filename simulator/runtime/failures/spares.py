"""Servers that are kept back, and stand in for those that have failed."""

from __future__ import annotations

from collections.abc import Collection

from simulator.cluster.allocation import Allocator
from simulator.runtime.availability import Availability

NOBODY = "a spare"
"""The tenant for whom spares are kept."""


class Spares:
    """Keeps the last ``count`` servers back, and lets as many work as there are servers that failures have taken.

    A spare that stands in is taken back when as many servers as before are up without it, and nothing runs on it.
    """

    def __init__(self, availability: Availability, nodes: Allocator, count: int) -> None:
        self._availability, self._nodes, self._count = availability, nodes, count
        self._spares = dict.fromkeys(range(len(nodes))[len(nodes) - count :])
        self._kept: dict[int, None] = {}
        self.most = 0
        """Most of them that stood in at a time."""

    def begin(self) -> None:
        """Keep all of them back."""
        for server in self._spares:
            self._keep(server)

    def settle(self, broken: Collection[int]) -> None:
        """Let spares work, or take them back, now that the servers ``broken`` are known to have failed."""
        while self._count:
            missing = sum(server not in self._kept for server in broken)
            working = self._count - len(self._kept)
            self.most = max(self.most, working)
            if working < missing:
                chosen = next((server for server in self._kept if server not in broken), None)
                if chosen is None:
                    return
                self._availability.release((chosen,), _WHO)
                del self._kept[chosen]
            elif working > missing:
                idle = (each for each in self._spares if each not in self._kept and not self._nodes.jobs[each])
                chosen = next(idle, None)
                if chosen is None:
                    return
                self._keep(chosen)
            else:
                return

    def _keep(self, server: int) -> None:
        self._availability.keep((server,), NOBODY, _WHO)
        self._kept[server] = None


_WHO = "spares of failures"
