"""Links that failures take down, and the servers that are left without any."""

from __future__ import annotations

from collections.abc import Callable

from simulator.cluster.topology import Topology
from simulator.runtime.failures.blast import Component, ports


class Cuts:
    """Counts what each link has lost, as several failures may take the same one.

    ``up(link, whether)`` takes links down and up, ``capacity(link, bytes/s)`` changes those that have lost some of
    their cables.
    """

    def __init__(
        self, topology: Topology, up: Callable[[int, bool], None], capacity: Callable[[int, float], None]
    ) -> None:
        self._capacity, self._up, self._set_capacity = topology.capacity, up, capacity
        self._lost: dict[int, dict[object, float]] = {}
        self._ports = ports(topology)
        self._servers: dict[int, int] = {link: index for index, links in enumerate(self._ports) for link in links}

    def cut(self, component: Component, who: object) -> list[int]:
        """Take down what a component takes along; return the servers that have no link left and had one."""
        before = [server for server in self._touched(component) if self.reached(server)]
        for link in component.links:
            self._lost.setdefault(link, {})[who] = 1.0 / component.cables
            self._apply(link)
        return [server for server in before if not self.reached(server)]

    def mend(self, component: Component, who: object) -> list[int]:
        """Give back what ``cut`` took; return the servers that had no link left and have one now."""
        before = [server for server in self._touched(component) if not self.reached(server)]
        for link in component.links:
            lost = self._lost.get(link, {})
            if lost.pop(who, None) is not None and not lost:
                del self._lost[link]
            self._apply(link)
        return [server for server in before if self.reached(server)]

    def reached(self, server: int) -> bool:
        """Whether a server has a link to the network, or never had one."""
        links = self._ports[server]
        return not links or any(self._share(link) > _NOTHING for link in links)

    def isolated_by(self, component: Component) -> list[int]:
        """Return the servers that a component, when it fails alone, leaves without a link."""
        if component.cables > 1:
            return []
        gone = dict.fromkeys(component.links)
        return [server for server in self._touched(component) if all(link in gone for link in self._ports[server])]

    def whole(self, component: Component) -> bool:
        """Whether any of the links of a component carries something."""
        return any(self._share(link) > _NOTHING for link in component.links)

    def _touched(self, component: Component) -> dict[int, None]:
        return {self._servers[link]: None for link in component.links if link in self._servers}

    def _share(self, link: int) -> float:
        """Share of the capacity of a link that is left."""
        lost = self._lost.get(link)
        return 1.0 if lost is None else max(0.0, 1.0 - sum(lost.values()))

    def _apply(self, link: int) -> None:
        left = self._share(link)
        self._up(link, left > _NOTHING)
        if left > _NOTHING:
            self._set_capacity(link, float(self._capacity[link]) * left)


_NOTHING = 1e-9
"""Share of a link below which nothing of it is left."""
