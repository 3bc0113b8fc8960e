"""Topologies as callers name them: an object, a file, or one that comes with the project."""

from __future__ import annotations

from pathlib import Path

from simulator.cluster.topology import Topology
from simulator.scenario.loader import is_file
from simulator.scenario.shipped import shipped


def topology_of(given: Topology | str | Path) -> Topology:
    """Return the topology; raise ``InputError`` with the nearest name where nothing is called so."""
    if isinstance(given, Topology):
        return given
    path = Path(given)
    return Topology.load(path if is_file(path) else shipped("topologies", str(given)))
