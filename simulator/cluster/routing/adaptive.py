"""Adaptive routing: a flow takes the path that is least loaded when it starts."""

from __future__ import annotations

from simulator.cluster.routing.api import Load, Way, modes, way_of
from simulator.cluster.routing.paths import Paths, picked, ways

_Choice = tuple[float, float, int, tuple[int, ...]]


@modes.register("adaptive")
class Adaptive:
    """A flow takes, among the shortest paths, one whose most loaded link is least loaded now.

    It chooses when it starts and when it is routed again, and stays there in between. Among paths whose worst links are
    equal the lower sum of loads wins, then a hash. A message that is split into ``flows`` chooses for each in turn, and
    counts the flows before as load.
    """

    lasting = False

    def __init__(self, paths: Paths, flows: int, load: Load) -> None:
        self._paths, self._flows, self._load = paths, flows, load

    def way(self, src: str, dst: str, label: int) -> Way | None:
        """Return the way of a message at the load that the links have now."""
        stations = list(ways(self._paths, src, dst))
        added: dict[int, float] = {}
        routes: list[tuple[int, ...]] = []
        for flow in range(self._flows):
            route = self._best(stations, src, dst, f"{label}.{flow}", added)
            if route is None:
                return None
            routes.append(route)
            for link in route:
                added[link] = added.get(link, 0.0) + 1.0
        return way_of(routes, self._paths.mesh.latency)

    def _best(
        self, stations: list[tuple[str, list[int]]], src: str, dst: str, label: str, added: dict[int, float]
    ) -> tuple[int, ...] | None:
        """Find the best way on from each vertex, from the last to the first."""
        ends, load = self._paths.mesh.ends, self._load
        best: dict[str, _Choice] = {dst: (0.0, 0.0, 0, ())}
        for here, links in reversed(stations):
            first = picked(len(links), src, dst, label, here)
            found: list[_Choice] = []
            for order, link in enumerate(links[first:] + links[:first]):
                beyond = best.get(ends[link][1])
                if beyond is not None:
                    there = load(link, added.get(link, 0.0) + 1.0)
                    found.append((max(there, beyond[0]), there + beyond[1], order, (link, *beyond[3])))
            if found:
                best[here] = min(found)
        return best[src][3] if src in best else None
