"""Equal-cost multi-path: each flow takes one path, picked by hash."""

from __future__ import annotations

from simulator.cluster.routing.api import Load, Way, modes, way_of
from simulator.cluster.routing.paths import Paths


@modes.register("ecmp")
class Ecmp:
    """Each flow of a message takes one shortest path, picked by a hash of its ends, label and number (RFC 2992).

    ``flows`` is the number of flows (queue pairs, ports) that a message is split into, each hashed by itself. Two
    flows may fall on one link while others stay idle: hash collisions.
    """

    lasting = True

    def __init__(self, paths: Paths, flows: int, load: Load) -> None:
        self._paths, self._flows = paths, flows

    def way(self, src: str, dst: str, label: int) -> Way | None:
        """Return the way of a message; the first flow hashes as ``Topology.path`` does."""
        labels: list[str | int] = [label, *[f"{label}.{flow}" for flow in range(1, self._flows)]]
        routes: list[tuple[int, ...]] = []
        for each in labels:
            route = self._paths.hashed(src, dst, each)
            if route is None:
                return None
            routes.append(route)
        return way_of(routes, self._paths.mesh.latency)
