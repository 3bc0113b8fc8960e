"""The section ``stores:`` of a scenario: where images, weights and checkpoints come from and go to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from simulator.cluster.stores import Attachment, attached
from simulator.cluster.topology import Topology
from simulator.runtime.pulls import Store
from simulator.scenario.jobs import Names
from simulator.scenario.quantities import Bandwidth, Time
from simulator.scenario.validation import Strict

if TYPE_CHECKING:
    from simulator.scenario.spec import Scenario


class StoreKeys(Strict):
    """A registry, an object store or a file system on the cluster's network."""

    bandwidth: Annotated[Bandwidth, Field(gt=0)] = Field(
        description="what all servers together get from it, and the same to it"
    )
    stream: Annotated[Bandwidth, Field(gt=0)] | None = Field(
        None, description="most that one server gets; default: as much as the network carries"
    )
    latency: Time = Field(0.0, description="time until the first byte comes")
    at: Names = Field(
        default_factory=list, description="switches that it is plugged into; default: those furthest from the servers"
    )
    server: Annotated[Bandwidth, Field(gt=0)] = Field(
        25e9 / 8, description="bandwidth of each server to it where the topology has no network"
    )


def with_stores(scenario: Scenario, topology: Topology) -> Topology:
    """Return the topology with the stores of the scenario; raise ``InputError``, with its place, for what cannot be."""
    keys: Mapping[str, StoreKeys] = scenario.keys.stores
    if not keys:
        return topology
    with scenario.at("stores"):
        return attached(
            topology, {name: Attachment(store.bandwidth, store.at, store.server) for name, store in keys.items()}
        )


def stores(scenario: Scenario) -> dict[str, Store]:
    """Return the stores of a run by name."""
    keys: Mapping[str, StoreKeys] = scenario.keys.stores
    return {
        name: Store(name, float("inf") if store.stream is None else store.stream, store.latency)
        for name, store in keys.items()
    }
