"""What a run is told about a load: plain numbers, checked by whoever made them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from simulator.runtime.fleets.spec import FleetSpec
from simulator.workload.load import Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """A demand, and the replicas that serve it.

    ``rate(type)`` is what one replica serves (1/s) on accelerators of a type, and ``best`` the most of these.
    """

    fleet: FleetSpec
    demand: Demand
    rate: Callable[[str], float]
    best: float
    patience: float = math.inf
    """Seconds after which work that waits is dropped."""
    slo: float = math.inf
    """Longest wait that was promised (s); infinite: none was."""
    random: bool = False
    """Whether requests come at random, and wait for a free replica now and then while there are enough of them."""
    record_interval: float = 0.0
    """Fewest seconds between two rows of the table."""

    @property
    def name(self) -> str:
        """Name of the workload."""
        return self.fleet.workload
