"""A networkx graph in a file."""

from __future__ import annotations

from pathlib import Path

from simulator.cluster.builders import builders
from simulator.cluster.graphs import read_graph
from simulator.cluster.topology import Topology


@builders.register("graph")
def graph(file: Path) -> Topology:
    """A networkx graph from a file: GraphML (.graphml) or node-link JSON (.json), as networkx writes them.

    Edges have ``capacity``, vertices that jobs run on ``kind`` "server" and ``accelerators``: see
    ``Topology.from_networkx``.
    """
    return read_graph(file)
