"""Routes over a topology: shortest paths, and modes that choose among equally short ones."""

from simulator.cluster.routing.api import Load, Mode, Way, modes, way_of
from simulator.cluster.routing.mesh import hosts_of
from simulator.cluster.routing.paths import Paths, Routes

__all__ = ["Load", "Mode", "Paths", "Routes", "Way", "hosts_of", "modes", "way_of"]
