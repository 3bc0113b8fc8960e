"""Packet spraying: every packet of a message takes another of the equally short paths."""

from __future__ import annotations

from simulator.cluster.routing.api import Load, Way, modes
from simulator.cluster.routing.paths import Paths, ways


@modes.register("spray")
class Spray:
    """Each switch sends the packets of a message evenly over all links that lead on equally well.

    Dixit et al., "On the impact of packet spraying in data center networks" (INFOCOM 2013). The message uses each link
    by the share of its packets that cross it; what reordering costs is not counted. A message is one flow, whatever
    ``flows`` says.
    """

    lasting = True

    def __init__(self, paths: Paths, flows: int, load: Load) -> None:
        self._paths = paths

    def way(self, src: str, dst: str, label: int) -> Way | None:
        """Return the way of a message; it is the same for all labels."""
        ends, latency = self._paths.mesh.ends, self._paths.mesh.latency
        share, delay = {src: 1.0}, {src: 0.0}
        usage: dict[int, float] = {}
        for here, links in ways(self._paths, src, dst):
            for link in links:
                onward = ends[link][1]
                usage[link] = share[here] / len(links)
                share[onward] = share.get(onward, 0.0) + usage[link]
                delay[onward] = max(delay.get(onward, 0.0), delay[here] + latency[link])
        if dst not in delay:
            return None
        return Way(tuple(usage), tuple(usage.values()), delay[dst])
