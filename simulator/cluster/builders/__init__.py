"""Functions that make a ``Topology`` of a few parameters, by name."""

from __future__ import annotations

from collections.abc import Callable

from simulator.cluster.topology import Topology
from simulator.core.registry import Registry

builders: Registry[Callable[..., Topology]] = Registry("builder", "simulator.cluster.builders")
