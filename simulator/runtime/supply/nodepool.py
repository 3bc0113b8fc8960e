"""One pool of all servers, as clusters have it that do not name groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulator.core.errors import InputError
from simulator.policies.supply import Autoscaler
from simulator.runtime.supply.boots import Phase
from simulator.runtime.supply.groups import Group, numbers
from simulator.runtime.supply.supply import Supply

if TYPE_CHECKING:
    from simulator.runtime.simulation import Simulation

POOL = "pool"
"""What the one group is called."""


class NodePool(Supply):
    """All servers of the topology as one group, of which between ``minimum`` and ``maximum`` are up.

    A node that is asked for takes jobs ``provision`` seconds later and is paid for from the request on, as cloud
    machines are. A controller that answers with a number takes away nodes without jobs only. Counts are nodes.
    """

    def __init__(
        self,
        autoscaler: Autoscaler | None,
        minimum: int,
        maximum: int | None,
        provision: float,
        initial: int | None = None,
    ) -> None:
        super().__init__(autoscaler, ())
        self._bounds = minimum, maximum, initial
        self.provision = provision

    def attach(self, simulation: Simulation) -> None:
        """Take over the servers of a simulation that is about to run."""
        minimum, maximum, initial = self._bounds
        if not 0 <= self.provision < math.inf:
            raise InputError(f"autoscaler: provision is {self.provision!r} s; it must be a finite number, 0 or more")
        servers = tuple(range(len(simulation.nodes)))
        boot = (Phase("provision", self.provision),)
        group = Group(POOL, servers, minimum=minimum, maximum=maximum, initial=initial, boot=boot)
        wrong = numbers(group)
        if wrong:
            raise InputError(f"autoscaler: {wrong.replace('of the group', 'of the topology')}")
        self.groups = (group,)
        super().attach(simulation)
