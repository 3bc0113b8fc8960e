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
        self._paths, self._routes = paths, dict(routes or {})

    def way(self, src: str, dst: str, label: int) -> Way | None:
        """Return the way of a message along the given route."""
        if (src, dst) not in self._routes:
            raise InputError(f"no explicit route was given from {src!r} to {dst!r}")
        return way_of([self._routes[src, dst]], self._paths.mesh.latency)
