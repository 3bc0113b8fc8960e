"""The ways in which jobs share the network, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.core.clock import Clock
from simulator.runtime.crowd import Crowd
from simulator.runtime.fabric import Fabric
from simulator.runtime.flow import Flow
from simulator.runtime.fluid import Fluid
from simulator.runtime.gangs import Motion
from simulator.workload.jobs import Job

Arrived = Callable[[Job], None]
Make = Callable[[Clock, Fabric, Crowd, bool, Arrived], Motion]
"""Makes a motion; the truth value says that no transfers and no changes of links will disturb the jobs."""


def _fluid(clock: Clock, fabric: Fabric, crowd: Crowd, quiet: bool, arrived: Arrived) -> Motion:
    return Fluid(clock, crowd, arrived, interleaved=True)


def _steady(clock: Clock, fabric: Fabric, crowd: Crowd, quiet: bool, arrived: Arrived) -> Motion:
    return Fluid(clock, crowd, arrived, interleaved=False)


def _flow(clock: Clock, fabric: Fabric, crowd: Crowd, quiet: bool, arrived: Arrived) -> Motion:
    return Flow(clock, fabric, arrived, coasting=quiet)


def _alone(clock: Clock, fabric: Fabric, crowd: Crowd, quiet: bool, arrived: Arrived) -> Motion:
    return Fluid(clock, None, arrived, interleaved=False)


MOTIONS: Mapping[str, Make] = {"fluid": _fluid, "flow": _flow, "steady": _steady, "alone": _alone}
"""``fluid``: mean rates of interleaved phases; ``flow``: every iteration on the clock; ``steady``: as if every job were
on the network all the time; ``alone``: nobody shares anything."""
FIDELITIES = tuple(name for name in MOTIONS if name != "alone")
"""What a user may choose from."""
