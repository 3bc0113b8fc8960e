"""Explicit routing: the user says where each pair's bytes go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.cluster.routing.api import Load, Way, modes, way_of
from simulator.cluster.routing.paths import Paths
from simulator.core.errors import InputError


@modes.register("explicit")
class Explicit:
    """A message takes the route that was given for its pair of ends, dead or alive.

    ``routes`` maps (src, dst) to link indices. A flow on a dead link stands still until the link is back.
    """

    lasting = True

    def __init__(
        self, paths: Paths, flows: int, load: Load, routes: Mapping[tuple[str, str], Sequence[int]] | None = None
    ) -> None:
        self._paths = paths
        self._routes = {pair: tuple(route) for pair, route in (routes or {}).items()}
        for (src, dst), route in self._routes.items():
            self._check(src, dst, route)

    def way(self, src: str, dst: str, label: int) -> Way | None:
        """Return the way of a message along the given route."""
        if (src, dst) not in self._routes:
            raise InputError(f"no explicit route was given from {src!r} to {dst!r}")
        return way_of([self._routes[src, dst]], self._paths.mesh.latency)

    def _check(self, src: str, dst: str, route: tuple[int, ...]) -> None:
        """Refuse a route that does not lead from one end to the other."""
        ends, here = self._paths.mesh.ends, src
        for link in route:
            if not 0 <= link < len(ends):
                raise InputError(f"route {list(route)}: there is no link {link}; links are 0 to {len(ends) - 1}")
            if ends[link][0] != here:
                raise InputError(f"route {list(route)}: link {link} starts at {ends[link][0]!r}, not at {here!r}")
            here = ends[link][1]
        if here != dst:
            raise InputError(f"route {list(route)} leads from {src!r} to {here!r}, not to {dst!r}")
